"""Pages: what is packed into them, and what they hold."""

import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import neural_collage as nc
from neural_collage.codec.container import ModelId, pack_file
from neural_collage.codec.image import CollageImage
from neural_collage.codec.weights import shipped_weights
from neural_collage.models.arrays_file import read_arrays
from neural_collage.viewer.decoder_weights import decoder_numbers, pack_numbers
from neural_collage.viewer.page import content_of, make_page
from neural_collage.viewer.text_packing import pack_text
from tests.conformance.decode import FOLDER
from tests.root import ROOT

FOR_DECODING = re.compile(
    r"compressor\.(entropy\.(?!side_analysis)|patches)|counts|steps|logarithms"
)


def page_of(data: bytes, name: str = "x.clg", alt: str | None = None) -> str:
    page = make_page(CollageImage.from_bytes(data), data, name, alt)
    assert page.startswith(b"\xff\xfe")
    return page.decode("utf-16")


@pytest.mark.parametrize("count", [*range(20), 1000])
def test_text_holds_fifteen_bits_a_character(count: int, rng: np.random.Generator) -> None:
    data = rng.bytes(count)
    text = pack_text(data)
    assert len(text) == -(-8 * count // 15)
    assert all(0x3000 <= ord(character) < 0xB000 for character in text)
    bits = "".join(f"{ord(character) - 0x3000:015b}" for character in text)
    assert bits[: 8 * count] == "".join(f"{byte:08b}" for byte in data)
    assert "1" not in bits[8 * count :]


def test_numbers_are_packed_in_as_few_bytes_as_they_need() -> None:
    tensors = {
        "small": np.array([-128, 127]),
        "none": np.zeros(0, np.int64),
        "larger": np.array([[128, -129], [0, 1]]),
        "largest": np.array([-(1 << 31), (1 << 31) - 1]),
    }
    packed = pack_numbers(tensors)
    assert packed.index == (("small", 1, 2), ("none", 1, 0), ("larger", 2, 4), ("largest", 4, 2))
    data, position = zlib.decompress(packed.data), 0
    for name, width, count in packed.index:
        planes = np.frombuffer(data, np.uint8, width * count, position).reshape(width, count)
        position += width * count
        numbers = [int.from_bytes(bytes(one), "little", signed=True) for one in planes.T]
        assert numbers == tensors[name].ravel().tolist()
    assert position == len(data)
    with pytest.raises(ValueError, match="wide holds numbers of more than four bytes"):
        pack_numbers({"wide": np.array([1 << 31])})


@pytest.mark.parametrize("name", ["natural", "aerial"])
def test_what_decoding_needs_takes_less_than_its_tensors_do(name: str) -> None:
    weights = shipped_weights(name)
    arrays = read_arrays(weights.data).items()
    needed = b"".join(array.tobytes() for key, array in arrays if FOR_DECODING.match(key))
    packed = pack_numbers(decoder_numbers(weights, 50))
    assert len(packed.data) < len(zlib.compress(needed, 9))


def test_a_page_is_little_larger_than_the_weights_and_the_file() -> None:
    data = (FOLDER / "neural-segments.clg").read_bytes()
    image = CollageImage.from_bytes(data)
    content = content_of(image, data)
    assert content.weights is not None
    held = len(data) + len(content.weights.data)
    assert len(make_page(image, data, "x.clg")) < 1.25 * held


class References(HTMLParser):
    """What a page asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [str(value) for name, value in attributes if name in ("src", "href")]


@pytest.mark.parametrize("name", ["graphics-icon", "fractal-pixel"])
def test_a_page_refers_to_nothing_outside(name: str) -> None:
    text = page_of((FOLDER / f"{name}.clg").read_bytes())
    references = References()
    references.feed(text)
    assert references.found == []
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text


def test_names_and_descriptions_are_escaped() -> None:
    data = (FOLDER / "graphics-icon.clg").read_bytes()
    text = page_of(data, '<b>"&.clg', 'a "<i>" & an icon')
    assert 'aria-label="a &quot;&lt;i&gt;&quot; &amp; an icon"' in text
    assert "<title>&lt;b&gt;&quot;&amp;.clg</title>" in text
    assert "<b>" not in text
    assert 'data-name="&lt;b&gt;&quot;&amp;"' in text
    assert 'aria-label="x.clg, a picture of 45 x 47 pixels"' in page_of(data)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fractal-photo", "the codec fractal"),
        ("graphics-fractal", "the codec fractal"),
        ("poli2022-photo", "the codec poli2022"),
        ("neural-links", "links"),
    ],
)
def test_what_the_decoder_does_not_know_is_said(name: str, reason: str) -> None:
    data = (FOLDER / f"{name}.clg").read_bytes()
    content = content_of(CollageImage.from_bytes(data), data)
    assert (content.kind, content.weights, content.note) == ("png", None, reason)
    text = page_of(data)
    assert f"decoded beforehand, as the decoder of this page does not know {reason}" in text
    assert "SymbolDecoder" not in text


def test_other_flags_are_left_to_the_package() -> None:
    data = bytearray((FOLDER / "graphics-icon.clg").read_bytes())
    image = CollageImage.from_bytes(data)
    data[6] |= 64
    content = content_of(image, bytes(data))
    assert (content.kind, content.note) == ("png", "optional parts of this file")


def test_missing_weights_are_said_when_the_page_is_made() -> None:
    image = nc.load(FOLDER / "neural-pixel.clg")
    header = replace(image.header, model=ModelId("gone", bytes(8)))
    data = pack_file(header, image.payload)
    with pytest.raises(nc.CheckpointError, match="needs the weights 'gone'"):
        page_of(data)
    data = pack_file(replace(image.header, model=None), image.payload)
    with pytest.raises(nc.CollageFormatError, match="does not name its model"):
        page_of(data)


def test_scripts_of_pages_stay_small() -> None:
    folder = ROOT / "src/neural_collage/viewer"
    files = [*folder.glob("*.js"), *folder.glob("*.html"), *Path(__file__).parent.glob("*.js")]
    assert len(files) > 10
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert not [line for line in lines if len(line) > 120]
    assert not [path.name for path in files if len(path.read_text().splitlines()) > 350]
