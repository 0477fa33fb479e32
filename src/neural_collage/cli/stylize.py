"""`collage stylize`: a picture composed of patches of another one."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from neural_collage.cli.support import artwork, options


def stylize(
    image: artwork.ImageArgument,
    style: Annotated[Path, typer.Argument(metavar="STYLE", show_default=False)],
    output: artwork.Output,
    patch: Annotated[
        int,
        typer.Option(
            metavar="4|8|16|32",
            help="Side of a range in pixels; patches are twice as large.",
        ),
    ] = 8,
    sources: Annotated[int, typer.Option(metavar="N", help="Patches per range, 1 to 8.")] = 2,
    strength: Annotated[
        float, typer.Option(metavar="S", help="From the photo's own detail (0) to the style's (1).")
    ] = 0.5,
    own: Annotated[
        float, typer.Option(metavar="W", help="Weight of the picture's own domains, 0 to 0.9.")
    ] = 0.0,
    colours: Annotated[
        Literal["content", "style"],
        typer.Option("--colors", "--colours", help="Picture whose colours are used."),
    ] = "content",
    network: Annotated[
        bool, typer.Option("--network", help="Train a network to find the collage.")
    ] = False,
    steps: Annotated[int, typer.Option(metavar="N", help="Training steps of the network.")] = 200,
    isometries: Annotated[
        bool,
        typer.Option(
            "--isometries", help="Allow rotated and mirrored patches (with --network only)."
        ),
    ] = False,
    scale: artwork.Scale = 1.0,
    center: artwork.Center = None,
    factor: artwork.Factor = 16,
    seconds: artwork.Seconds = 5,
    fps: artwork.Fps = 30,
    size: artwork.Size = "512",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Paint IMAGE with the patches of STYLE.

    collage stylize photo.jpg painting.jpg -o painted.png
    """
    if isometries and not network:
        raise typer.BadParameter("--isometries needs --network: the search turns no patches")
    zoom = artwork.parse_zoom(center, factor, seconds, fps, size)
    options.check_scale(scale)
    writer = artwork.open_output(output, overwrite, quiet=quiet, json=json)

    from neural_collage.art import stylize as art
    from neural_collage.art.learned import learn_style

    settings = art.Style(patch, sources, strength, own, colours)
    with writer.progress("painting") as progress:
        if network:
            scene = learn_style(
                image,
                style,
                steps=steps,
                progress=lambda now: progress(now.step, now.steps),
                isometries=isometries,
            )
        else:
            scene = art.stylize(image, style, settings, progress)
    writer.scene(scene, scale, zoom)
