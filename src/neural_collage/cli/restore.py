"""`collage restore`: what the collage of a picture knows that the picture does not show."""

from pathlib import Path
from typing import Annotated

import typer

from neural_collage.cli.support import artwork, options

app = typer.Typer(no_args_is_help=True, help="Fill, clean, morph or enlarge pictures.")

Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", show_default=False)]


@app.command()
def inpaint(
    image: artwork.Picture,
    mask: Annotated[
        Path,
        typer.Option(
            "--mask",
            metavar="FILE",
            help="A picture of the same size; what is brighter than half is filled.",
            show_default=False,
        ),
    ],
    output: Output,
    overwrite: options.Overwrite = False,
) -> None:
    """Fill the pixels that a mask covers.

    collage restore inpaint photo.jpg --mask scratches.png -o whole.png
    """
    artwork.check_output(output, overwrite, moving=False)

    from neural_collage.art import restore

    with artwork.shown("filling") as progress:
        artwork.write_picture(restore.inpaint(image, mask, progress), output)


@app.command()
def denoise(
    image: artwork.Picture,
    output: Output,
    noise: Annotated[
        float | None,
        typer.Option(
            metavar="SIGMA",
            help="Standard deviation of the noise in levels of 0 to 255; estimated by default.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Take noise away.

    collage restore denoise photo.jpg --noise 15 -o clean.png
    """
    artwork.check_output(output, overwrite, moving=False)
    if noise is not None and not 0 <= noise <= 255:
        raise typer.BadParameter(f"--noise {noise:g}: give 0 to 255")

    from neural_collage.art import restore

    sigma = None if noise is None else noise / 255
    with artwork.shown("cleaning") as progress:
        artwork.write_picture(restore.denoise(image, sigma, progress), output)


@app.command()
def morph(
    first: Annotated[Path, typer.Argument(metavar="FIRST", show_default=False)],
    last: Annotated[Path, typer.Argument(metavar="LAST", show_default=False)],
    output: artwork.Output,
    at: Annotated[
        float, typer.Option(metavar="T", help="Of a still: from the first (0) to the last (1).")
    ] = 0.5,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="K", help="Instead: K steps of the last picture's map, from the first one."
        ),
    ] = None,
    seconds: artwork.Seconds = 3,
    fps: artwork.Fps = 24,
    overwrite: options.Overwrite = False,
) -> None:
    """Morph one picture into another by mixing their maps.

    collage restore morph cat.jpg dog.jpg -o morph.mp4

    collage restore morph cat.jpg dog.jpg --at 0.3 -o between.png
    """
    artwork.check_output(output, overwrite)
    way = artwork.Zoom("0,0", 1, seconds, fps, "2")
    moving = output.suffix.lower() in artwork.MOVING
    if steps is not None and steps < 1:
        raise typer.BadParameter(f"--steps {steps}: give 1 or more")

    from neural_collage.art import morph as art
    from neural_collage.art.convergence import film, iterates
    from neural_collage.art.movie import movie

    with artwork.shown("encoding"):
        one, two = art.fractal_pair(first, last)
    if steps is not None:
        pictures = iterates(two, one.decode(), steps)
        if not moving:
            artwork.write_picture(pictures[-1], output)
            return
        each = max(1, way.frames // (steps + 2))
        artwork.write(output, movie(film(pictures, each), output.suffix, fps))
        return
    if not moving:
        artwork.write_picture(art.morph(one, two, at), output)
        return
    with artwork.shown("morphing") as progress:
        frames = artwork.counted(art.morphing(one, two, way.frames), way.frames, progress)
        artwork.write(output, movie(frames, output.suffix, fps))


@app.command()
def enlarge(
    image: artwork.Picture,
    output: Output,
    scale: artwork.Scale = 2.0,
    codec: Annotated[
        str, typer.Option(metavar="neural|fractal", help="Which collage of the picture.")
    ] = "neural",
    quality: Annotated[int, typer.Option("--quality", "-q", metavar="1..100")] = 95,
    overwrite: options.Overwrite = False,
) -> None:
    """Enlarge a picture by any factor: encode it, and decode it larger.

    collage restore enlarge photo.jpg --scale 3 -o large.png
    """
    artwork.check_output(output, overwrite, moving=False)

    from neural_collage.art import restore

    if not 0 < scale < float("inf"):
        raise typer.BadParameter(f"--scale {scale:g}: give a number above 0")
    with artwork.shown("enlarging"):
        larger = restore.enlarge(image, scale, codec=codec, quality=quality)
    artwork.write_picture(larger, output)
