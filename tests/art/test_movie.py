"""Movie files, decoded frame by frame."""

import io
import sys

import av
import pytest
import torch
from PIL import Image
from torch import Tensor

import neural_collage as nc
from neural_collage.art.movie import there_and_back


def frames(count: int = 4, height: int = 32, width: int = 48, channels: int = 3) -> list[Tensor]:
    """Greys from black to white."""
    return [torch.full((channels, height, width), n / (count - 1)) for n in range(count)]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng"])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_animation_has_its_frames_and_durations_and_loops(suffix: str, channels: int) -> None:
    image = Image.open(io.BytesIO(nc.movie(frames(channels=channels), suffix, fps=20)))
    assert getattr(image, "n_frames", 1) == 4
    assert image.info.get("loop") == 0
    levels = []
    for number in range(4):
        image.seek(number)
        levels.append(image.convert("L").getpixel((4, 4)))
    assert levels == pytest.approx([0, 85, 170, 255], abs=3)
    assert image.info["duration"] == 50


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_mp4_has_the_frames_the_rate_and_even_sides(channels: int) -> None:
    data = nc.movie(frames(9, 33, 49, channels), ".MP4", fps=25)
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 25
        shown = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
    assert [f.shape for f in shown] == [(32, 48, 3)] * 9
    for number, picture in enumerate(shown):
        assert abs(picture.astype(int) - round(255 * number / 8)).max() < 8


def test_an_mp4_keeps_colours() -> None:
    red = torch.zeros(3, 32, 32)
    red[0] = 1
    with av.open(io.BytesIO(nc.movie([red] * 3, ".mp4")), "r") as container:
        first = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert first.reshape(-1, 3).mean(0) == pytest.approx([255, 0, 0], abs=8)


def test_a_movie_consumes_an_iterator_of_frames_once() -> None:
    taken = []

    def generate() -> object:
        for number, frame in enumerate(frames(50, 64, 64)):
            taken.append(number)
            yield frame

    data = nc.movie(generate(), ".mp4")  # type: ignore[arg-type]
    assert taken == list(range(50))
    assert len(data) > 1000


def test_there_and_back_omits_the_repeated_ends() -> None:
    levels = [float(f.mean()) for f in there_and_back(iter(frames(4)))]
    assert levels == pytest.approx([0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3])
    assert len(list(there_and_back(frames(4)[:1]))) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_movie_without_frames_is_refused(suffix: str) -> None:
    with pytest.raises(nc.OutputError, match="at least one frame"):
        nc.movie([], suffix)


def test_unknown_formats_and_rates_are_refused() -> None:
    with pytest.raises(nc.OutputError, match=r"\.mp4, \.gif, \.webp, \.apng files, not \.avi"):
        nc.movie(frames(), ".avi")
    for fps in (0, -1, 1e9):
        with pytest.raises(nc.OutputError, match="frames a second"):
            nc.movie(frames(), ".gif", fps)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(nc.MissingExtraError, match=r"neural-collage\[video\]"):
        nc.movie(frames(), ".mp4")
