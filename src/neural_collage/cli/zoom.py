"""`collage zoom`: an endless way into a picture, and `collage converge`: how it draws itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neural_collage.cli.support import artwork, options

if TYPE_CHECKING:
    from neural_collage.art.zoom import Scene
    from neural_collage.codec.image import CollageImage

Codec = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What a picture that is no .clg file becomes: copies of itself (tiles), fractal or "
        "neural.",
    ),
]


def zoom(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="A .clg file or a picture.", show_default=False)
    ],
    output: artwork.Output,
    codec: Codec = "tiles",
    tiles: Annotated[int, typer.Option(metavar="N", help="Tiles across, of copies.")] = 64,
    center: artwork.Center = None,
    factor: artwork.Factor = 4096,
    seconds: artwork.Seconds = 5,
    fps: artwork.Fps = 30,
    size: artwork.Size = "512",
    overwrite: options.Overwrite = False,
) -> None:
    """Zoom into a picture: a movie of the way, or a still of where it ends.

    Every frame is decoded for itself, so that depth costs nothing. A photo is first made of copies
    of itself; what a .clg file holds is shown as it is.

    collage zoom photo.jpg --center 0.45,0.3 -o zoom.mp4

    collage zoom photo.clg --factor 8 --size 1024x768 -o part.png
    """
    way = artwork.Zoom(center, factor, seconds, fps, size)
    artwork.check_output(output, overwrite)
    if codec not in ("tiles", "fractal", "neural"):
        raise typer.BadParameter(f"--codec {codec}: give tiles, fractal or neural")
    scene = _scene(image, codec, tiles)
    if output.suffix.lower() in artwork.MOVING:
        artwork.write_scene(scene, output, 1, way)
        return

    from neural_collage.art.zoom import zoom as path

    (still,) = path(scene, centre=way.centre, factor=factor, frames=1, size=way.pixels)
    artwork.write_picture(still, output)


def converge(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="A .clg file or a picture.", show_default=False)
    ],
    output: artwork.Output,
    start: Annotated[
        str, typer.Option(metavar="black|noise|FILE", help="What the first iterate is.")
    ] = "black",
    steps: Annotated[int, typer.Option(metavar="N", help="Applications of the map.")] = 10,
    fps: artwork.Fps = 24,
    seconds: Annotated[
        float, typer.Option(metavar="T", help="From one iterate to the next.")
    ] = 0.5,
    overwrite: options.Overwrite = False,
) -> None:
    """Show the iterates of a picture's map from anything to the picture.

    A photo is encoded with the fractal codec first.

    collage converge photo.jpg --start noise -o converge.mp4
    """
    artwork.check_output(output, overwrite)
    way = artwork.Zoom("0,0", 1, seconds, fps, "2")
    if output.suffix.lower() not in artwork.MOVING:
        raise typer.BadParameter(f"--output {output}: end it in {', '.join(artwork.MOVING)}")

    import torch

    from neural_collage.art.colours import read_colours, resized
    from neural_collage.art.convergence import film, iterates
    from neural_collage.art.movie import movie

    collage = _collage(image, "fractal")
    shape = (collage.channels, collage.height, collage.width)
    if start == "black":
        first = torch.zeros(shape)
    elif start == "noise":
        first = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    else:
        other = resized(read_colours(Path(start)), collage.height, collage.width)
        first = torch.cat([other, other.new_ones(1, *shape[1:])])[: shape[0]]
        if shape[0] < 3:
            first = torch.cat([other.mean(0, keepdim=True), other.new_ones(1, *shape[1:])])
            first = first[: shape[0]]
    pictures = iterates(collage, first, steps)
    count = (len(pictures) + 1) * way.frames
    with artwork.shown("drawing") as progress:
        frames = artwork.counted(film(pictures, way.frames), count, progress)
        artwork.write(output, movie(frames, output.suffix, fps))


def _collage(image: Path, codec: str) -> "CollageImage":
    from neural_collage.codec import api
    from neural_collage.codec.container import SUFFIX

    if image.suffix.lower() == SUFFIX:
        return api.load(image)
    with artwork.shown("encoding"):
        return api.encode(image, codec=codec, quality=75)


def _scene(image: Path, codec: str, tiles: int) -> "Scene":
    from neural_collage.codec.container import SUFFIX

    if codec != "tiles" or image.suffix.lower() == SUFFIX:
        return _collage(image, codec)

    from neural_collage.art.fractalize import Tiling, fractalize

    with artwork.shown("fitting") as progress:
        return fractalize(image, Tiling(tiles), progress)
