"""The decoder of pages makes the pixels that the package makes, and refuses what it refuses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neural_collage as nc
from neural_collage.codec.container import Header, pack_file
from neural_collage.codec.graphics.syntax import write_layer
from neural_collage.codec.image import CollageImage
from neural_collage.codec.weights import shipped_weights
from tests.codec import make_golden
from tests.codec.test_contents import layer
from tests.conformance.decode import FOLDER
from tests.conformance.make import NAMES
from tests.conformance.test_reference_neural import (
    HEADER,
    header_of,
    random_runs,
    small_runs,
    with_table,
    written,
)
from tests.viewer.pages import (
    Levels,
    levels_of,
    needs_node,
    page_of,
    picture_of,
    pixels_of,
    run_page,
    shown,
)

pytestmark = needs_node
DECODED_BEFOREHAND = [name for name in NAMES if name.startswith(("fractal", "poli2022"))]
DECODED_BEFOREHAND += ["graphics-empty", "graphics-fractal", "metadata", "neural-links"]
DECODED_IN_PAGE = [name for name in NAMES if name not in DECODED_BEFOREHAND]


def messages_of(path: Path, folder: Path, *options: str) -> list[dict[str, Any]]:
    page = folder / "page.html"
    page.write_bytes(page_of(path))
    return run_page(page, *options)


@pytest.mark.parametrize("name", DECODED_IN_PAGE)
def test_files_of_the_conformance_set_are_decoded_exactly_alike(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.clg"
    messages = messages_of(path, tmp_path)
    assert messages[-1]["done"]
    assert not any("png" in message for message in messages)
    np.testing.assert_array_equal(shown(messages), levels_of(nc.load(path)), strict=True)


def test_golden_files_are_decoded_exactly_alike(tmp_path: Path) -> None:
    path = make_golden.NEURAL["natural-psnr"]
    np.testing.assert_array_equal(shown(messages_of(path, tmp_path)), levels_of(nc.load(path)))


@pytest.mark.parametrize("name", ["fractal-alpha", "neural-links", "poli2022-grey"])
def test_what_it_does_not_know_was_decoded_beforehand(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.clg"
    (png,) = messages_of(path, tmp_path)
    expected = nc.load(path).to_pil()
    assert picture_of(png["png"]).mode == expected.mode
    np.testing.assert_array_equal(np.asarray(picture_of(png["png"])), np.asarray(expected))


@pytest.mark.parametrize("octave", [1, 2])
@pytest.mark.parametrize("name", ["neural-grey-alpha", "graphics-neural"])
def test_windows_of_octaves_are_those_without_detail(
    name: str, octave: int, tmp_path: Path
) -> None:
    path = FOLDER / f"{name}.clg"
    expected = levels_of(nc.load(path), 2**octave)
    height, width, _ = expected.shape
    for top, left, bottom, right in ((0, 0, height, width), (3, 5, height - 2, width - 7)):
        window = f"{octave},{top},{left},{bottom - top},{right - left}"
        *_, answer = messages_of(path, tmp_path, "--window", window)
        pixels = pixels_of(answer["window"]["bytes"], right - left)
        np.testing.assert_array_equal(pixels, expected[top:bottom, left:right])


@pytest.mark.parametrize("name", ["graphics-grey", "neural-adaptive-alpha"])
def test_pictures_are_saved_exactly(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.clg"
    *_, answer = messages_of(path, tmp_path, "--png")
    expected = nc.load(path).to_pil()
    assert picture_of(answer["png"]).mode == expected.mode
    np.testing.assert_array_equal(np.asarray(picture_of(answer["png"])), np.asarray(expected))


def test_colour_profiles_are_kept_and_left_to_the_browser(tmp_path: Path) -> None:
    source = nc.load(FOLDER / "graphics-icon.clg")
    header = Header(**{**vars(source.header), "icc_profile": b"a profile"})
    path = tmp_path / "x.clg"
    path.write_bytes(pack_file(header, source.payload))
    messages = messages_of(path, tmp_path)
    (png,) = [message["png"] for message in messages if "png" in message]
    assert not any("lines" in message for message in messages)
    assert picture_of(png).info["icc_profile"] == b"a profile"
    np.testing.assert_array_equal(np.asarray(picture_of(png)), np.asarray(source.to_pil()))


def outcomes(files: Sequence[bytes], page_of_file: bytes, folder: Path) -> list[Levels | None]:
    """What the decoder of a page makes of files of the same weights; None for those it refuses.

    Raises AssertionError for an error that does not say that the file is damaged.
    """
    page = folder / "page.html"
    template = folder / "template.clg"
    template.write_bytes(page_of_file)
    page.write_bytes(page_of(template))
    paths = [folder / f"{number}.clg" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    answers = run_page(page, "--files", *map(str, paths))
    assert all("bytes" in answer or answer["isDamaged"] for answer in answers), answers
    widths = [CollageImage.from_bytes(data).width for data in files]
    return [
        pixels_of(answer["bytes"], width) if "bytes" in answer else None
        for answer, width in zip(answers, widths, strict=True)
    ]


def assert_alike(files: Sequence[bytes], page_of_file: bytes, folder: Path) -> int:
    """That both decoders make the same of each file; returns how many are refused by both."""
    refused = 0
    for data, pixels in zip(files, outcomes(files, page_of_file, folder), strict=True):
        image = CollageImage.from_bytes(data)
        try:
            expected = levels_of(image)
        except nc.CollageFormatError:
            refused += 1
            assert pixels is None
        else:
            assert pixels is not None
            np.testing.assert_array_equal(pixels, expected, strict=True)
    return refused


@pytest.mark.parametrize("segmented", [False, True], ids=["one stream", "segments"])
def test_damaged_payloads_are_refused_or_decoded_alike(
    segmented: bool, rng: np.random.Generator, tmp_path: Path
) -> None:
    """Coefficients of random size, too: escapes, and numbers kept within limits."""
    runs = small_runs(rng)
    if segmented:
        payload = with_table([*(written(part, "natural") for part in runs), b""])
    else:
        payload = b"\0" + written([run for part in runs for run in part], "natural")
    payloads = [payload, payload[:1], payload[:-1], payload + b"\1", payload + b"\0"]
    for _ in range(40):
        damaged = bytearray(payload)
        damaged[int(rng.integers(1, len(damaged)))] ^= 1 << int(rng.integers(8))
        payloads.append(bytes(damaged))
    files = [pack_file(HEADER, payload) for payload in payloads]
    assert assert_alike(files, files[0], tmp_path) > 3


@pytest.mark.parametrize("name", ["neural-precise-grey", "neural-precise-tiles"])
def test_damaged_precision_layers_are_refused_or_decoded_alike(
    name: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    source = nc.load(FOLDER / f"{name}.clg")
    whole = source.payload
    payloads = [whole, whole[:3], whole[:1] + bytes(3) + whole[4:], whole + b"\1"]
    payloads.append(bytes([whole[0] | 1]) + whole[1:])  # links, too
    for first in (2, len(whole) // 2):
        for _ in range(6):
            damaged = bytearray(whole)
            damaged[int(rng.integers(first, len(damaged)))] ^= 1 << int(rng.integers(8))
            payloads.append(bytes(damaged))
    files = [pack_file(source.header, payload) for payload in payloads]
    assert assert_alike(files, files[0], tmp_path) > 3


@pytest.mark.parametrize(("size", "channels"), [((17, 100), 4), ((60, 35), 1)], ids=str)
def test_what_no_encoder_writes_is_decoded_alike(
    size: tuple[int, int], channels: int, rng: np.random.Generator, tmp_path: Path
) -> None:
    rows, columns = (-(-side // 16) for side in size)
    runs = [random_runs(rows, columns, 80, "aerial", rng) for _ in range(2 - channels % 2)]
    flat = [run for tile in runs for part in tile for run in part]
    header = header_of(*size, channels, 80, shipped_weights("aerial").model)
    data = pack_file(header, b"\0" + written(flat, "aerial"))
    assert assert_alike([data], data, tmp_path) == 0


def test_damaged_graphics_layers_are_refused_or_decoded_alike(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    source = nc.load(FOLDER / "graphics-icon.clg")
    stream = source.header.graphics
    assert stream is not None
    streams = [stream, b"", b"\x65", stream[:-1], stream + b"\1", write_layer(layer(), 40)]
    for _ in range(40):
        damaged = bytearray(stream)
        damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
        streams.append(bytes(damaged))
    template = (FOLDER / "graphics-neural.clg").read_bytes()
    headers = [Header(**{**vars(source.header), "graphics": one}) for one in streams]
    files = [pack_file(header, b"") for header in headers]
    assert assert_alike(files, template, tmp_path) > 3
