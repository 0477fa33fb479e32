"""Shared by the commands that write one picture or movie: their options, checks and outputs."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neural_collage.cli.support.reports import Reports

if TYPE_CHECKING:
    from torch import Tensor

    from neural_collage.art.zoom import Scene
    from neural_collage.core.arrays.averages import PixelArray

MOVING = (".mp4", ".gif", ".webp", ".apng")
"""Suffixes of movies; commands that write pictures or movies never write a still to these."""

ImageArgument = Annotated[Path, typer.Argument(metavar="IMAGE", show_default=False)]
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
        help="Target as fractions of width and height: 0,0 is top left. By default the point where "
        "copies contain one another, or the middle.",
        show_default=False,
    ),
]
Factor = Annotated[float, typer.Option(metavar="F", help="Magnification at the end.")]
Seconds = Annotated[float, typer.Option(metavar="T", help="Length of the movie.")]
Fps = Annotated[float, typer.Option(metavar="N", help="Frames per second.")]
Size = Annotated[str, typer.Option(metavar="N|WxH", help="Pixels of the movie.")]


@dataclass(frozen=True)
class Zoom:
    """A zoom as the options of a command describe it.

    Attributes:
        centre: x and y as fractions of width and height; None for the scene's default.
        factor: magnification at the end.
        frames: number of frames. fps: frames per second.
        size: width and height of the frames, in pixels.
    """

    centre: tuple[float, float] | None
    factor: float
    frames: int
    fps: float
    size: tuple[int, int]


def parse_zoom(center: str | None, factor: float, seconds: float, fps: float, size: str) -> Zoom:
    """The zoom that the values of --center, --factor, --seconds, --fps and --size describe.

    Raises:
        typer.BadParameter: a value has the wrong form or is out of range.
    """
    frames = frame_count(seconds, fps)
    return Zoom(parse_center(center), factor, frames, fps, parse_size(size))


def parse_center(text: str | None) -> tuple[float, float] | None:
    """Fractions of width and height from the value of --center, such as "0.5,0.5"."""
    if text is None:
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"--center {text}: give two fractions of width and height, as in 0.5,0.5"
        ) from error
    return x, y


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from the value of --size: "640x360", or "512" for a square."""
    try:
        sides = [int(part) for part in text.lower().split("x")]
        width, height = sides * 2 if len(sides) == 1 else sides
    except ValueError as error:
        raise typer.BadParameter(f"--size {text}: give N or WxH, as in 640x360") from error
    if not (2 <= width <= 8192 and 2 <= height <= 8192):
        raise typer.BadParameter(f"--size {text}: give 2 to 8192 pixels a side")
    return width, height


def frame_count(seconds: float, fps: float) -> int:
    """Number of frames of a movie from --seconds and --fps; at least 2."""
    if not 0 < fps <= 240 or not 0 < seconds <= 3600:
        raise typer.BadParameter(
            f"--seconds {seconds:g}, --fps {fps:g}: give up to 3600 and up to 240"
        )
    return max(2, round(seconds * fps))


@dataclass(frozen=True)
class Writer:
    """Where the one output of a command goes, and how the command reports it.

    started: when the command began, by `time.perf_counter`.
    """

    output: Path
    reports: Reports
    started: float

    @property
    def is_moving(self) -> bool:
        """Whether the output is a movie."""
        return self.output.suffix.lower() in MOVING

    def progress(self, description: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A progress bar, as `progress.step_progress`."""
        from neural_collage.cli.support.progress import step_progress

        return step_progress(description, quiet=self.reports.quiet)

    def scene(self, scene: "Scene", scale: float, zoom: Zoom) -> None:
        """Write a scene as a picture at a scale, or a zoom into it as a movie, by the suffix."""
        if not self.is_moving:
            self.picture(scene.decode(scale))
            return

        from neural_collage.art.zoom import zoom as zoom_frames

        frames = zoom_frames(
            scene, centre=zoom.centre, factor=zoom.factor, frames=zoom.frames, size=zoom.size
        )
        self.movie(frames, zoom.frames, zoom.fps, "zooming")

    def movie(self, frames: "Iterator[Tensor]", count: int, fps: float, description: str) -> None:
        """Write `count` frames (c, h, w) in [0, 1] as a movie, and show the progress meanwhile."""
        from neural_collage.art.movie import movie

        size = [0, 0]

        def counted() -> "Iterator[Tensor]":
            for number, frame in enumerate(frames):
                progress(number, count)
                size[:] = frame.shape[2], frame.shape[1]
                yield frame

        with self.progress(description) as progress:
            data = movie(counted(), self.output.suffix, fps)
        self.write(data, size[0], size[1], frames=count)

    def picture(self, pixels: "PixelArray | Tensor") -> None:
        """Write pixels (c, h, w) in [0, 1] as a picture of the format that the suffix names."""
        from neural_collage.io.writing import image_bytes, to_pil

        image = to_pil(pixels)
        self.write(image_bytes(image, self.output.suffix), image.width, image.height)

    def write(self, data: bytes, width: int, height: int, frames: int | None = None) -> None:
        """Write a file atomically, and report it.

        width, height: of its pictures, in pixels. frames: their number in a movie.
        """
        from neural_collage.io.files import write_atomically

        write_atomically(self.output, data)
        seconds = time.perf_counter() - self.started
        facts: dict[str, Any] = {
            "output": str(self.output),
            "bytes": len(data),
            "width": width,
            "height": height,
            "seconds": seconds,
        }
        parts = [str(self.output), f"{width} x {height}", f"{len(data):,} bytes"]
        if frames is not None:
            facts["frames"] = frames
            parts.append(f"{frames} frames")
        self.reports.result(facts, "  ".join([*parts, f"{seconds:.2f} s"]))


def open_output(
    output: Path, overwrite: bool, *, quiet: bool, json: bool, moving: bool = True
) -> Writer:
    """What writes the output of a command, after a check that it can be written.

    quiet, json: how to report it. moving: whether movies are allowed.

    Raises:
        typer.BadParameter: its suffix is not one of a supported format.
        typer.Exit: with code 1, if it exists and `overwrite` is not set, or its folder is missing.
    """
    from neural_collage.io.modes import PICTURE_SUFFIXES

    allowed = dict.fromkeys((*PICTURE_SUFFIXES, *(MOVING if moving else ())))
    if output.suffix.lower() not in allowed:
        raise typer.BadParameter(f"--output {output}: end it in one of {', '.join(allowed)}")
    if output.exists() and not overwrite:
        typer.echo(f"collage: {output}: exists already: --overwrite replaces it", err=True)
        raise typer.Exit(1)
    if not output.absolute().parent.is_dir():
        typer.echo(f"collage: {output}: there is no such folder", err=True)
        raise typer.Exit(1)
    return Writer(output, Reports(as_json=json, quiet=quiet), time.perf_counter())
