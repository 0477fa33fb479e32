"""The neural payload in the reference decoder: docs/format.md in whole numbers of numpy.

Arrays are (channels, rows, columns), of positions of ranges or of pixels. What is known of all
ranges of a tile is computed for all, whether they are coded next or not.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.conformance.reference_entropy import Ints, SymbolDecoder, varint
from tests.conformance.reference_precision import precision_layer, read_precision
from tests.conformance.reference_syntax import Floats, averages
from tests.conformance.reference_weights import Weights, read_numbers

GROUPS = 8, 24, 48, 96, 144
RANGE, TILE = 16, 64
STRENGTHS = 17, 11, 8, 5, 4, 3, 2
UNLINKED = 1281, 1921, 385, 193, 129, 97
Planes = npt.NDArray[np.floating[Any]]


def read_neural(
    payload: bytes, weights: Weights, height: int, width: int, channels: int, groups: int = 5
) -> Floats:
    """The pixels (h, w, c) of a neural payload, in units of 1/255, not clipped.

    groups: coefficients of others count as 0, and are not read if there is a table of segments.

    Raises ValueError if the payload is damaged.
    """
    if not payload or payload[0] > 7 or payload[0] & 5 == 5:
        raise ValueError("the neural payload is empty, or of unknown parameters")
    precise, step = bool(payload[0] & 4), 0
    if precise:
        quality, step = read_precision(payload[1:4])
        payload, weights = payload[:1] + payload[4:], weights.of_quality(quality)
    rows, columns = -(-height // RANGE), -(-width // RANGE)
    pictures = 2 if channels in (2, 4) else 1
    tiles = [(y, x) for y in range(0, rows, TILE) for x in range(0, columns, TILE)]
    streams = read_streams(payload, pictures * len(tiles), precise)
    textures: list[Planes] = []
    for picture in range(pictures):
        known = np.zeros((sum(GROUPS[:groups]), rows, columns), np.int64)
        for number, (y, x) in enumerate(tiles, picture * len(tiles)):
            tile = known[:, y : y + TILE, x : x + TILE]
            part = [segments[number] for segments in streams[:groups]]
            tile[:] = read_tile(part, weights, *tile.shape[1:])
        textures.append(synthesis(known, weights))
    used = [*streams[:groups], streams[len(GROUPS)]]
    if precise and groups == len(GROUPS):
        used.append(streams[-1])
        for picture, texture in enumerate(textures):
            shown = 3 if channels > 2 and not picture else 1
            part = streams[-1][picture * len(tiles) : (picture + 1) * len(tiles)]
            textures[picture] = texture + precision_layer(part, texture, step, shown, weights)
    textures = [texture + np.float32(0.5) for texture in textures]
    if payload[0] & 1:
        textures = [linked(texture, streams[len(GROUPS)][0]) for texture in textures]
    for segments in used:
        for stream in segments:
            stream.finish()
    colours, *alpha = textures
    if channels < 3:
        colours = average(colours)
    planes = np.concatenate([colours, *map(average, alpha)])[:, :height, :width]
    return (255 * np.moveaxis(planes, 0, 2)).astype(np.float64)


def read_streams(payload: bytes, tiles: int, precise: bool) -> list[list[SymbolDecoder]]:
    """The streams of each group, one for each tile, alone that of the links, and of the layer."""
    counts = [*[tiles] * len(GROUPS), 1, *[tiles] * precise]
    if not payload[0] & 2:
        whole = SymbolDecoder(payload[1:])
        return [[whole] * count for count in counts]
    rest = iter(payload[1:])
    lengths = [varint(rest) for _ in range(sum(counts) - 1)]
    data = bytes(rest)
    if sum(lengths) > len(data):
        raise ValueError("the neural payload is damaged: segments longer than it is")
    ends = accumulate(lengths, initial=0)
    streams = [SymbolDecoder(data[start:end]) for start, end in pairwise([*ends, len(data)])]
    firsts = accumulate(counts, initial=0)
    return [streams[first:end] for first, end in pairwise(firsts)]


def read_tile(streams: Sequence[SymbolDecoder], weights: Weights, rows: int, columns: int) -> Ints:
    """The coefficients (a, rows, columns) of a tile in 2^-6 steps, given the stream of each group.

    There are those of as many groups as streams.
    """
    state = initial_state(streams[0], weights, rows, columns)
    steps = relative_steps(state, weights)
    black = np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 0
    base = np.split(weights.rungs("log_scale"), np.cumsum(GROUPS))
    groups = []
    for group, stream in enumerate(streams):
        coded = np.zeros((GROUPS[group], rows, columns), np.int64)
        for which, sites in enumerate((black, ~black)):
            now = state + context(group, coded, weights)
            means, scales = predicted(2 * group + which, now, weights)
            indices = index_of(scales + base[group])
            deviations = read_numbers(stream, indices[:, sites], weights)
            coded[:, sites] = means[:, sites] + 64 * deviations
        state = state + context(group, coded, weights)
        groups.append(coded)
    return divided(np.concatenate(groups) * steps, 12)


def relative_steps(state: Ints, weights: Weights) -> Ints:
    """The step of each range (rows, columns) in 2^-12 of the common one."""
    if "compressor.entropy.gain.out.weight" not in weights.tensors:
        return np.full(state.shape[1:], 1 << 12)
    moved = rectified(state + weights.rungs("gain.shift"))
    out = convolution(weights.entropy("gain.out.weight", 12), moved)
    out += weights.entropy("gain.out.bias", 22)[:, None, None]
    index = np.clip(divided(out[0], 17), -64, 64)
    powers = [32 * 12 + number for number in index.ravel().tolist()]
    roots = [isqrt(isqrt(isqrt(isqrt(isqrt(1 << power))))) for power in powers]
    return np.array(roots).reshape(index.shape)


def initial_state(stream: SymbolDecoder, weights: Weights, rows: int, columns: int) -> Ints:
    """The state (128, rows, columns) that the side information gives."""
    half = -(-rows // 2), -(-columns // 2)
    indices = index_of(weights.rungs("side_log_scale"))[:, 0]
    side = read_numbers(stream, np.tile(indices, half[0] * half[1]), weights)
    side = np.clip(side, -(1 << 15), 1 << 15).reshape(-1, *half)
    outputs = divided(convolution(weights.entropy("side_synthesis.weight", 12), side), 2)
    outputs += weights.entropy("side_synthesis.bias", 10)[:, None, None]
    state = np.zeros((128, 2 * half[0], 2 * half[1]), np.int64)
    for a, b in np.ndindex(2, 2):
        state[:, a::2, b::2] = outputs[2 * a + b :: 4]
    return state[:, :rows, :columns] + weights.rungs("start")


def context(group: int, coded: Ints, weights: Weights) -> Ints:
    """What the coefficients of a group add to the state."""
    inputs = weights.logarithms[np.minimum(np.abs(coded), 255 * 64)]
    if group < 2:
        inputs = np.concatenate([inputs * np.sign(coded), inputs])
    return divided(convolution(weights.entropy(f"contexts.{group}.weight", 12), inputs), 12)


def predicted(number: int, state: Ints, weights: Weights) -> tuple[Ints, Ints]:
    """Means in 2^-6 steps, and logarithms of scales without those of the quality."""

    def layer(name: str, inputs: Ints) -> Ints:
        weight, bias = (
            weights.entropy(f"predictions.{number}.{name}.{part}", bits)
            for part, bits in (("weight", 12), ("bias", 22))
        )
        return convolution(weight, inputs) + bias[:, None, None]

    moved = rectified(state + weights.rungs(f"predictions.{number}.shift"))
    hidden = rectified(divided(layer("hidden", moved), 12))
    means, scales = np.split(layer("out", hidden), 2)
    return divided(means, 16), divided(scales, 12)


def convolution(weight: Ints, values: Ints) -> Ints:
    """The convolution of values (c, h, w) with a weight (o, c, k, k), zeros around."""
    k = weight.shape[-1]
    framed = np.pad(values, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(framed, (k, k), (1, 2))
    result: Ints = np.tensordot(weight, windows, ((1, 2, 3), (0, 3, 4)))
    return result


def divided(values: Ints, bits: int) -> Ints:
    """Values divided by 2^bits, halves up."""
    return values + (1 << bits >> 1) >> bits


def rectified(values: Ints) -> Ints:
    """The values within +-2^24, those below 0 divided by 8."""
    limited = np.clip(values, -(1 << 24), 1 << 24)
    return np.where(limited < 0, divided(limited, 3), limited)


def index_of(logarithms: Ints) -> Ints:
    """The indices of scales."""
    return np.clip((logarithms + 3296 + 60) // 120, 0, 63)


def synthesis(coefficients: Ints, weights: Weights) -> Planes:
    """What coefficients (a, rows, columns), or the first of them, add to planes (3, H, W)."""
    count, rows, columns = coefficients.shape
    steps, patches = weights.steps[:count, None, None], weights.patches[:count]
    amplitudes = np.clip(divided(coefficients * steps, 11), -(1 << 15), (1 << 15) - 1)
    reach = RANGE // 2
    sums = np.zeros((3, (rows + 1) * RANGE, (columns + 1) * RANGE), np.int64)
    for y, x in np.ndindex(rows, columns):
        top, left = y * RANGE, x * RANGE
        patch = np.tensordot(amplitudes[:, y, x], patches, 1)
        sums[:, top : top + 2 * RANGE, left : left + 2 * RANGE] += patch
    for axis in (1, 2):  # mirrored into the picture
        before, inside, after = np.split(sums, [reach, sums.shape[axis] - reach], axis)
        first, middle, last = np.split(inside, [reach, inside.shape[axis] - reach], axis)
        first, last = first + np.flip(before, axis), last + np.flip(after, axis)
        sums = np.concatenate([first, middle, last], axis)
    planes: Planes = (sums / (1 << 26)).astype(np.float32)
    return planes


def average(planes: Planes) -> Planes:
    """The average (1, H, W) of three planes, in their precision."""
    first, second, third = planes
    result: Planes = (first + second + third)[None] / 3
    return result


def linked(texture: Planes, stream: SymbolDecoder) -> Floats:
    """The fixed point of planes (3, H, W) and the links of a stream, in double precision."""
    height, width = texture.shape[1:]
    contrast, domain, isometry = read_links(stream, height // RANGE, width // RANGE)
    if contrast.any() and min(height, width) < 2 * RANGE:
        raise ValueError("the neural payload is damaged: links where no domain fits")
    y, x = np.indices((height, width))
    owner = y // RANGE * (width // RANGE) + x // RANGE
    contrast, domain, isometry = (values.ravel()[owner] for values in (contrast, domain, isometry))
    i, j = y % RANGE, x % RANGE
    row, column = np.where(isometry & 4, j, i), np.where(isometry & 4, i, j)
    row = np.where(isometry & 2, RANGE - 1 - row, row)
    column = np.where(isometry & 1, RANGE - 1 - column, column)
    top = np.clip(y - i - 24 + 16 * (domain // 3), 0, height - 2 * RANGE)
    left = np.clip(x - j - 24 + 16 * (domain % 3), 0, width - 2 * RANGE)
    row, column = (np.where(contrast, place, 0) for place in (top // 2 + row, left // 2 + column))
    planes: Floats = texture.astype(np.float64)
    for _ in range(1000):
        reduced = planes.reshape(3, height // 2, 2, width // 2, 2).mean((2, 4))
        copies = reduced[:, row, column]
        copies -= np.stack([averages(copy, owner)[owner] for copy in copies])
        before, planes = planes, texture + contrast / 8 * copies
        if np.abs(planes - before).max() < 1e-12:
            return planes
    raise ValueError("the neural payload is damaged: its links do not converge")


def read_links(stream: SymbolDecoder, rows: int, columns: int) -> tuple[Ints, Ints, Ints]:
    """Contrasts in eighths, domains and isometries (rows, columns), 0 where there is no link."""
    stream.kind = "links"
    stream.counts["links/contrast"] = np.array(
        [[*reversed(STRENGTHS), none, *STRENGTHS] for none in UNLINKED]
    )
    contrast, domain, isometry = np.zeros((3, rows, columns), np.int64)
    black = np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 0
    contrast[black] = stream.adaptive("contrast", np.zeros(black.sum(), np.int64)) - 7
    known = np.pad(contrast != 0, 1).astype(np.int64)
    around = known[:-2, 1:-1] + known[2:, 1:-1] + known[1:-1, :-2] + known[1:-1, 2:]
    contrast[~black] = stream.adaptive("contrast", 1 + around[~black]) - 7
    links = contrast != 0
    for values, count in ((domain, 9), (isometry, 8)):
        values[links] = [stream.uniform(count) for _ in range(links.sum())]
    return contrast, domain, isometry
