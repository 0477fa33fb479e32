"""Movie files: MP4 by PyAV, GIF, WebP and APNG by Pillow."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from itertools import chain
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.errors import OutputError
from neural_collage.extras import needs_extra
from neural_collage.io.writing import to_pil

ANIMATIONS = {".gif": "GIF", ".webp": "WEBP", ".apng": "PNG"}
"""Pillow's formats by file suffix."""
MOVIES = (".mp4", *ANIMATIONS)
"""Suffixes of movie files."""
_Frame = TypeVar("_Frame")


def movie(frames: Iterable[Float[Tensor, "c h w"]], suffix: str, fps: float = 30) -> bytes:
    """The bytes of a movie file; GIF, WebP and APNG loop for ever.

    frames: images in [0, 1], all of one size, consumed one at a time. MP4 has no alpha and even
        sides only: alpha and an odd last row or column are dropped.
    suffix: one of `MOVIES`. fps: frames per second; GIF rounds durations to hundredths.

    Raises:
        OutputError: another format, no frames, or a frame rate outside (0, 240].
        MissingExtraError: MP4 without PyAV.
    """
    suffix = suffix.lower()
    if suffix not in MOVIES:
        raise OutputError(f"movies are {', '.join(MOVIES)} files, not {suffix or 'a bare name'}")
    if not 0 < fps <= 240:
        raise OutputError(f"a movie shows more than 0 and up to 240 frames a second, not {fps:g}")
    return _mp4(frames, fps) if suffix == ".mp4" else _animation(frames, ANIMATIONS[suffix], fps)


def there_and_back(
    frames: Iterable[Float[Tensor, "c h w"]],
) -> Iterator[Float[Tensor, "c h w"]]:
    """Frames forwards, then backwards, so that they loop without a jump."""
    kept = []
    for frame in frames:
        kept.append(frame)
        yield frame
    yield from kept[-2:0:-1]


def _animation(frames: Iterable[Float[Tensor, "c h w"]], kind: str, fps: float) -> bytes:
    images = (to_pil(frame) for frame in frames)
    file = BytesIO()
    first = _first(images)
    others = list(images) if kind == "PNG" else images  # Pillow iterates over them twice
    first.save(file, kind, save_all=True, append_images=others, duration=round(1000 / fps), loop=0)
    return file.getvalue()


def _mp4(frames: Iterable[Float[Tensor, "c h w"]], fps: float) -> bytes:
    with needs_extra("video"):
        import av
    frames = iter(frames)
    first = _first(frames)
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", Fraction(fps).limit_denominator(1000))
        stream.height, stream.width = (max(2, side // 2 * 2) for side in first.shape[1:])
        stream.pix_fmt = "yuv420p"  # the format that all players support
        stream.options = {"crf": "18", "preset": "veryfast"}
        for pixels in chain([first], frames):
            cropped = pixels[:3, : stream.height, : stream.width].expand(3, -1, -1)
            rgb = (cropped.permute(1, 2, 0) * 255).round().to(torch.uint8).contiguous()
            for packet in stream.encode(av.VideoFrame.from_ndarray(rgb.numpy(), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return file.getvalue()


def _first(frames: Iterator[_Frame]) -> _Frame:
    for frame in frames:
        return frame
    raise OutputError("a movie needs at least one frame")
