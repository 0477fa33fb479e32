"""`collage zoom`: a zoom into a picture; `collage converge`: the iterates of its map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from neural_collage.cli.support import artwork, options

if TYPE_CHECKING:
    from neural_collage.art.zoom import Scene
    from neural_collage.codec.image import CollageImage

Codec = Annotated[
    Literal["tiles", "fractal", "neural"],
    typer.Option(
        help="How to encode a picture that is no .clg file: as copies of itself (tiles), or with "
        "the fractal or neural codec.",
    ),
]


def zoom(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="A .clg file or a picture.", show_default=False)
    ],
    output: artwork.Output,
    codec: Codec = "tiles",
    tiles: Annotated[int, typer.Option(metavar="N", help="Tiles across, for --codec tiles.")] = 64,
    center: artwork.Center = None,
    factor: artwork.Factor = 4096,
    seconds: artwork.Seconds = 5,
    fps: artwork.Fps = 30,
    size: artwork.Size = "512",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Zoom into a picture: a movie, or a still of its last frame.

    Every frame is decoded separately, so the cost does not grow with depth. A photo is first made
    of copies of itself; a .clg file is decoded as it is.

    collage zoom photo.jpg --center 0.45,0.3 -o zoom.mp4

    collage zoom photo.clg --factor 8 --size 1024x768 -o part.png
    """
    path = artwork.parse_zoom(center, factor, seconds, fps, size)
    writer = artwork.open_output(output, overwrite, quiet=quiet, json=json)
    scene = _scene(image, codec, tiles, writer)
    if writer.is_moving:
        writer.scene(scene, 1, path)
        return

    from neural_collage.art.zoom import zoom as zoom_frames

    (still,) = zoom_frames(scene, centre=path.centre, factor=factor, frames=1, size=path.size)
    writer.picture(still)


def converge(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="A .clg file or a picture.", show_default=False)
    ],
    output: artwork.Output,
    start: Annotated[
        str, typer.Option(metavar="black|noise|FILE", help="The first iterate.")
    ] = "black",
    steps: Annotated[int, typer.Option(metavar="N", help="Applications of the map.")] = 10,
    fps: artwork.Fps = 24,
    seconds: Annotated[
        float, typer.Option(metavar="T", help="Time from one iterate to the next.")
    ] = 0.5,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Show how the iterates of a picture's map converge to the picture from any start.

    A photo is encoded with the fractal codec first.

    collage converge photo.jpg --start noise -o converge.mp4
    """
    writer = artwork.open_output(output, overwrite, quiet=quiet, json=json)
    frames = artwork.frame_count(seconds, fps)
    if not writer.is_moving:
        raise typer.BadParameter(f"--output {output}: end it in {', '.join(artwork.MOVING)}")

    import torch

    from neural_collage.art.colours import read_colours, resized
    from neural_collage.art.convergence import crossfade_frames, iterates

    collage = _collage(image, "fractal", writer)
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
    count = (len(pictures) + 1) * frames
    writer.movie(crossfade_frames(pictures, frames), count, fps, "drawing")


def _collage(image: Path, codec: str, writer: artwork.Writer) -> "CollageImage":
    from neural_collage.codec import api
    from neural_collage.codec.container import SUFFIX

    if image.suffix.lower() == SUFFIX:
        return api.load(image)

    with writer.progress("encoding"):
        return api.encode(image, codec=codec, quality=75, graphics=False)


def _scene(image: Path, codec: str, tiles: int, writer: artwork.Writer) -> "Scene":
    from neural_collage.codec.container import SUFFIX

    if codec != "tiles" or image.suffix.lower() == SUFFIX:
        return _collage(image, codec, writer)

    from neural_collage.art.fractalize import Tiling, fractalize

    with writer.progress("fitting") as progress:
        return fractalize(image, Tiling(tiles), progress)
