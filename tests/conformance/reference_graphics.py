"""The graphics layer in the reference decoder: docs/format.md in plain Python, bit by bit.

Positions of pixels and ranges are numbers in raster order. Statistics are dictionaries of what has
occurred, so that nothing is sized in advance.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from math import log2
from operator import mul
from typing import NamedTuple

import numpy as np

from tests.conformance.reference_entropy import SymbolDecoder
from tests.conformance.reference_syntax import Floats

MASK = (1 << 64) - 1
FACTOR, FINISH = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9
NEAR = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0)]
FAR = [(-1, 2), (-1, -2), (-2, -1), (-2, 1), (0, -3), (-2, 2)]
LOGARITHMS = [int(256 * log2(10 * n + 3)) for n in range(256)]

Copy = tuple[int, int, int]
"""Kind and parameters, those of shifts as rows and columns to the left and above."""


class Layer(NamedTuple):
    """The pixel that each pixel repeats in the end, and the colours of those that are painted.

    base: top, left, bottom and right of what holds all other pixels.
    """

    roots: list[int]
    colours: dict[int, tuple[int, ...]]
    base: tuple[int, int, int, int]

    def over(self, base: Floats) -> Floats:
        """The layer over pixels (h, w, c) in [0, 255]."""
        pixels = base.reshape(-1, base.shape[-1]).copy()
        for position, colour in self.colours.items():
            pixels[position] = colour
        return pixels[self.roots].reshape(base.shape)


def read_layer(stream: bytes, height: int, width: int, channels: int) -> Layer:
    """The layer of a stream; raises ValueError if it is damaged."""
    decoder = SymbolDecoder(stream[1:])
    decoder.kind = "graphics"
    block, square = 4 << decoder.uniform(5), 64 << decoder.uniform(4)
    copies = read_copies(decoder, height, width)
    palette = read_palette(decoder, channels)
    rows, columns = -(-height // block), -(-width // block)
    ranges, lowest = list(range(rows * columns)), 0 if stream[0] else 1
    modes = read_map(decoder, columns, ranges, ranges, 2 + len(copies) - lowest, square)
    roots, painted, others = list[int](), list[int](), list[tuple[int, int]]()
    for position in range(height * width):
        y, x = divmod(position, width)
        mode = modes[y // block * columns + x // block] + lowest
        if mode == 1:
            painted.append(position)
        if mode == 0:
            others.append((y, x))
        if mode < 2:
            roots.append(position)
            continue
        row, column = repeated(copies[mode - 2], y, x)
        source = row * width + column
        if row < 0 or not 0 <= column < width or source >= position:
            raise ValueError("the stream is damaged: a copy of what does not come before it")
        roots.append(roots[source])
    indices = read_map(decoder, width, roots, painted, len(palette), square)
    decoder.finish()
    down, across = zip(*others, strict=True) if others else ((-1,), (-1,))
    base = min(down), min(across), max(down) + 1, max(across) + 1
    return Layer(roots, {p: palette[index] for p, index in indices.items()}, base)


def read_number(decoder: SymbolDecoder) -> int:
    """A whole number."""
    length = decoder.uniform(24)
    return (1 << length) + decoder.uniform(1 << length) - 1


def read_copies(decoder: SymbolDecoder, height: int, width: int) -> list[Copy]:
    """All kinds come first, then the lines of reflections, then rows and columns of shifts."""
    count = read_number(decoder)
    decoder.counts["graphics/kinds"] = np.array([[256, 32, 32]])
    kinds = decoder.adaptive("kinds", np.zeros(count, np.int64)).tolist()
    rows = [(decoder.uniform(2 * height - 1), 0) for kind in kinds if kind == 1]
    columns = [(decoder.uniform(2 * width - 1), 0) for kind in kinds if kind == 2]
    up = [decoder.uniform(height) for kind in kinds if kind == 0]
    left = [
        decoder.uniform(2 * width - 1) + 1 - width if a else 1 + decoder.uniform(width - 1)
        for a in up
    ]
    of_kinds = iter(zip(up, left, strict=True)), iter(rows), iter(columns)
    return [(kind, *next(of_kinds[kind])) for kind in kinds]


def repeated(copy: Copy, y: int, x: int) -> tuple[int, int]:
    """The row and the column of the pixel that a copy repeats at a row and a column."""
    kind, a, b = copy
    return ((y - a, x - b), (a - y, x), (y, a - x))[kind]


def read_palette(decoder: SymbolDecoder, channels: int) -> list[tuple[int, ...]]:
    """The colours, by alpha, luma and the other channels from the last one."""
    count = read_number(decoder)
    decoder.counts["graphics/differences"] = np.array([[256, *[32] * 10]] * (2 * channels))
    planes = [np.zeros(count, np.int64)]
    moved = np.zeros(count, np.int64)
    for channel in range(channels):
        lengths = decoder.adaptive("differences", 2 * channel + moved).tolist()
        low = [(1 << length) >> 1 for length in lengths]
        folded = [n + decoder.uniform(n or 1) for n in low]
        steps = [-(n + 1) // 2 if n % 2 else n // 2 for n in folded]
        is_alpha = channel in (1, 3) and channel == channels - 1
        plane = np.cumsum(steps, dtype=np.int64) + (0 if is_alpha else planes[-1])
        moved = moved | (np.diff(plane, prepend=0) != 0)
        planes.append(plane)

    def order(colour: tuple[int, ...]) -> tuple[int, ...]:
        alpha = colour[-1] if channels in (2, 4) else 0
        luma = sum(map(mul, colour, (299, 587, 114))) if channels > 2 else 0
        return alpha, luma, *reversed(colour)

    return sorted(zip(*(plane.tolist() for plane in planes[1:]), strict=True), key=order)


def read_map(
    decoder: SymbolDecoder,
    width: int,
    roots: Sequence[int],
    coded: Sequence[int],
    n_symbols: int,
    square: int,
) -> dict[int, int]:
    """The indices at the coded positions; elsewhere they are those at their roots, if there."""
    if n_symbols < 2:
        return dict.fromkeys(coded, 0)
    n_digits = (n_symbols - 1).bit_length()
    log_size = min(max(len(coded).bit_length(), 10), 19)
    log_digits = min(max((len(coded) * n_digits).bit_length(), 10), 20)
    questions = Mixer(decoder, (255, 60, 30, 30, 30, 120, 255), log_size + 1)
    digits = Mixer(decoder, (255,) * 6, log_digits)
    values: dict[int, int] = {}
    followers: dict[tuple[int, int], int] = {}

    def value(position: int, dy: int, dx: int) -> int:
        y, x = position // width + dy, position % width + dx
        return values.get(roots[y * width + x], -1) if y >= 0 and 0 <= x < width else -1

    def wave_of(position: int) -> int:
        return position % width % square + 2 * (position // width % square)

    for _, group in groupby(sorted(coded, key=wave_of), wave_of):
        wave = list(group)
        seen = {p: Context([value(p, *d) for d in NEAR + FAR], log_size, followers) for p in wave}
        found: dict[int, int] = {}
        for number in range(4):
            asked = [p for p in wave if p not in found and number < len(seen[p].distinct)]
            answers = questions.read([seen[p].question(number) for p in asked])
            yes = [p for p, bit in zip(asked, answers, strict=True) if bit]
            found |= {p: seen[p].distinct[number] for p in yes}
        spelt = {p: 1 for p in wave if p not in found}
        for digit in reversed(range(n_digits)):
            bits = digits.read([seen[p].digit(digit, prefix) for p, prefix in spelt.items()])
            spelt = {p: 2 * spelt[p] + bit for p, bit in zip(spelt, bits, strict=True)}
        found |= {p: number - (1 << n_digits) for p, number in spelt.items()}
        if max(found.values()) >= n_symbols:
            raise ValueError("the stream is damaged: an index too large")
        values |= found
        for position in wave:
            followers |= dict.fromkeys(seen[position].keys, found[position])
    return values


def mix(state: int, number: int) -> int:
    """The hash of a hash and one more number."""
    state = (state + number + 1) * FACTOR & MASK
    return state ^ state >> 29


def end(state: int) -> int:
    """A hash whose high bits depend on all others."""
    return state * FINISH & MASK


class Context:
    """What is known of an index before its wave: 12 neighbours, and what followed such before."""

    def __init__(
        self, neighbours: list[int], log_size: int, followers: dict[tuple[int, int], int]
    ) -> None:
        self.neighbours = neighbours
        left, above = neighbours[:2]
        hashes, patterns = [0], [0]
        for one in neighbours:
            hashes.append(mix(hashes[-1], one))
        for one in neighbours[1:]:
            patterns.append(4 * patterns[-1] + (one == left) + 2 * (one == above))
        of_neighbours = [end(hashes[n]) for n in (2, 4, 6, 8, 12)]
        of_patterns = [end(mix(patterns[n], patterns[n] % 4)) for n in (5, 11)]
        self.hashes = [of_patterns[0], *of_neighbours[1:], of_patterns[1]]
        self.keys = [(n, one >> 64 - log_size) for n, one in enumerate(of_neighbours)]
        self.candidates = [followers.get(key, -1) for key in reversed(self.keys)] + neighbours[:4]
        self.distinct = [one for one in dict.fromkeys(self.candidates) if one >= 0]

    def question(self, number: int) -> tuple[list[int], int]:
        """The hashes and the selector of a question."""
        asked = self.distinct[number]
        agreeing = sum(1 << n for n, one in enumerate(self.candidates) if one == asked)
        missing = sum(1 << n for n, one in enumerate(self.candidates) if one < 0)
        hashes = [*self.hashes, end(mix(mix(0, agreeing), missing))]
        return [(one + number) * FACTOR & MASK for one in hashes], 512 * number + agreeing

    def digit(self, digit: int, prefix: int) -> tuple[list[int], int]:
        """The hashes and the selector of a binary digit, after a 1 and those before."""
        left, above, corner, right, far = self.neighbours[:5]
        median = sorted((left, above, left + above - corner))[1]
        change = abs(left - corner) + abs(above - corner) + abs(above - right)
        contexts = (
            0,
            mix(0, left),
            mix(0, above),
            mix(mix(0, median), change),
            mix(mix(0, left), above),
            mix(mix(0, (left + above) // 2), 2 * left - far),
        )
        rough = sum(change >= limit for limit in (4, 16, 32))
        hashes = [end(mix(one + n, prefix)) for n, one in enumerate(contexts)]
        return hashes, 4 * digit + rough


class Mixer:
    """Reads bits, with probabilities from the counts of zeros and ones in several contexts.

    limits: the largest sum of the counts of each context.
    """

    def __init__(self, decoder: SymbolDecoder, limits: Sequence[int], log_size: int) -> None:
        self.decoder = decoder
        self.limits = limits
        self.shift = 64 - log_size
        self.counts: dict[tuple[int, int], list[int]] = {}
        self.weights = defaultdict[int, list[int]](lambda: [14563] * len(limits))

    def read(self, contexts: list[tuple[list[int], int]]) -> list[int]:
        """The bits of one call, each with its hashes and its selector; then learn all of them."""
        bits, used = list[int](), list[tuple[list[int], int, int]]()
        gradients = defaultdict[int, list[list[int]]](list)
        for hashes, selector in contexts:
            cells = [
                self.counts.setdefault((n, one >> self.shift), [0, 0])
                for n, one in enumerate(hashes)
            ]
            odds = [LOGARITHMS[ones] - LOGARITHMS[zeros] for zeros, ones in cells]
            one = probability(sum(map(mul, self.weights[selector], odds)) >> 16)
            bits.append(bit := self.decoder.bit(one))
            gradients[selector].append([n * ((bit << 16) - one) for n in odds])
            used += [(cell, limit, bit) for cell, limit in zip(cells, self.limits, strict=True)]
        for selector, rows in gradients.items():
            steps = [
                sum(column) // (len(rows) // 8 + 1) >> 14 for column in zip(*rows, strict=True)
            ]
            weights = zip(self.weights[selector], steps, strict=True)
            self.weights[selector] = [weight + step for weight, step in weights]
        for cell, _, bit in used:
            cell[bit] += 1
        for cell, limit, _ in used:
            while sum(cell) > limit:
                cell[:] = (cell[0] + 1) // 2, (cell[1] + 1) // 2
        return bits


def probability(odds: int) -> int:
    """That of a one in units of 2^-16, given its odds in 256ths of a power of two."""
    odds = min(max(odds, -3840), 3840)
    if odds < 0:
        return (1 << 16) - probability(-odds)
    power = int(2 ** (32 + odds / 256))
    return (power << 16) // (power + (1 << 32))
