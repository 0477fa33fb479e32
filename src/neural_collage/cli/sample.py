"""`collage sample`: pictures drawn by a generative model, at any size."""

from pathlib import Path
from typing import Annotated

import typer

from neural_collage.cli.support import options

_SECONDS = 4  # into a sample, and as many back
_SIDE = 280  # pixels of a frame


def sample(
    ctx: typer.Context,
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
        str,
        typer.Option(
            metavar="NAME|PATH",
            help="Weights: mnist, a .safetensors file or a name on the hub.",
        ),
    ] = "mnist",
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", metavar="N", help="Samples in the grid; 64 by default."),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Size over that of the training pictures, 1 by default; at the end of a zoom 160.",
        ),
    ] = None,
    temperature: Annotated[
        str,
        typer.Option(
            metavar="T|T,T,...",
            help="Below 1 for more typical samples; one for all stages, or one for each.",
        ),
    ] = "1",
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
    soft: Annotated[
        bool, typer.Option("--soft", help="Let edges grow with the scale: show probabilities.")
    ] = False,
    frames: Annotated[int, typer.Option(metavar="N", help="Frames of a zoom.")] = 60,
    overwrite: options.Overwrite = False,
) -> None:
    """Draw samples of a generative model.

    collage sample --model mnist -n 64 --scale 10 -o grid.png

    collage sample --seed 3 -o zoom.webp
    """
    moves = output.suffix.lower() in (".mp4", ".gif", ".webp", ".apng")
    if scale is not None and not 0 < scale < float("inf"):
        raise typer.BadParameter(f"--scale {scale:g}: give a number above 0")
    if count is not None and (count < 1 or (moves and count > 1)):
        raise typer.BadParameter(f"--count {count}: give 1 or more, and 1 for a zoom")
    temperatures = _temperatures(temperature)
    if output.exists() and not overwrite:
        typer.echo(f"collage: {output}: exists already: --overwrite replaces it", err=True)
        raise typer.Exit(1)

    from neural_collage.art.movie import movie, there_and_back
    from neural_collage.art.sample_zoom import Sample, edge
    from neural_collage.art.samples import draw, grid, load_generator, picture_size, pictures
    from neural_collage.art.zoom import zoom
    from neural_collage.errors import CollageError
    from neural_collage.io.files import write_atomically
    from neural_collage.io.writing import image_bytes

    generator = load_generator(model)
    count = 1 if moves else (count or 64)
    try:
        features = draw(generator, count, temperatures, seed)
        if moves:
            shown = Sample(generator, features, soft)
            size = (_SIDE, _SIDE * shown.height // shown.width)
            factor = (scale or 160) * shown.width / _SIDE
            if factor < 1:
                raise typer.BadParameter(
                    f"--scale {scale:g}: a zoom begins at {_SIDE / shown.width:g}: give more"
                )
            way = zoom(shown, centre=edge(shown), factor=factor, frames=frames, size=size)
            data = movie(there_and_back(way), output.suffix, fps=frames / _SECONDS)
        else:
            samples = pictures(generator, features, scale or 1, soft=soft)
            image = grid(samples, count, picture_size(generator, scale or 1))
            data = image_bytes(image, output.suffix)
    except ValueError as error:  # what the model cannot do: its scales, its stages
        raise CollageError(f"{model}: {error}") from error
    write_atomically(output, data)


def _temperatures(text: str) -> float | list[float]:
    try:
        several = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"--temperature {text}: give a number, or as many as there are stages, as in 0.7,1,1"
        ) from error
    return several[0] if len(several) == 1 else several
