"""Estimates the priors of the precision layer: which magnitudes to expect, and their scales.

    python -m neural_collage.training.export.precision_priors DATA... -o priors.npz

Encodes pictures with the neural codec, and their residuals at several steps. The weights of known
magnitudes are those of least squared error relative to what is expected; the index of an expected
magnitude is that of the table with which its numbers take the fewest bits. Done twice, because RDOQ
estimates rates with the priors.
"""

import argparse
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neural_collage.codec.entropy import FixedTables
from neural_collage.codec.precision.numbers import ChosenNumbers
from neural_collage.codec.precision.patches import (
    BLOCK,
    PATCHES,
    STEP_BITS,
    Numbers,
    base_magnitudes,
    coefficients,
)
from neural_collage.codec.precision.steps import BASE_QUALITY, BITS_PER_SQUARED_STEP
from neural_collage.codec.precision.syntax import (
    FEATURES,
    LARGEST_EXPECTED,
    LARGEST_KNOWN,
    LARGEST_WEIGHT,
    WEIGHT_BITS,
    Priors,
    add_neighbours,
    boards,
    code_numbers,
    diagonals,
    known_magnitudes,
)
from neural_collage.codec.streams.neural import decoder_of
from neural_collage.codec.streams.neural_encoder import DEFAULT_MODEL, encoder_of
from neural_collage.codec.weights import find_weights
from neural_collage.core.arrays.averages import FloatArray, PixelArray
from neural_collage.core.blocks import pad_to_multiple
from neural_collage.core.scales import Window
from neural_collage.data.catalogue import resolve
from neural_collage.fractal.geometry import IntArray
from neural_collage.io.modes import PICTURE_SUFFIXES
from neural_collage.io.reading import read_picture
from neural_collage.models.compression.decoder_model import CENTRE, RANGE

STEPS = 4.5, 6, 8, 10, 13, 16, 20, 24
"""Of samples, in levels: each picture has one of them, in turn."""
ROUNDING = 0.4
"""What is added to magnitudes before they are rounded down, the first time."""
COLOURS, BOARDS = 3, 2
_SIDE = 512  # of the part of a picture that is used
_SAMPLES, _ROUNDS, _SWEEPS = 200_000, 6, 200
_LEAST = 2.0**-9  # expected magnitudes below this count as this
_BINS_PER_OCTAVE = 6
_RARE = 2e-4
"""Numbers that are so rarely not 0 are taken for 0."""


class Residual(NamedTuple):
    """Values in steps, numbers, and magnitudes of the base (3, 64, rows, columns) of a picture."""

    values: PixelArray
    numbers: Numbers
    base: PixelArray


class Example(NamedTuple):
    """Numbers (n,) of a patch, a colour and a board, and what is known (n, FEATURES) of each."""

    numbers: Numbers
    known: PixelArray


def residual_of(path: Path, model: str, level: float) -> Residual:
    """The residual of a picture at a step of so many levels, without RDOQ."""
    weights = find_weights(model)
    picture = read_picture(path)
    samples = picture.samples[:3, :_SIDE, :_SIDE]
    picture = type(picture)(samples.expand(3, -1, -1), "RGB")
    _, layers = encoder_of(weights).encode_layers(
        picture, quality=BASE_QUALITY, effort=0, device="cpu"
    )
    planes = pad_to_multiple(picture.pixels, RANGE).numpy()
    whole = Window(0, 0, *planes.shape[1:])
    base = layers[0].window(Fraction(1), whole) - np.float32(CENTRE)
    step = round(level / 255 * (1 << STEP_BITS))
    exact = coefficients(planes - CENTRE - base, step, COLOURS)
    numbers = np.sign(exact) * np.floor(np.abs(exact) + ROUNDING)
    return Residual(exact, numbers.astype(np.int16), base_magnitudes(base, step, COLOURS))


def chosen_again(residual: Residual, priors: Priors, tables: FixedTables) -> Residual:
    """The residual with the numbers that RDOQ chooses with these priors."""
    source = ChosenNumbers(residual.values, BITS_PER_SQUARED_STEP, tables)
    return residual._replace(numbers=code_numbers(source, residual.base, priors))


def examples(residual: Residual, colour: int, patch: int, board: int) -> Example:
    """What is known of the numbers of a patch on one board, and these."""
    known = np.minimum(np.abs(residual.numbers), LARGEST_KNOWN).astype(np.float32)
    magnitudes = np.concatenate([known, np.zeros_like(known[:, :1])], 1)
    u, v = divmod(patch, BLOCK)
    diagonal = diagonals()[u + v]
    place = diagonal.patches.tolist().index(patch)
    features = known_magnitudes(diagonal, colour, magnitudes, residual.base)[place]
    beside = np.zeros_like(known[colour, patch])
    if board:
        add_neighbours(known[colour, patch], beside)
    sites = boards(*beside.shape)[board]
    together = np.concatenate([features, beside.reshape(1, -1)])
    return Example(residual.numbers[colour, patch].ravel()[sites], together[:, sites].T)


def magnitude_weights(numbers: Numbers, known: PixelArray) -> FloatArray:
    """The weights (FEATURES,), not negative, that expect the magnitudes of numbers."""
    wanted = np.minimum(np.abs(numbers), 2 * LARGEST_KNOWN).astype(np.float64)
    weights, importance = np.zeros(FEATURES), np.ones(len(wanted))
    for _ in range(_ROUNDS):
        weighted = known * importance[:, None]
        weights = nonnegative_least_squares(weighted.T @ known, weighted.T @ wanted)
        expected = np.maximum(known @ weights, _LEAST)
        importance = 1 / (expected + expected**2)
    return weights


def nonnegative_least_squares(products: FloatArray, targets: FloatArray) -> FloatArray:
    """The x >= 0 that minimises x' products x / 2 - targets' x, by descent along coordinates."""
    x = np.zeros(len(targets))
    for _ in range(_SWEEPS):
        for i in np.flatnonzero(np.diag(products) > 0):
            x[i] = max(0, x[i] + (targets[i] - products[i] @ x) / products[i, i])
    return x


def thresholds_of(numbers: Numbers, expected: IntArray, tables: FixedTables) -> IntArray:
    """The least expected magnitude (scales - 1,), in 2^-12, of each index from 1 on."""
    bins = np.floor(_BINS_PER_OCTAVE * np.log2(np.maximum(expected, 1))).astype(np.int64)
    limited = np.clip(numbers.astype(np.int64), -tables.limit, tables.limit) + tables.limit
    size = 2 * tables.limit + 1
    shape = int(bins.max()) + 1, size
    counts = np.bincount(bins * size + limited, minlength=shape[0] * size).reshape(shape)
    every = np.arange(-tables.limit, tables.limit + 1)
    bits = np.stack([tables.bits(np.full(size, i), every) for i in range(1, len(tables))])
    used = counts.sum(1) > _SAMPLES // 1000
    best = 1 + (counts @ bits.T).argmin(1)
    rare = counts[:, tables.limit] >= (1 - _RARE) * counts.sum(1)
    best[rare] = 0
    centres = np.flatnonzero(used) + 0.5
    rising = np.maximum.accumulate(best[used])
    steps = np.flatnonzero(np.diff(rising)) + 1
    # between bins, indices rise in a line with the logarithm of what is expected
    indices = np.arange(1, len(tables))
    knots = np.concatenate([[0], steps]), rising[np.concatenate([[0], steps])]
    places = np.interp(indices, knots[1], centres[knots[0]])
    above = indices > rising[-1]
    pitch = _BINS_PER_OCTAVE * 120 / 1024 / np.log(2)
    places[above] = centres[-1] + pitch * (indices[above] - rising[-1])
    places[indices <= knots[1][0]] = 0
    least = np.ceil(2 ** (places / _BINS_PER_OCTAVE)).astype(np.int64)
    least[indices <= knots[1][0]] = 0
    found: IntArray = np.minimum(least, LARGEST_EXPECTED + 1)
    return found


def estimate_priors(
    residuals: list[Residual], tables: FixedTables, rng: np.random.Generator
) -> Priors:
    """The priors with which the numbers of residuals take the fewest bits."""
    weights = np.zeros((COLOURS, BOARDS, PATCHES, FEATURES), np.int64)
    thresholds = []
    for colour in range(COLOURS):
        numbers, expected = [], []
        for board, patch in np.ndindex(BOARDS, PATCHES):
            found = [examples(r, colour, patch, board) for r in residuals]
            together = Example(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
            chosen = rng.permutation(len(together.numbers))[:_SAMPLES]
            learned = magnitude_weights(together.numbers[chosen], together.known[chosen])
            whole = np.rint(learned * (1 << WEIGHT_BITS)).clip(0, LARGEST_WEIGHT)
            weights[colour, board, patch] = whole
            numbers.append(together.numbers)
            expected.append((together.known @ whole).astype(np.int64))
        thresholds.append(thresholds_of(np.concatenate(numbers), np.concatenate(expected), tables))
    return Priors(weights.astype(np.float32), np.stack(thresholds))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Estimate the priors of the precision layer.")
    parser.add_argument("images", type=Path, nargs="+", help="folders of pictures")
    parser.add_argument("-o", "--output", type=Path, default=Path("priors.npz"))
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--every", type=int, default=1, help="use every n-th picture")
    arguments = parser.parse_args()
    paths = [
        path
        for folder in arguments.images
        for path in sorted(resolve(folder).iterdir())
        if path.suffix.lower() in PICTURE_SUFFIXES
    ][:: arguments.every]
    if not paths:
        parser.error(f"{', '.join(map(str, arguments.images))}: no pictures there")
    residuals = [
        residual_of(path, arguments.model, STEPS[number % len(STEPS)])
        for number, path in enumerate(paths)
    ]
    tables = decoder_of(find_weights(arguments.model)).tables
    priors = estimate_priors(residuals, tables, np.random.default_rng(0))
    residuals = [chosen_again(residual, priors, tables) for residual in residuals]
    priors = estimate_priors(residuals, tables, np.random.default_rng(0))
    np.savez_compressed(
        arguments.output,
        allow_pickle=False,
        weights=priors.weights.astype(np.uint16),
        thresholds=priors.thresholds.astype(np.uint32),
    )


if __name__ == "__main__":
    main()
