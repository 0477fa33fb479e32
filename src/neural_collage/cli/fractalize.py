"""`collage fractalize`: a picture made of small copies of itself."""

from typing import Annotated

import typer

from neural_collage.cli.support import artwork, options


def fractalize(
    image: artwork.ImageArgument,
    output: artwork.Output,
    tiles: Annotated[
        int, typer.Option(metavar="N", help="Tiles across, and as many down: 2 to 512.")
    ] = 64,
    domains: Annotated[
        int, typer.Option(metavar="1|9|49", help="Domains: the whole picture (1), or parts of it.")
    ] = 1,
    isometries: Annotated[
        bool, typer.Option("--isometries", help="Allow rotated and mirrored copies.")
    ] = False,
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Larger tiles in smooth areas, smaller elsewhere.")
    ] = False,
    contrast: Annotated[
        float, typer.Option(metavar="C", help="Minimum contrast of a copy, 0 to 0.9.")
    ] = 0.5,
    strength: Annotated[
        float, typer.Option(metavar="S", help="From the photo (0) to the pure fractal (1).")
    ] = 1.0,
    network: Annotated[
        bool,
        typer.Option("--network", help="Train a network to find the collage (at most 64 tiles)."),
    ] = False,
    steps: Annotated[int, typer.Option(metavar="N", help="Training steps of the network.")] = 200,
    scale: artwork.Scale = 1.0,
    center: artwork.Center = None,
    factor: artwork.Factor = 64,
    seconds: artwork.Seconds = 5,
    fps: artwork.Fps = 30,
    size: artwork.Size = "512",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Make a picture of small copies of itself, or a movie that zooms into it.

    collage fractalize photo.jpg -o fractal.png

    collage fractalize photo.jpg --tiles 48 --factor 2304 -o dive.mp4
    """
    if network and (domains != 1 or adaptive):
        raise typer.BadParameter(
            "--network has one domain, the whole picture, and equal tiles: leave out --domains and "
            "--adaptive, or --network"
        )
    zoom = artwork.parse_zoom(center, factor, seconds, fps, size)
    options.check_scale(scale)
    writer = artwork.open_output(output, overwrite, quiet=quiet, json=json)

    from dataclasses import replace

    from neural_collage.art import fractalize as art
    from neural_collage.art.learned import learn_fractal

    tiling = art.Tiling(tiles, domains, isometries, adaptive, contrast, strength)
    with writer.progress("fitting") as progress:
        if network:
            scene = learn_fractal(
                image,
                tiles,
                contrast,
                steps,
                progress=lambda now: progress(now.step, now.steps),
                isometries=isometries,
            )
            scene = replace(scene, strength=strength)
        else:
            scene = art.fractalize(image, tiling, progress)
    writer.scene(scene, scale, zoom)
