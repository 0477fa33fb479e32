"""`collage sample`: samples of a generative model, at any size."""

from pathlib import Path
from typing import Annotated

import typer

from neural_collage.cli.support import artwork, options

_ZOOM_SECONDS = 4  # in one direction
_ZOOM_WIDTH = 280  # pixels


def sample(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A grid of samples, or, ending in .mp4, .gif, .webp or .apng, a zoom into one.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Weights: mnist, letters, a .safetensors file or a name on the hub; mnist by "
            "default, letters for a text.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Write a text in a font that the model draws; another seed, another font.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            "-n",
            metavar="N",
            help="Samples in the grid, 64 by default; in a sweep, 8 a row.",
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Scale of the training pictures: 1 by default, 4 for a text, 160 at the end of "
            "a zoom.",
        ),
    ] = None,
    temperature: Annotated[
        str,
        typer.Option(
            metavar="T|T,T,...",
            help="Below 1 for more typical samples; one for all stages, or one per stage.",
        ),
    ] = "1",
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="T,T,...",
            help="Temperatures of the rows of the grid, with the same random numbers in all rows.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    soft: Annotated[
        bool, typer.Option("--soft", help="Show probabilities, so that edges widen with the scale.")
    ] = False,
    frames: Annotated[int, typer.Option(metavar="N", help="Frames of a zoom.")] = 60,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Draw samples of a generative model.

    collage sample --model mnist -n 64 --scale 10 -o grid.png

    collage sample --sweep 0.5,0.7,0.85,1 -o temperatures.png

    collage sample --text "neural collage" --temperature 0.6 -o words.png

    collage sample --seed 3 -o zoom.webp
    """
    moving = output.suffix.lower() in artwork.MOVING
    options.check_scale(scale)
    if count is not None and (count < 1 or (moving and count > 1)):
        raise typer.BadParameter(f"--count {count}: give 1 or more, and 1 for a zoom")
    if sweep is not None and (moving or temperature != "1"):
        raise typer.BadParameter(
            "--sweep is of a grid: leave out --temperature, and write a picture"
        )
    if text is not None and (moving or sweep is not None or count is not None):
        raise typer.BadParameter("--text is of a picture: leave out --count and --sweep")
    model = model or ("mnist" if text is None else "letters")
    rows = [] if sweep is None else _numbers("--sweep", sweep, "numbers, as in 0.5,0.8,1")
    expected = "a number, or as many as there are stages, as in 0.7,1,1"
    several = _numbers("--temperature", temperature, expected)
    temperatures: float | list[float] = several[0] if len(several) == 1 else several
    writer = artwork.open_output(output, overwrite, quiet=quiet, json=json)

    from neural_collage.art.lettering import write
    from neural_collage.art.movie import movie, there_and_back
    from neural_collage.art.sample_zoom import Sample, edge
    from neural_collage.art.samples import (
        draw,
        draw_rows,
        grid,
        load_generator,
        picture_size,
        pictures,
    )
    from neural_collage.art.zoom import zoom
    from neural_collage.errors import CollageError
    from neural_collage.io.writing import image_bytes, to_pil

    generator = load_generator(model)
    try:
        temperatures = generator.temperatures(temperatures)
        for row in rows:
            generator.temperatures(row)
    except ValueError as error:
        raise CollageError(f"{model}: {error}") from error
    if text is not None:
        words = to_pil(write(generator, text, scale or 4, temperatures, seed))
        writer.write(image_bytes(words, output.suffix), words.width, words.height)
        return
    columns = (count or 8) if rows else None
    count = len(rows) * columns if columns else 1 if moving else (count or 64)
    if columns:
        features = draw_rows(generator, columns, rows, seed)
    else:
        features = draw(generator, count, temperatures, seed)
    if moving:
        shown = Sample(generator, features, soft)
        size = (_ZOOM_WIDTH, _ZOOM_WIDTH * shown.height // shown.width)
        factor = (scale or 160) * shown.width / _ZOOM_WIDTH
        if factor < 1:
            raise typer.BadParameter(
                f"--scale {scale:g}: a zoom begins at {_ZOOM_WIDTH / shown.width:g}: give more"
            )
        path = zoom(shown, centre=edge(shown), factor=factor, frames=frames, size=size)
        shown_frames = list(there_and_back(path))
        data = movie(iter(shown_frames), output.suffix, fps=frames / _ZOOM_SECONDS)
        writer.write(data, *size, frames=len(shown_frames))
    else:
        samples = pictures(generator, features, scale or 1, soft=soft)
        image = grid(samples, count, picture_size(generator, scale or 1), columns)
        data = image_bytes(image, output.suffix)
        writer.write(data, image.width, image.height)


def _numbers(option: str, text: str, expected: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text}: give {expected}") from error
