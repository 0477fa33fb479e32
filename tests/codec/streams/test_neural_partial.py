"""Files that break off: the picture becomes finer the more of it there is."""

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

import neural_collage as nc
from neural_collage.codec.container import pack_file, unpack_start
from neural_collage.codec.streams.neural import LINKED, SEGMENTED
from neural_collage.core.arrays.averages import PixelArray
from tests.codec.graphics.drawings import text
from tests.codec.streams.neural import encode, with_links
from tests.codec.streams.segmented import Parts, decoder_for, grid_of
from tests.pictures import photo_crop, psnr, texture

pytestmark = pytest.mark.usefixtures("small_tiles")
CRC_BYTES = 4


@cache
def file(channels: int = 3) -> bytes:
    """Of four tiles, which it has within the tests alone."""
    data = encode(photo_or_texture(channels), 40).to_bytes()
    assert nc.CollageImage.from_bytes(data).payload[0] == SEGMENTED
    return data


def photo_or_texture(channels: int) -> torch.Tensor:
    return photo_crop(80) if channels == 3 else texture(80, 80, channels)


def shown(data: bytes, length: int, scale: float = 1) -> PixelArray | None:
    """What there is of the start of a file; None if there is nothing yet."""
    try:
        decoded = nc.decompress(data[:length], scale=scale, partial=True)
    except nc.CollageFormatError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
        return None
    assert bool(((decoded >= 0) & (decoded <= 1)).all())
    return decoded


def ends_of_segments(data: bytes) -> Iterator[int]:
    """The lengths of a file at which the table and then each segment are there."""
    image = nc.CollageImage.from_bytes(data)
    parts = Parts.of(image)
    all_segments = [*(s for of_group in parts.segments for s in of_group), parts.links]
    left = sum(map(len, all_segments)) + CRC_BYTES
    yield len(data) - left
    for segment in all_segments:
        left -= len(segment)
        yield len(data) - left


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_length_is_a_picture_or_refused(channels: int) -> None:
    """A picture from the end of the table on, and each segment changes it where it is complete."""
    data = file(channels)
    ends = list(ends_of_segments(data))
    step = 1 if channels == 3 else 7
    lengths = sorted({*range(0, len(data), step), *ends, *(end - 1 for end in ends)})
    before: PixelArray | None = None
    for previous, length in pairwise([-1, *lengths]):
        decoded = shown(data, length)
        assert (decoded is None) == (length < ends[0])
        if decoded is not None:
            assert decoded.shape == (channels, 80, 80)
        if not any(previous < end <= length for end in ends):
            same = decoded is not None and before is not None and np.array_equal(decoded, before)
            assert same or decoded is before is None
        before = decoded
    assert before is not None
    np.testing.assert_array_equal(before, nc.decompress(data), strict=True)


def test_a_picture_is_grey_and_then_ever_finer() -> None:
    data, picture = file(), photo_or_texture(3)
    start, *ends = ends_of_segments(data)
    grey = shown(data, start)
    assert grey is not None
    np.testing.assert_array_equal(grey, np.full_like(grey, 0.5))
    n_tiles = len(grid_of(nc.CollageImage.from_bytes(data)).tiles)
    stages = [shown(data, end) for end in (start, *ends[n_tiles - 1 :: n_tiles])]
    fidelities = [psnr(stage, picture) for stage in stages if stage is not None]
    assert len(fidelities) == 1 + len(decoder_for(nc.CollageImage.from_bytes(data)).model.groups)
    assert fidelities == sorted(set(fidelities))


def test_a_segment_shows_in_its_tile_alone() -> None:
    """But for the half of a range that patches reach beyond it."""
    data = file()
    image = nc.CollageImage.from_bytes(data)
    start, *ends = ends_of_segments(data)
    tiles = grid_of(image).tiles
    for number, (before, after) in enumerate(zip((start, *ends), ends, strict=False)):
        first, second = shown(data, before), shown(data, after)
        assert first is not None
        assert second is not None
        changed = (first != second).any(0)
        if number + 1 == len(ends):  # of links, of which there are none
            assert not changed.any()
            continue
        tile = tiles[number % len(tiles)]
        assert changed.any()
        rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
        assert 16 * tile.top - 8 <= rows[0]
        assert rows[-1] < 16 * (tile.top + tile.rows) + 8
        assert 16 * tile.left - 8 <= columns[0]
        assert columns[-1] < 16 * (tile.left + tile.columns) + 8


def test_the_first_groups_are_a_complete_small_picture() -> None:
    data = encode(photo_or_texture(3), 40, tune="psnr").to_bytes()
    _, *ends = ends_of_segments(data)
    n_tiles = len(grid_of(nc.CollageImage.from_bytes(data)).tiles)
    for scale, groups in ((1 / 16, 2), (1 / 8, 3)):
        length = ends[groups * n_tiles - 1]
        assert length < 0.9 * len(data)
        expected = nc.decompress(data, scale=scale)
        found, less = (shown(data, end, scale) for end in (length, length - 1))
        assert found is not None
        assert less is not None
        np.testing.assert_array_equal(found, expected, strict=True)
        assert not np.array_equal(less, expected)


def test_windows_of_a_partial_file_are_crops_of_it() -> None:
    data = file()
    ends = list(ends_of_segments(data))
    length = ends[len(ends) // 2] + 1
    for scale in (0.5, 1, 2):
        whole = nc.decompress(data[:length], scale=scale, partial=True)
        for x, y, w, h in ((0, 0, 20, 11), (23, 30, 17, 10), (39, 0, 1, 40)):
            part = nc.decompress(data[:length], scale=scale, region=(x, y, w, h), partial=True)
            expected = whole[:, y : y + h, x : x + w]
            np.testing.assert_allclose(part, expected, atol=1e-5, rtol=0, strict=True)


def test_a_complete_file_is_the_same_whether_it_may_break_off_or_not() -> None:
    data = file()
    image = nc.CollageImage.from_bytes(data, partial=True)
    assert image == nc.CollageImage.from_bytes(data)
    assert image.missing == 0
    assert image.to_bytes() == data
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    for altered in (damaged, data + b"x"):
        with pytest.raises(nc.CollageFormatError):
            nc.CollageImage.from_bytes(altered, partial=True)


def test_a_partial_file_knows_what_it_lacks() -> None:
    data = file()
    for missing in (1, 30, 200):
        image = nc.CollageImage.from_bytes(data[: -CRC_BYTES - missing], partial=True)
        assert image.missing == missing
        assert image.decode().shape == (3, 80, 80)
        with pytest.raises(nc.CollageFormatError, match=f"{missing} bytes are missing"):
            image.to_bytes()
    header, payload, missing = unpack_start(data[:-1])
    assert pack_file(header, payload) == data  # all but a byte of the checksum
    assert missing == 0


def test_a_partial_file_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    data = file()[:-100]
    (tmp_path / "x.clg").write_bytes(data)
    for read in (
        lambda: nc.decompress(data),
        lambda: nc.CollageImage.from_bytes(data),
        lambda: nc.load(tmp_path / "x.clg"),
    ):
        with pytest.raises(nc.CollageFormatError, match="truncated"):
            read()
    loaded = nc.load(tmp_path / "x.clg", partial=True)
    np.testing.assert_array_equal(loaded.decode(), nc.decompress(data, partial=True), strict=True)


@pytest.mark.parametrize("codec", ["neural", "fractal", "poli2022"])
def test_files_without_a_coarse_part_are_refused(codec: str) -> None:
    """Short ones of one tile, and those of other codecs."""
    picture = photo_crop(32)
    image = nc.encode(picture, codec=codec, graphics=False)
    assert codec != "neural" or image.payload[0] == 0
    data = image.to_bytes()
    for length in range(0, len(data) - CRC_BYTES, 3):
        with pytest.raises(nc.CollageFormatError, match=r"truncated|empty|not a \.clg file"):
            nc.decompress(data[:length], partial=True)
    complete = nc.decompress(data[:-1], partial=True)  # but for its checksum
    np.testing.assert_array_equal(complete, nc.decompress(data), strict=True)


def test_a_graphics_layer_over_a_partial_base_is_exact() -> None:
    picture = torch.cat([photo_crop(96, 20, 200), torch.cat([text(), text()], 1)[:, :96]], 2)
    image = nc.encode(picture, quality=60, codec="neural", effort=0)
    assert image.graphics is not None
    assert image.payload[0] == SEGMENTED
    data = image.to_bytes()
    partial = nc.CollageImage.from_bytes(data[: -len(image.payload) // 2], partial=True)
    decoded, whole = partial.decode(), image.decode()
    owned = image.graphics.pixel_modes != 0
    assert 0.2 < owned.mean() < 0.9
    np.testing.assert_array_equal(decoded[:, owned], whole[:, owned])
    assert not np.array_equal(decoded, whole)


def test_a_linked_picture_without_its_links_is_its_texture(rng: np.random.Generator) -> None:
    image = with_links(photo_crop(80), rng)
    assert image.payload[0] == LINKED | SEGMENTED
    links = Parts.of(image).links
    data = image.to_bytes()
    whole = nc.decompress(data)
    decoded = nc.decompress(data[: -CRC_BYTES - len(links) // 2], partial=True)
    texture_alone = nc.CollageImage(
        image.header, bytes([SEGMENTED]) + image.payload[1 : len(image.payload) - len(links)]
    )
    np.testing.assert_array_equal(decoded, texture_alone.decode(), strict=True)
    assert not np.array_equal(decoded, whole)


def test_pillow_shows_what_there_is_if_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file()[:-150]
    with pytest.raises(OSError, match="truncated"):
        Image.open(BytesIO(data))
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with Image.open(BytesIO(data)) as image:
        found = np.asarray(image)
    expected = nc.CollageImage.from_bytes(data, partial=True).to_pil()
    np.testing.assert_array_equal(found, np.asarray(expected), strict=True)
    with Image.open(BytesIO(file())) as image:
        complete = nc.CollageImage.from_bytes(file()).to_pil()
        np.testing.assert_array_equal(np.asarray(image), np.asarray(complete), strict=True)
