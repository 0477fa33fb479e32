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
) -> None:
    """Fill the pixels that a mask covers.

    collage restore inpaint photo.jpg --mask scratches.png -o whole.png
    """
    artwork.check_output(output, overwrite, moving=False)

    from neural_collage.art import restore
    from neural_collage.cli.support.progress import step_progress

    with step_progress("filling") as progress:
        artwork.write_picture(restore.inpaint(image, mask, progress), output)


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
) -> None:
    """Remove noise.

    collage restore denoise photo.jpg --noise 15 -o clean.png
    """
    artwork.check_output(output, overwrite, moving=False)
    if noise is not None and not 0 <= noise <= 255:
        raise typer.BadParameter(f"--noise {noise:g}: give 0 to 255")

    from neural_collage.art import restore
    from neural_collage.cli.support.progress import step_progress

    sigma = None if noise is None else noise / 255
    with step_progress("cleaning") as progress:
        artwork.write_picture(restore.denoise(image, sigma, progress), output)


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
) -> None:
    """Morph one picture into another by mixing their maps.

    collage restore morph cat.jpg dog.jpg -o morph.mp4

    collage restore morph cat.jpg dog.jpg --at 0.3 -o between.png
    """
    artwork.check_output(output, overwrite)
    frames = artwork.frame_count(seconds, fps)
    moving = output.suffix.lower() in artwork.MOVING
    if steps is not None and steps < 1:
        raise typer.BadParameter(f"--steps {steps}: give 1 or more")

    import torch

    from neural_collage.art import morph as art
    from neural_collage.art.convergence import crossfade_frames, iterates
    from neural_collage.cli.support.progress import step_progress

    with step_progress("encoding"):
        one, two = art.fractal_pair(first, last)
    if steps is not None:
        pictures = iterates(two, torch.from_numpy(one.decode()), steps)
        if not moving:
            artwork.write_picture(pictures[-1], output)
            return
        each = max(1, frames // (steps + 2))
        count = (len(pictures) + 1) * each
        artwork.write_movie(crossfade_frames(pictures, each), count, output, fps, "morphing")
    elif moving:
        artwork.write_movie(art.morph_frames(one, two, frames), frames, output, fps, "morphing")
    else:
        artwork.write_picture(art.morph(one, two, at), output)


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
) -> None:
    """Enlarge a picture by any factor: encode it, and decode it larger.

    collage restore enlarge photo.jpg --scale 3 -o large.png
    """
    artwork.check_output(output, overwrite, moving=False)

    options.check_scale(scale)

    from neural_collage.art import restore
    from neural_collage.cli.support.progress import step_progress

    with step_progress("enlarging"):
        larger = restore.enlarge(image, scale, codec=codec, quality=quality)
    artwork.write_picture(larger, output)
