"""What the commands of art share: one picture or movie out, and the options of a zoom."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor

    from neural_collage.art.zoom import Scene

MOVING = (".mp4", ".gif", ".webp", ".apng")
"""Endings of movies; .webp of a single picture is written by `collage decompress`."""

Picture = Annotated[Path, typer.Argument(metavar="IMAGE", show_default=False)]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="A picture (.png, .jpg ...), or a movie (.mp4, .gif, .webp, .apng) of a zoom.",
        show_default=False,
    ),
]
Scale = Annotated[
    float, typer.Option(metavar="S", help="Size of the picture over that of IMAGE; any above 0.")
]
Center = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y",
        help="Where to, as parts of width and height: 0,0 is top left. By default where copies lie "
        "in one another, or the middle.",
        show_default=False,
    ),
]
Factor = Annotated[float, typer.Option(metavar="F", help="How deep, as a magnification.")]
Seconds = Annotated[float, typer.Option(metavar="T", help="Length of the movie.")]
Fps = Annotated[float, typer.Option(metavar="N", help="Frames a second.")]
Size = Annotated[str, typer.Option(metavar="N|WxH", help="Pixels of the movie.")]


@dataclass(frozen=True)
class Zoom:
    """The options of a zoom, as they were typed."""

    center: str | None
    factor: float
    seconds: float
    fps: float
    size: str

    @property
    def centre(self) -> tuple[float, float] | None:
        """Parts of width and height."""
        if self.center is None:
            return None
        try:
            x, y = (float(part) for part in self.center.split(","))
        except ValueError as error:
            raise typer.BadParameter(
                f"--center {self.center}: give two parts of width and height, as in 0.5,0.5"
            ) from error
        return x, y

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height."""
        try:
            sides = [int(part) for part in self.size.lower().split("x")]
            width, height = sides * 2 if len(sides) == 1 else sides
        except ValueError as error:
            raise typer.BadParameter(f"--size {self.size}: give N or WxH, as in 640x360") from error
        if not (2 <= width <= 8192 and 2 <= height <= 8192):
            raise typer.BadParameter(f"--size {self.size}: give 2 to 8192 pixels a side")
        return width, height

    @property
    def frames(self) -> int:
        """How many."""
        if not 0 < self.fps <= 240 or not 0 < self.seconds <= 3600:
            raise typer.BadParameter(
                f"--seconds {self.seconds:g}, --fps {self.fps:g}: give up to 3600 and up to 240"
            )
        return max(2, round(self.seconds * self.fps))


def check_output(output: Path, overwrite: bool, *, moving: bool = True) -> None:
    """Leave with code 1 if the output exists, and with 2 if it is of no known kind."""
    from neural_collage.io.reading import PICTURE_SUFFIXES

    known = (*PICTURE_SUFFIXES, *(MOVING if moving else ()))
    if output.suffix.lower() not in known:
        raise typer.BadParameter(f"--output {output}: end it in one of {', '.join(known)}")
    if output.exists() and not overwrite:
        typer.echo(f"collage: {output}: exists already: --overwrite replaces it", err=True)
        raise typer.Exit(1)
    if not output.absolute().parent.is_dir():
        typer.echo(f"collage: {output}: there is no such folder", err=True)
        raise typer.Exit(1)


def write_scene(scene: "Scene", output: Path, scale: float, zoom: Zoom) -> None:
    """A picture of the scene, or a movie of a way into it."""
    from neural_collage.art.movie import movie
    from neural_collage.art.zoom import zoom as way

    if output.suffix.lower() in MOVING:
        centre, size, frames = zoom.centre, zoom.pixels, zoom.frames
        film = way(scene, centre=centre, factor=zoom.factor, frames=frames, size=size)
        with shown("zooming") as progress:
            write(output, movie(counted(film, frames, progress), output.suffix, zoom.fps))
        return
    if not 0 < scale < float("inf"):
        raise typer.BadParameter(f"--scale {scale:g}: give a number above 0")
    write_picture(scene.decode(scale), output)


def write_picture(pixels: "Tensor", output: Path) -> None:
    """Write pixels (c, h, w) in [0, 1] as the picture that the ending says."""
    from neural_collage.io.writing import image_bytes, to_pil

    write(output, image_bytes(to_pil(pixels), output.suffix))


def write(output: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    from neural_collage.io.files import write_atomically

    write_atomically(output, data)


@contextmanager
def shown(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while something is done, if that is a terminal; call it with done and all."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def counted(
    film: "Iterator[Tensor]", frames: int, progress: Callable[[int, int], None]
) -> "Iterator[Tensor]":
    """Frames as they come, telling the progress."""
    for number, frame in enumerate(film):
        progress(number, frames)
        yield frame
