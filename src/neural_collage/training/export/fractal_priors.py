"""Estimates the initial symbol counts of the fractal codec.

    python -m neural_collage.training.export.fractal_priors IMAGES -o priors.npz

Encodes every picture of a folder at several qualities, counts the symbols by table and context,
and scales the counts down so that they adapt quickly to a picture. Done twice, because the encoder
estimates rates from the counts.
"""

import argparse
from pathlib import Path

import numpy as np

from neural_collage.codec.streams.fractal import encode_planes
from neural_collage.data.catalogue import resolve
from neural_collage.fractal.effort import EFFORTS
from neural_collage.fractal.statistics import (
    INCREMENT,
    KINDS,
    Counter,
    Counts,
    flat_counts,
)
from neural_collage.fractal.syntax import code_plane
from neural_collage.io.modes import PICTURE_SUFFIXES
from neural_collage.io.reading import read_picture

QUALITIES = (10, 25, 40, 55, 70, 85)


def symbol_counts(path: Path, priors: dict[str, Counts], effort: int) -> dict[str, Counts]:
    """The symbol counts of one picture over all qualities, in units of INCREMENT."""
    total = {kind: {t: np.zeros_like(c) for t, c in priors[kind].items()} for kind in KINDS}
    pixels = read_picture(path).pixels
    chosen = EFFORTS[effort]
    for quality in QUALITIES:
        for code, spec in encode_planes(pixels, quality, chosen, priors):
            counter = Counter({t: np.ones_like(c) for t, c in priors[spec.kind].items()})
            code_plane(counter, code.geometry, code.contrasts.shape[1], code)
            for table, counts in counter.counts.items():
                total[spec.kind][table] += counts - 1
    return total


def rescale_counts(counts: Counts, background: Counts, strength: float) -> Counts:
    """Counts scaled to a total of at most `strength` symbols a context, all above zero."""
    rescaled = {}
    for table, observed in counts.items():
        smooth = observed + background[table] * 0.25
        total = smooth.sum(1, keepdims=True)
        scale = np.minimum(1, strength * INCREMENT / total)
        rescaled[table] = np.maximum(np.rint(smooth * scale), 1).astype(np.int64)
    return rescaled


def estimate_priors(
    paths: list[Path], rounds: int, effort: int, strength: float
) -> dict[str, Counts]:
    """Prior counts from pictures, estimated `rounds` times."""
    priors = {kind: flat_counts() for kind in KINDS}
    for _ in range(rounds):
        observed = [symbol_counts(path, priors, effort) for path in paths]
        priors = {
            kind: rescale_counts(
                {t: np.sum([o[kind][t] for o in observed], axis=0) for t in priors[kind]},
                flat_counts(),
                strength,
            )
            for kind in KINDS
        }
    return priors


def save_priors(priors: dict[str, Counts], path: Path) -> None:
    """Write priors as the file that `fractal.statistics` reads."""
    arrays = {
        f"{kind}/{table}": counts.astype(np.uint32)
        for kind, tables in priors.items()
        for table, counts in tables.items()
    }
    np.savez_compressed(path, allow_pickle=False, **arrays)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Estimate the fractal codec's prior counts.")
    parser.add_argument("images", type=Path, help="a folder of pictures")
    parser.add_argument("-o", "--output", type=Path, default=Path("priors.npz"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--effort", type=int, default=4)
    parser.add_argument("--strength", type=float, default=100, help="symbols a context")
    parser.add_argument("--every", type=int, default=1, help="use every n-th picture")
    arguments = parser.parse_args()
    folder = resolve(arguments.images)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)[
        :: arguments.every
    ]
    if not paths:
        parser.error(f"{folder} holds no pictures")
    save_priors(
        estimate_priors(paths, arguments.rounds, arguments.effort, arguments.strength),
        arguments.output,
    )


if __name__ == "__main__":
    main()
