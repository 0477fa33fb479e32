"""Decodes the conformance set, and says whether the pixels are those that are expected.

    python -m tests.conformance.decode [--threads 4] [--plain] [--at-once 3]

Needs nothing but the package itself, so that it runs wherever that does. Prints the names of files
whose pixels differ; exit code 1 if there are any.
"""

import argparse
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import neural_collage as nc
from neural_collage.runtime import use_threads

FOLDER = Path(__file__).with_name("files")
EXPECTED = FOLDER / "expected.json"


def digest(path: Path) -> str:
    """Hash of the 8-bit pixels of a file, mode and size included."""
    pixels = np.asarray(nc.load(path).to_pil())
    head = f"{pixels.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def differing(at_once: int = 1) -> list[str]:
    """Names of files that do not give the pixels that they should.

    at_once: how many threads decode side by side.
    """
    expected: dict[str, str] = json.loads(EXPECTED.read_text())
    with ThreadPoolExecutor(at_once) as pool:
        digests = pool.map(lambda name: digest(FOLDER / name), expected)
        return [
            name for name, found in zip(expected, digests, strict=True) if found != expected[name]
        ]


def main() -> None:
    """Decode, compare and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="without oneDNN")
    parser.add_argument("--at-once", type=int, default=1, help="so many side by side")
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    if arguments.plain:
        import torch

        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    wrong = differing(arguments.at_once)
    sys.stdout.write("".join(f"{name}\n" for name in wrong))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
