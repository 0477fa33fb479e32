"""`collage restore`: inpainting, denoising, morphing and enlarging with collages."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from neural_collage.cli.support import artwork, options

app = typer.Typer(no_args_is_help=True, help="Fill, clean, morph or enlarge pictures.")

Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", show_default=False)]


@app.command()
def inpaint(
    image: artwork.ImageArgument,
    mask: Annotated[
        Path,
        typer.Option(
            "--mask",
            metavar="FILE",
            help="A picture of the same size; pixels brighter than half are filled.",
            show_default=False,
        ),
    ],
    output: Output,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Fill the pixels that a mask covers.

    collage restore inpaint photo.jpg --mask scratches.png -o whole.png
    """
    writer = artwork.open_output(output, overwrite, quiet=quiet, json=json, moving=False)

    from neural_collage.art import restore

    with writer.progress("filling") as progress:
        writer.picture(restore.inpaint(image, mask, progress))


@app.command()
def denoise(
    image: artwork.ImageArgument,
    output: Output,
    noise: Annotated[
        float | None,
        typer.Option(
            metavar="SIGMA",
            help="Standard deviation of the noise in levels of 0 to 255; estimated by default.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Remove noise.

    collage restore denoise photo.jpg --noise 15 -o clean.png
    """
    writer = artwork.open_output(output, overwrite, quiet=quiet, json=json, moving=False)
    if noise is not None and not 0 <= noise <= 255:
        raise typer.BadParameter(f"--noise {noise:g}: give 0 to 255")

    from neural_collage.art import restore

    sigma = None if noise is None else noise / 255
    with writer.progress("cleaning") as progress:
        writer.picture(restore.denoise(image, sigma, progress))


@app.command()
def morph(
    first: Annotated[Path, typer.Argument(metavar="FIRST", show_default=False)],
    last: Annotated[Path, typer.Argument(metavar="LAST", show_default=False)],
    output: artwork.Output,
    at: Annotated[
        float,
        typer.Option(metavar="T", help="Position of a still, from first (0) to last (1)."),
    ] = 0.5,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="K", help="Instead: apply the last picture's map K times to the first picture."
        ),
    ] = None,
    seconds: artwork.Seconds = 3,
    fps: artwork.Fps = 24,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Morph one picture into another by mixing their maps.

    collage restore morph cat.jpg dog.jpg -o morph.mp4

    collage restore morph cat.jpg dog.jpg --at 0.3 -o between.png
    """
    writer = artwork.open_output(output, overwrite, quiet=quiet, json=json)
    frames = artwork.frame_count(seconds, fps)
    moving = writer.is_moving
    if steps is not None and steps < 1:
        raise typer.BadParameter(f"--steps {steps}: give 1 or more")

    import torch

    from neural_collage.art import morph as art
    from neural_collage.art.convergence import crossfade_frames, iterates

    with writer.progress("encoding"):
        one, two = art.fractal_pair(first, last)
    if steps is not None:
        pictures = iterates(two, torch.from_numpy(one.decode()), steps)
        if not moving:
            writer.picture(pictures[-1])
            return
        each = max(1, frames // (steps + 2))
        count = (len(pictures) + 1) * each
        writer.movie(crossfade_frames(pictures, each), count, fps, "morphing")
    elif moving:
        writer.movie(art.morph_frames(one, two, frames), frames, fps, "morphing")
    else:
        writer.picture(art.morph(one, two, at))


@app.command()
def enlarge(
    image: artwork.ImageArgument,
    output: Output,
    scale: artwork.Scale = 2.0,
    codec: Annotated[
        Literal["neural", "fractal"], typer.Option(help="Codec that encodes the picture.")
    ] = "neural",
    quality: Annotated[int, typer.Option("--quality", "-q", metavar="1..100")] = 95,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Enlarge a picture by any factor: encode it, and decode it larger.

    collage restore enlarge photo.jpg --scale 3 -o large.png
    """
    writer = artwork.open_output(output, overwrite, quiet=quiet, json=json, moving=False)

    options.check_scale(scale)

    from neural_collage.art import restore

    with writer.progress("enlarging"):
        larger = restore.enlarge(image, scale, codec=codec, quality=quality)
    writer.picture(larger)
