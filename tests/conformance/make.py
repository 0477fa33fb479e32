"""Makes the conformance set with the codecs as they are: `python -m tests.conformance.make`.

Files that exist stay as they are, for old files have to decode for ever; only new ones are made,
and expected pixels are only noted where there are none. Delete a file to have it made again, as
after a change of weights.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import neural_collage as nc
from neural_collage.codec.container import pack_file
from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.codec.graphics.syntax import write_layer
from tests.conformance import drawings
from tests.conformance.decode import EXPECTED, FOLDER, digest
from tests.exif_data import exif_data, xmp_packet

CASES: dict[str, tuple[str, tuple[int, int], str, dict[str, Any]]] = {
    "neural-photo": ("neural", (240, 176), "RGB", {"quality": 50}),
    "neural-low": ("neural", (131, 97), "RGB", {"quality": 3}),
    "neural-high": ("neural", (97, 131), "RGB", {"quality": 97}),
    "neural-links": ("neural", (144, 112), "RGB", {"quality": 12, "effort": 8}),
    "neural-grey": ("neural", (65, 33), "L", {"quality": 40}),
    "neural-alpha": ("neural", (50, 70), "RGBA", {"quality": 60}),
    "neural-grey-alpha": ("neural", (17, 16), "LA", {"quality": 30}),
    "neural-pixel": ("neural", (1, 1), "RGB", {"quality": 50}),
    "neural-line": ("neural", (90, 1), "RGB", {"quality": 50}),
    "neural-segments": ("neural", (240, 176), "RGB", {"quality": 97}),
    "neural-tiles": ("neural", (1100, 56), "RGBA", {"quality": 40}),
    "neural-aerial": ("neural", (96, 80), "RGB", {"quality": 45, "model": "aerial"}),
    "neural-adaptive": ("neural", (240, 176), "RGB", {"quality": 50, "model": "natural"}),
    "neural-adaptive-alpha": ("neural", (70, 1100), "LA", {"quality": 70, "model": "natural"}),
    "neural-adaptive-low": ("neural", (97, 131), "RGB", {"quality": 4, "model": "natural"}),
    "neural-precise": ("neural", (240, 176), "RGB", {"quality": 95, "model": "natural"}),
    "neural-precise-odd": ("neural", (97, 131), "RGB", {"quality": 100, "model": "natural"}),
    "neural-precise-grey": ("neural", (33, 65), "L", {"quality": 96}),
    "neural-precise-alpha": ("neural", (50, 70), "RGBA", {"quality": 100, "model": "natural"}),
    "neural-precise-tiles": ("neural", (40, 1100), "LA", {"quality": 93, "model": "natural"}),
    "fractal-photo": ("fractal", (240, 176), "RGB", {"quality": 50}),
    "fractal-low": ("fractal", (131, 97), "RGB", {"quality": 3}),
    "fractal-high": ("fractal", (97, 131), "RGB", {"quality": 97}),
    "fractal-grey": ("fractal", (65, 33), "L", {"quality": 40}),
    "fractal-alpha": ("fractal", (50, 70), "RGBA", {"quality": 60, "effort": 8}),
    "fractal-grey-alpha": ("fractal", (17, 16), "LA", {"quality": 30}),
    "fractal-pixel": ("fractal", (1, 1), "RGB", {"quality": 50}),
    "poli2022-photo": ("poli2022", (120, 88), "RGB", {}),
    "poli2022-grey": ("poli2022", (41, 60), "L", {}),
}


def empty_layer() -> bytes:
    """A file whose base has another quality than its header."""
    image = nc.encode(drawings.photo(64, 48, "RGB"), codec="fractal", graphics=False, quality=73)
    stream = write_layer(GraphicsLayer.empty(image.height, image.width, image.channels), 73)
    return pack_file(replace(image.header, quality=50, graphics=stream), image.payload)


LAYERED: dict[str, Callable[[], bytes]] = {
    "graphics-text": lambda: nc.compress(drawings.text(), quality=100),
    "graphics-grey": lambda: nc.compress(drawings.text("L", 300), quality=100),
    "graphics-pattern": lambda: nc.compress(drawings.pattern(), quality=100),
    "graphics-icon": lambda: nc.compress(drawings.icon(), quality=90),
    "graphics-neural": lambda: nc.compress(drawings.page(), codec="neural", quality=50),
    "graphics-fractal": lambda: nc.compress(drawings.page(), codec="fractal", quality=60),
    "graphics-empty": empty_layer,
}
"""Files with a graphics layer, the first four without a base."""
SELF_SIMILAR = {
    "fractal-wide": drawings.triangle,  # contrasts of 1 and more
    "fractal-triple": drawings.carpet,  # domains reduced by 3
}


def described() -> bytes:
    """A file with an ICC profile, EXIF and XMP of a picture that was turned."""
    image = drawings.photo(41, 27, "RGB")
    image.info = {
        "icc_profile": b"a profile " * 12,
        "exif": exif_data(6),
        "xmp": xmp_packet(6, 2000),
    }
    return nc.compress(image, codec="fractal", graphics=False)


DESCRIBED = {"metadata": described}
NAMES = (*CASES, *LAYERED, *SELF_SIMILAR, *DESCRIBED)


def compressed(name: str) -> bytes:
    """The file of a case."""
    if name in LAYERED:
        return LAYERED[name]()
    if name in DESCRIBED:
        return DESCRIBED[name]()
    if name in SELF_SIMILAR:
        return nc.compress(SELF_SIMILAR[name](), codec="fractal", graphics=False)
    codec, size, mode, options = CASES[name]
    if codec == "neural":
        options = {"model": "natural-psnr", **options}
    return nc.compress(drawings.photo(*size, mode), codec=codec, graphics=False, **options)


def main() -> None:
    """Make what is missing."""
    FOLDER.mkdir(exist_ok=True)
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    for name in NAMES:
        path = FOLDER / f"{name}.clg"
        if not path.exists():
            path.write_bytes(compressed(name))
            expected.pop(path.name, None)
        if path.name not in expected:
            expected[path.name] = digest(path)
    EXPECTED.write_text(json.dumps(dict(sorted(expected.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
