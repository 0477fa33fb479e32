"""The neural codec: latents of overlapping patches, and links, in one range-coded stream.

    1  parameters: bit 0 set if links follow the latents
    n  range-coded pictures of three planes: the colours, then alpha if there is one; then the links
       of each

A picture is cut into tiles of at most 64 x 64 ranges of 16 pixels. Tiles are coded independently,
one after the other, which bounds the memory; patches overlap across their edges. The symbols and
their order are those of `models.compression.integer_entropy`, and of `links`.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.codec.base import Layer
from neural_collage.codec.colour import to_triples
from neural_collage.codec.container import Header
from neural_collage.codec.entropy import FixedTables, SymbolReader, SymbolWriter
from neural_collage.codec.streams.device_copies import DeviceCopies
from neural_collage.codec.streams.links import (
    Links,
    code_links,
    domains_fit,
    find_links,
    initial_counts,
    linked_collage,
)
from neural_collage.codec.streams.neural_symbols import DecodedSymbols, EncodedSymbols
from neural_collage.codec.streams.tiles import Tile, tiles
from neural_collage.codec.weights import Weights, find_weights, weights_of
from neural_collage.core.blocks import pad_to_multiple
from neural_collage.core.lapped import LappedTexture
from neural_collage.errors import CheckpointError, CollageFormatError, NotConvergedError
from neural_collage.io.picture import Picture
from neural_collage.models.compression.analysis_transform import RANGE
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.compressor import CENTRE, bits_per_squared_error
from neural_collage.models.compression.integer_entropy import UNIT
from neural_collage.models.compression.refinement import refine

DEFAULT_MODEL = "natural"
ANALYSIS_MARGIN, REFINEMENT_MARGIN = 6, 2
"""Margins in ranges that the analysis transform and refinement read around a tile."""
MIN_EFFORT_FOR_LINKS = 6
ITERATIONS = {6: 4, 7: 12, 8: 40, 9: 120}
"""The most steps of refinement at each effort; at lower ones the latents are those of one pass."""
SMALL_GRID, SMALL_GRID_ITERATIONS = 16, 6
"""Pictures of at most so many ranges, most of which lie at the boundary, where the network predicts
poorly, are refined at every effort."""


def make_encoder(model: str = DEFAULT_MODEL) -> "NeuralStreams":
    """What encodes with the weights that a user names, see `weights.find_weights`.

    Raises:
        CheckpointError: there are no such weights, or they are not of a `CodecModel`.
    """
    return streams_of(find_weights(model))


def decode(payload: bytes, header: Header) -> tuple[Layer, ...]:
    """The collages of a payload, with the weights that its header names.

    Raises:
        CollageFormatError: damaged.
        CheckpointError: it needs weights that cannot be found.
    """
    if header.model is None:
        raise CollageFormatError("the file is damaged: it does not name its model")
    return streams_of(weights_of(header.model)).decode(payload, header)


class NeuralStreams:
    """Writes and reads the streams of one model; make it with `streams_of`.

    Attributes:
        model: what files of these weights carry.

    Raises CheckpointError if the weights are not of a `CodecModel`.
    """

    def __init__(self, weights: Weights) -> None:
        self.model = weights.model
        self._network = weights.build(CodecModel)
        self._copies = DeviceCopies(self._network)
        try:
            self._entropy = self._network.entropy
            self._tables = FixedTables(self._network.counts.numpy().astype(np.int64))
        except ValueError as error:
            raise CheckpointError(f"the weights {weights.name} are damaged: {error}") from error

    def encode(self, picture: Picture, *, quality: int, effort: int, device: str) -> bytes:
        """The payload of a picture."""
        return self.encode_layers(picture, quality=quality, effort=effort, device=device)[0]

    def encode_layers(
        self, picture: Picture, *, quality: int, effort: int, device: str
    ) -> tuple[bytes, tuple[Layer, ...]]:
        """The payload of a picture, and the collages that it decodes to."""
        writer, links, textures = SymbolWriter(), [], []
        for planes in to_triples(picture.pixels):
            texture = self._write_texture(writer, planes, quality, effort, device)
            textures.append(texture)
            if effort >= MIN_EFFORT_FOR_LINKS:
                links.append(_links(pad_to_multiple(planes, RANGE), texture, quality))
            else:
                links.append(Links.none(*(-(-side // RANGE) for side in planes.shape[1:])))
        linked = any(links)
        if linked:
            for of_planes in links:
                writer.counts = initial_counts()
                code_links(writer, *of_planes.size, of_planes)
        layers = tuple(
            Layer(linked_collage(texture, of_texture, picture.height, picture.width, CENTRE))
            for texture, of_texture in zip(textures, links, strict=True)
        )
        return bytes([linked]) + writer.finish(), layers

    def decode(self, payload: bytes, header: Header) -> tuple[Layer, ...]:
        """The collages of a payload: of the colours, and of alpha if there is one.

        Raises:
            CollageFormatError: damaged.
        """
        if not payload:
            raise CollageFormatError("the neural stream is empty")
        if payload[0] > 1:
            raise CollageFormatError(f"unknown parameters {payload[0]:#04x} of the neural stream")
        reader = SymbolReader(payload[1:])
        height, width = header.height, header.width
        rows, columns = -(-height // RANGE), -(-width // RANGE)
        textures = [
            self._read_texture(reader, header.quality, rows, columns)
            for _ in range(2 if header.channels in (2, 4) else 1)
        ]
        links = [Links.none(rows, columns) for _ in textures]
        if payload[0]:
            for number in range(len(links)):
                reader.counts = initial_counts()
                links[number] = code_links(reader, rows, columns, None)
                if links[number] and not domains_fit(rows, columns):
                    raise CollageFormatError(
                        "the neural stream is damaged: links in a picture that no domain fits into"
                    )
        reader.finish()
        try:
            return tuple(
                Layer(linked_collage(texture, of_texture, height, width, CENTRE))
                for texture, of_texture in zip(textures, links, strict=True)
            )
        except NotConvergedError as error:
            raise CollageFormatError(f"the neural stream is damaged: {error}") from error

    def _write_texture(
        self,
        writer: SymbolWriter,
        planes: Float[Tensor, "3 h w"],
        quality: int,
        effort: int,
        device: str,
    ) -> LappedTexture:
        """Write the latents of a picture; returns the texture that they decode to."""
        network = self._network
        rows, columns = (-(-side // RANGE) for side in planes.shape[1:])
        amplitudes = torch.zeros(network.config.n_patches, rows, columns, dtype=torch.int16)
        whole = Tile(0, 0, rows, columns)
        for tile, values in self._latents(planes, quality, device):
            near = tile.grown(REFINEMENT_MARGIN, rows, columns)
            small = rows * columns <= SMALL_GRID
            if iterations := max(ITERATIONS.get(effort, 0), small * SMALL_GRID_ITERATIONS):
                part = pad_to_multiple(planes[(..., *near.within(whole, RANGE))], RANGE)
                values = refine(
                    network, values, part, quality, iterations, self._trial_coder(quality)
                )
            values = values[(..., *tile.within(near))]
            source = EncodedSymbols(writer, self._tables, network, values, quality)
            quantised = self._entropy.run(source, quality, tile.rows, tile.columns)
            amplitudes[(..., *tile.within(whole))] = network.amplitudes(quantised, quality)
        return network.texture(amplitudes)

    def _trial_coder(self, quality: int) -> Callable[[Tensor], tuple[Tensor, float]]:
        """A function from latents to the quantised latents and bits that a file would have."""

        def code(values: Float[Tensor, "a rows columns"]) -> tuple[Tensor, float]:
            writer = SymbolWriter()
            source = EncodedSymbols(writer, self._tables, self._network, values, quality)
            quantised = self._entropy.run(source, quality, *values.shape[1:])
            return quantised.float() / UNIT, 8.0 * len(writer.finish())

        return code

    def _read_texture(
        self, reader: SymbolReader, quality: int, rows: int, columns: int
    ) -> LappedTexture:
        network = self._network
        amplitudes = torch.zeros(network.config.n_patches, rows, columns, dtype=torch.int16)
        source = DecodedSymbols(reader, self._tables)
        whole = Tile(0, 0, rows, columns)
        for tile in tiles(rows, columns):
            quantised = self._entropy.run(source, quality, tile.rows, tile.columns)
            amplitudes[(..., *tile.within(whole))] = network.amplitudes(quantised, quality)
        return network.texture(amplitudes)

    def _latents(
        self, planes: Float[Tensor, "3 h w"], quality: int, device: str
    ) -> Iterator[tuple[Tile, Float[Tensor, "a rows columns"]]]:
        """The latents of a picture, tile by tile with a margin of `REFINEMENT_MARGIN` ranges."""
        network = self._copies.on(device)
        rows, columns = (-(-side // RANGE) for side in planes.shape[1:])
        whole = Tile(0, 0, rows, columns)
        for tile in tiles(rows, columns):
            seen = tile.grown(ANALYSIS_MARGIN, rows, columns)
            part = pad_to_multiple(planes[(..., *seen.within(whole, RANGE))].to(device), RANGE)
            with torch.inference_mode():
                values = network.latents(part[None], quality)[0].cpu()
            yield (
                tile,
                values[(..., *tile.grown(REFINEMENT_MARGIN, rows, columns).within(seen))].float(),
            )


@lru_cache(maxsize=4)
def streams_of(weights: Weights) -> NeuralStreams:
    """The streams of these weights, shared by all that use them."""
    return NeuralStreams(weights)


def _links(planes: Float[Tensor, "3 h w"], texture: LappedTexture, quality: int) -> Links:
    """The links that lower the cost, or none if their fixed point does not converge."""
    links = find_links(planes, texture, CENTRE, bits_per_squared_error(quality))
    try:
        linked_collage(texture, links, planes.shape[1], planes.shape[2], CENTRE)
    except NotConvergedError:
        return Links.none(*links.contrast.shape)
    return links
