"""The encoder of the neural codec: one pass of the network, refinement, RDOQ, and links."""

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.codec.base import Layer
from neural_collage.codec.collage_layer import CollageLayer
from neural_collage.codec.entropy import FixedTables, SymbolWriter
from neural_collage.codec.planes import to_triples
from neural_collage.codec.precision.steps import BASE_QUALITY, step_of_quality
from neural_collage.codec.streams.device_copies import DeviceCopies
from neural_collage.codec.streams.linked import find_links, linked_collage
from neural_collage.codec.streams.links import Links, code_links, initial_counts
from neural_collage.codec.streams.neural import (
    SEGMENTED,
    Amplitudes,
    TextureLayer,
    TiledTexture,
    decoder_of,
    linked_layers,
)
from neural_collage.codec.streams.neural_analysis import Kept, Planes, predicted_latents
from neural_collage.codec.streams.neural_streams import Streams
from neural_collage.codec.streams.neural_symbols import ChosenSymbols, write_runs
from neural_collage.codec.streams.precise import (
    Precision,
    precise_textures,
    shown_channels,
)
from neural_collage.codec.streams.precise_encoder import choose_numbers
from neural_collage.codec.streams.tiles import Grid, Tile
from neural_collage.codec.weights import Weights, find_weights
from neural_collage.core.arrays.lapped import Texture
from neural_collage.core.scales import Window
from neural_collage.errors import NotConvergedError
from neural_collage.io.picture import Picture
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.compressor import bits_per_squared_error
from neural_collage.models.compression.decoder_model import CENTRE
from neural_collage.models.compression.distortion.mixture import Shares, distortion
from neural_collage.models.compression.integer_entropy import UNIT
from neural_collage.models.compression.integer_layers import IntArray
from neural_collage.models.compression.refinement import refine
from neural_collage.runtime import in_threads

DEFAULT_MODEL = "natural"
REFINEMENT_MARGIN = 2
"""The margin in ranges that refinement reads around a tile."""
MIN_EFFORT_FOR_LINKS = 6
ITERATIONS = {6: 4, 7: 12, 8: 40, 9: 120}
"""The most steps of refinement at each effort; at lower ones the latents are those of one pass."""
SMALL_GRID, SMALL_GRID_ITERATIONS = 16, 6
"""Pictures of at most so many ranges, most of which lie at the boundary, where the network predicts
poorly, are refined at every effort."""


_SHIFT = 0.2
"""Natural logarithm of what RDOQ has to weigh errors with for files like those of the next
quality."""


def make_encoder(model: str = DEFAULT_MODEL) -> "NeuralEncoder":
    """What encodes with the weights that a user names, see `weights.find_weights`.

    Raises:
        CheckpointError: there are no such weights, or they are not of a `CodecModel`.
    """
    return encoder_of(find_weights(model))


@lru_cache(maxsize=4)
def encoder_of(weights: Weights) -> "NeuralEncoder":
    """The encoder of these weights, shared by all that use them."""
    return NeuralEncoder(weights)


def chosen_symbols(
    network: CodecModel,
    tables: FixedTables,
    values: Float[Tensor, "a rows columns"],
    quality: int,
    error_weight: float = 1.0,
) -> ChosenSymbols:
    """What chooses the symbols of latents, as at this quality.

    error_weight: what RDOQ weighs errors with, relative to that of the quality.
    """
    with torch.inference_mode():
        weights = network.rdoq_weights(values, quality).expand(values.shape)
        if error_weight != 1:
            weights = weights * error_weight
        side = network.side_latents(values[None])[0]
    n_groups = len(network.config.groups)
    return ChosenSymbols(tables, n_groups, values.numpy(), side.numpy(), weights.numpy())


class NeuralEncoder:
    """Writes the streams of one model; make it with `encoder_of`.

    Attributes:
        model: what files of these weights carry.

    Raises CheckpointError if the weights are not of a `CodecModel`.
    """

    def __init__(self, weights: Weights) -> None:
        self.model = weights.model
        self._network = weights.build(CodecModel)
        self._copies = DeviceCopies(self._network)
        self._decoder = decoder_of(weights)
        self._fraction = 0.0
        self._kept: Kept | None = None

    def shifted(self, fraction: float, kept: Kept) -> "NeuralEncoder":
        """See `base.FractionalEncoder`."""
        encoder = copy(self)
        encoder._fraction, encoder._kept = fraction, kept
        return encoder

    def encode(self, picture: Picture, *, quality: int, effort: int, device: str) -> bytes:
        """The payload of a picture."""
        return self.encode_layers(picture, quality=quality, effort=effort, device=device)[0]

    def encode_layers(
        self, picture: Picture, *, quality: int, effort: int, device: str
    ) -> tuple[bytes, tuple[Layer, ...]]:
        """The payload of a picture, and the layers that it decodes to."""
        how = _Settings(quality, effort, device)
        if (step := step_of_quality(quality + self._fraction)) is not None:
            precision = Precision(BASE_QUALITY, step)
            found = self._encode_precise(picture, replace(how, quality=BASE_QUALITY), precision)
            if found is not None:
                return found
        error_weight = math.exp(_SHIFT * self._fraction)
        return self._encode(picture, replace(how, error_weight=error_weight))

    def _encode(self, picture: Picture, how: "_Settings") -> tuple[bytes, tuple[Layer, ...]]:
        """The payload of a picture without a precision layer, and its layers."""
        grid, streams, coded = self._encode_textures(picture, how)
        links = [Links.none(grid.rows, grid.columns) for _ in coded]
        if how.effort >= MIN_EFFORT_FOR_LINKS:
            model, shares = self._decoder.model, self._network.config.shares
            for number, amplitudes in enumerate(coded):
                texture = Texture(amplitudes, model.bank, model.unit)
                planes = Planes(picture, grid, number).part(grid.whole)
                links[number] = _links(planes, texture, grid, how.quality, shares)

        def write_links(writer: SymbolWriter) -> None:
            for of_planes in links:
                writer.counts = initial_counts()
                code_links(writer, grid.rows, grid.columns, of_planes)

        payload = streams.finish(write_links if any(links) else None)
        return payload, linked_layers(self._textures(payload, coded, grid, how), links, grid)

    def _encode_precise(
        self, picture: Picture, how: "_Settings", precision: Precision
    ) -> tuple[bytes, tuple[Layer, ...]] | None:
        """The payload of a picture with a precision layer, and its layers; None if that is empty.

        how: of the base.
        """
        grid, streams, coded = self._encode_textures(picture, how)
        tables = self._decoder.tables
        layers = []
        for number, (base, channels) in enumerate(
            zip(
                self._textures(b"", coded, grid, how),
                shown_channels(len(picture.mode)),
                strict=True,
            )
        ):
            planes = Planes(picture, grid, number)
            chosen = choose_numbers(
                base, planes.part, grid, precision.step, channels, tables, streams.keep
            )
            streams.add_precise(chosen.tiles)
            layers.append(chosen.numbers)
        if not any(numbers.any() for numbers in layers):
            return None
        payload = streams.finish(None, precision)
        textures = precise_textures(
            self._textures(payload, coded, grid, how), grid, len(picture.mode), precision, tables
        )
        for texture, numbers in zip(textures, layers, strict=True):
            texture.set_numbers(numbers)
        return payload, tuple(TextureLayer(texture, grid) for texture in textures)

    def _encode_textures(
        self, picture: Picture, how: "_Settings"
    ) -> tuple[Grid, Streams, list[Amplitudes]]:
        """The grid of a picture, its streams, and amplitudes (a, rows, columns) of each part."""
        grid = Grid(picture.height, picture.width, len(to_triples(picture.window(slice(1)))))
        streams = Streams(self._decoder.tables, grid)
        coded = []
        for number in range(grid.pictures):
            planes = Planes(picture, grid, number)
            streams.begin_picture()
            coded.append(self._write_tiles(streams, planes, grid, how))
        return grid, streams, coded

    def _textures(
        self, payload: bytes, coded: list[Amplitudes], grid: Grid, how: "_Settings"
    ) -> list[TiledTexture]:
        """The textures of a payload with these amplitudes."""
        in_segments = bool(payload and payload[0] & SEGMENTED)
        return [
            TiledTexture(self._decoder, how.quality, grid, amplitudes, in_segments=in_segments)
            for amplitudes in coded
        ]

    def _write_tiles(
        self,
        streams: Streams,
        planes: Planes,
        grid: Grid,
        how: "_Settings",
    ) -> Amplitudes:
        """Write the latents of a picture; returns the amplitudes (a, rows, columns) of patches."""
        model, network = self._decoder.model, self._copies.on(how.device)
        amplitudes = np.zeros((model.n_patches, grid.rows, grid.columns), np.int16)

        def write_tile(tile: Tile) -> None:
            values = self._latents(network, planes, tile, grid, how)
            chosen, quantised = self._choose(values, how)
            amplitudes[(..., *tile.within(grid.whole))] = model.amplitudes(quantised, how.quality)
            streams.add(tile, chosen.runs)

        in_threads(write_tile, grid.tiles)
        return amplitudes

    def _choose(
        self, values: Float[Tensor, "a r c"], how: "_Settings"
    ) -> tuple[ChosenSymbols, IntArray]:
        """The symbols of latents, and what these are quantised to, in 1 / UNIT steps."""
        tables, quality = self._decoder.tables, how.quality
        chosen = chosen_symbols(self._network, tables, values, quality, how.error_weight)
        quantised = self._decoder.model.entropy.run(chosen, quality, *values.shape[1:])
        return chosen, quantised

    def _trial_coder(self, how: "_Settings") -> Callable[[Tensor], tuple[Tensor, float]]:
        """A function from latents to the quantised latents and bits that a file would have."""

        def code(values: Float[Tensor, "a rows columns"]) -> tuple[Tensor, float]:
            writer = SymbolWriter()
            chosen, quantised = self._choose(values, how)
            for runs in chosen.runs:
                write_runs(writer, self._decoder.tables, runs)
            return torch.from_numpy(quantised).float() / UNIT, 8.0 * len(writer.finish())

        return code

    def _latents(
        self,
        network: CodecModel,
        planes: Planes,
        tile: Tile,
        grid: Grid,
        how: "_Settings",
    ) -> Float[Tensor, "a rows columns"]:
        """The latents of a tile, not rounded; network: on the device where it is to run."""
        small = grid.rows * grid.columns <= SMALL_GRID
        iterations = max(ITERATIONS.get(how.effort, 0), small * SMALL_GRID_ITERATIONS)
        near = tile.grown(REFINEMENT_MARGIN if iterations else 0, grid.rows, grid.columns)
        values = predicted_latents(network, planes, near, how.quality, self._kept)
        if iterations:
            part = planes.part(near)
            coder = self._trial_coder(how)
            values = refine(self._network, values, part, how.quality, iterations, coder)
        return values[(..., *tile.within(near))]


@dataclass(frozen=True)
class _Settings:
    """What a payload is encoded with; error_weight: see `chosen_symbols`."""

    quality: int
    effort: int
    device: str
    error_weight: float = 1.0


def _links(
    padded: Float[Tensor, "3 h w"], texture: Texture, grid: Grid, quality: int, shares: Shares
) -> Links:
    """The links that lower the cost, or none if all together do not, or have no fixed point.

    shares: of the distortion.
    """
    none = Links.none(grid.rows, grid.columns)
    bits_per_error = bits_per_squared_error(quality)
    links = find_links(padded, texture, CENTRE, bits_per_error)
    if not links:
        return none
    height, width = padded.shape[1:]
    try:
        linked = CollageLayer(linked_collage(texture, links, height, width, CENTRE))
    except NotConvergedError:
        return none
    whole = Window(0, 0, height, width)
    decoded = torch.from_numpy(linked.window(Fraction(1), whole))
    plain = torch.from_numpy(texture.window(Fraction(1), whole)) + CENTRE
    errors = distortion(torch.stack([decoded, plain]), padded.expand(2, -1, -1, -1), shares)
    saved = float(errors[1] - errors[0]) * padded.numel() / 255**2 * bits_per_error
    writer = SymbolWriter()
    writer.counts = initial_counts()
    code_links(writer, grid.rows, grid.columns, links)
    return links if 8 * len(writer.finish()) < saved else none
