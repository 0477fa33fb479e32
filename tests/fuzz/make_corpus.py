"""Makes the files that fuzzing starts from: `python -m tests.fuzz.make_corpus`."""

import numpy as np
from PIL import Image

import neural_collage as nc
from tests.fuzz.targets import CORPUS

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
                data = nc.compress(image, codec=codec, quality=quality, effort=effort)
                (CORPUS / f"{codec}-{mode}-{quality}.clg").write_bytes(data)
        (CORPUS / f"poli2022-{mode}.clg").write_bytes(nc.compress(image, codec="poli2022"))


if __name__ == "__main__":
    main()
