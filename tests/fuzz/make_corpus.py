"""Makes the files that fuzzing starts from: `python -m tests.fuzz.make_corpus`."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
from PIL import Image

import neural_collage as nc
from neural_collage.codec.chunks import pack_chunks
from neural_collage.codec.container import pack_file, unpack_file
from neural_collage.codec.graphics.syntax import write_layer
from neural_collage.codec.streams import neural_streams
from tests.codec.graphics.layers import random_layer
from tests.codec.streams.neural import with_links
from tests.exif_data import exif_data, xmp_packet
from tests.fuzz.targets import CORPUS, with_chunks
from tests.pictures import texture

SIZES = ((1, 1), (9, 5), (33, 20), (40, 48))
MODES = ("L", "LA", "RGB", "RGBA")


def main() -> None:
    """Write them; those of before are deleted."""
    CORPUS.mkdir(exist_ok=True)
    for path in CORPUS.glob("*.clg"):
        path.unlink()
    rng = np.random.default_rng(0)
    for number, (width, height) in enumerate(SIZES):
        mode = MODES[number]
        coarse = Image.fromarray(rng.integers(0, 256, (3, 4, 4), dtype=np.uint8), "RGBA")
        image = coarse.resize((width, height), Image.Resampling.BICUBIC).convert(mode)
        if mode == "RGB":
            image.info["icc_profile"] = b"a profile " * 12
        for codec in ("neural", "fractal"):
            for quality, effort in ((5, 5), (60, 7)):
                data = nc.compress(
                    image, codec=codec, quality=quality, effort=effort, graphics=False
                )
                (CORPUS / f"{codec}-{mode}-{quality}.clg").write_bytes(data)
        if mode != "L":  # one pixel leaves nothing for a precision layer
            data = nc.compress(image, codec="neural", quality=98, graphics=False)
            (CORPUS / f"precise-{mode}.clg").write_bytes(data)
        (CORPUS / f"poli2022-{mode}.clg").write_bytes(nc.compress(image, codec="poli2022"))
        for codec, owned in (("neural", 0.6), ("fractal", 1.0)):
            data = with_graphics(image, codec, owned, np.random.default_rng(number))
            (CORPUS / f"graphics-{mode}-{codec}.clg").write_bytes(data)
        with patch.object(neural_streams, "SEGMENTED_BYTES", 0):
            data = nc.compress(image, codec="neural", quality=30, graphics=False)
            (CORPUS / f"segments-{mode}.clg").write_bytes(data)
            if mode != "L":
                data = nc.compress(image, codec="neural", quality=97, graphics=False)
                (CORPUS / f"precise-segments-{mode}.clg").write_bytes(data)
            if mode == "RGBA":
                data = with_graphics(image, "neural", 0.6, np.random.default_rng(number))
                (CORPUS / "segments-graphics.clg").write_bytes(data)
    with patch.object(neural_streams, "SEGMENTED_BYTES", 0):
        data = with_links(texture(33, 40, 2), rng).to_bytes()
        (CORPUS / "segments-linked.clg").write_bytes(data)
    for mode in ("L", "RGBA"):
        (CORPUS / f"metadata-{mode}.clg").write_bytes(with_metadata(mode))
    for name, size in (("wide", (1, 1030)), ("high", (1030, 1))):  # of two tiles
        data = nc.compress(texture(*size), codec="neural", quality=10, graphics=False)
        (CORPUS / f"segments-{name}.clg").write_bytes(data)


def with_metadata(mode: str) -> bytes:
    """The file of a small picture with a profile, EXIF, XMP, and a chunk of another kind."""
    image = Image.linear_gradient("L").resize((9, 5)).convert(mode)
    image.info = {"icc_profile": b"a profile " * 12, "exif": exif_data(1), "xmp": xmp_packet(1)}
    data = nc.compress(image, codec="fractal", graphics=False)
    return with_chunks(data, pack_chunks(unpack_file(data)[0].metadata) + b"\x07\x05later")


def with_graphics(image: Image.Image, codec: str, owned: float, rng: np.random.Generator) -> bytes:
    """The file of a picture under a layer that owns a share of it, or all without the picture."""
    width, height = image.size
    layer = random_layer(height, width, len(image.getbands()), 4, rng, owned=owned)
    top, left, rows, columns = layer.base_window
    seen = image.crop((left, top, left + columns, top + rows)) if rows else image
    base = nc.encode(seen, codec=codec, quality=30, effort=0, graphics=False)
    header = replace(base.header, width=width, height=height)
    if rows:
        return pack_file(replace(header, graphics=write_layer(layer, 30)), base.payload)
    return pack_file(replace(header, graphics=write_layer(layer, 0), model=None), b"")


if __name__ == "__main__":
    main()
