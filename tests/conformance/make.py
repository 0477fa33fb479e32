"""Makes the conformance set with the codecs as they are: `python -m tests.conformance.make`.

Files that exist stay as they are, for old files have to decode for ever; only new ones are made,
and expected pixels are only noted where there are none. Delete a file to have it made again, as
after a change of weights.
"""

import json
from typing import Any

import numpy as np
from PIL import Image
from skimage.data import astronaut

import neural_collage as nc
from tests.conformance.decode import EXPECTED, FOLDER, digest

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
    "neural-aerial": ("neural", (96, 80), "RGB", {"quality": 45, "model": "aerial"}),
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


def picture(width: int, height: int, mode: str) -> Image.Image:
    """A part of a photo, reduced, with a disc of alpha where the mode has that."""
    image = Image.fromarray(astronaut()).crop((100, 0, 480, 380))
    image = image.resize((width, height), Image.Resampling.LANCZOS).convert(mode.removesuffix("A"))
    if mode.endswith("A"):
        y, x = np.mgrid[:height, :width]
        distance = np.hypot(y - height / 2, x - width / 2) / min(height, width)
        alpha = np.clip(400 * (0.45 - distance) + 128, 0, 255).astype(np.uint8)
        image.putalpha(Image.fromarray(alpha))
    return image


def main() -> None:
    """Make what is missing."""
    FOLDER.mkdir(exist_ok=True)
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    for name, (codec, size, mode, options) in CASES.items():
        path = FOLDER / f"{name}.clg"
        if not path.exists():
            path.write_bytes(nc.compress(picture(*size, mode), codec=codec, **options))
            expected.pop(path.name, None)
        if path.name not in expected:
            expected[path.name] = digest(path)
    EXPECTED.write_text(json.dumps(dict(sorted(expected.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
