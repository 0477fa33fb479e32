"""The paper's compressor as a codec: tiles of rounded collages in one range-coded stream.

Poli et al. 2022, arXiv 2204.07673; the network is `models.poli2022`. The picture, its last row and
column repeated up to whole tiles, is cut into independent tiles. Grey, and alpha after the colours,
are coded as three equal planes, which decoding averages: the model has colour only, and this is a
reference, not a codec to use.

A payload is one range-coded stream: for each tile in raster order, for each of R, G and B, for
each of the four ranges in raster order, the weight of the domain, those of the patches, and the
bias, as whole numbers of hundredths, -100 to 100. The decoder reads whole numbers and the patches,
and uses no other part of the network. The counts that come with the weights start the tables of
each channel's parameters, which adapt as those of the fractal codec do.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.codec.base import Layer
from neural_collage.codec.collage_layer import CollageLayer
from neural_collage.codec.container import Header, ModelId
from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.codec.planes import to_triples
from neural_collage.codec.streams.device_copies import DeviceCopies
from neural_collage.codec.weights import shipped_weights
from neural_collage.core.blocks import cut, pad_to_multiple
from neural_collage.core.collage import Collage
from neural_collage.core.partition import Partition
from neural_collage.core.scales import round_up
from neural_collage.errors import CollageFormatError
from neural_collage.io.picture import Picture
from neural_collage.models.poli2022 import CHANNELS, RANGES, TileCompressor, TileCompressorConfig

NAME = "poli2022"
_TABLE = "parameters"
_TILES_AT_ONCE = 256


@lru_cache
def make_encoder() -> "Poli2022Streams":
    """What encodes with the weights that come with the package."""
    weights = shipped_weights(NAME)
    return Poli2022Streams(weights.build(TileCompressor), weights.model)


def decode(payload: bytes, header: Header) -> tuple[Layer, ...]:
    """The collages of a payload: of the colours, and of alpha if there is one.

    Raises:
        CollageFormatError: damaged, or written with other weights.
    """
    return make_encoder().decode(payload, header)


class Poli2022Streams:
    """Writes and reads streams with one network and its tables, which must not change any more.

    Attributes:
        compressor: the network.
        model: its identity, which files carry.
    """

    def __init__(self, compressor: TileCompressor, model: ModelId) -> None:
        self.compressor = compressor
        self.model = model
        self._copies = DeviceCopies(compressor)

    def encode(self, picture: Picture, *, quality: int, effort: int, device: str) -> bytes:
        """The payload of a picture; there is one quality and one effort."""
        compressor = self._copies.on(device)
        triples = to_triples(picture.pixels.to(device))
        return write_symbols(compressor, [tile_symbols(compressor, t) for t in triples])

    def decode(self, payload: bytes, header: Header) -> tuple[Layer, ...]:
        """The collages of a payload: of the colours, and of alpha if there is one.

        Raises:
            CollageFormatError: damaged, or written with other weights.
        """
        if header.model != self.model:
            raise CollageFormatError(
                f"the file needs the weights {_describe(header.model)}, this program has "
                f"{_describe(self.model)}: use the version that wrote the file"
            )
        config = self.compressor.config
        rows, columns = (-(-side // config.tile) for side in (header.height, header.width))
        reader = SymbolReader(payload)
        reader.counts = _tables(self.compressor)
        layers: list[Layer] = []
        for _ in range(2 if header.channels in (2, 4) else 1):
            contexts = _contexts(config, rows * columns)
            values = reader.symbols(_TABLE, contexts) - config.levels
            shape = (rows * columns, CHANNELS, RANGES, config.n_parameters)
            symbols = torch.from_numpy(values.reshape(shape))
            layers.append(CollageLayer(self._collage(symbols, header.height, header.width)))
        reader.finish()
        return tuple(layers)

    def _collage(self, symbols: Int64[Tensor, "n 3 4 p"], height: int, width: int) -> Collage:
        config = self.compressor.config
        if int(symbols[..., 0].abs().max()) > config.bound * config.levels:
            raise CollageFormatError(
                f"the stream is damaged: a weight of {int(symbols[..., 0].abs().max())} hundredths "
                f"is beyond the bound {config.bound}"
            )
        patches = self.compressor.operator.patches
        return picture_collage(
            config, symbols, height, width, None if patches is None else patches.detach().cpu()
        )


def cut_tiles(planes: Float[Tensor, "3 h w"], tile: int) -> Float[Tensor, "n 3 t t"]:
    """The tiles of a picture in raster order; its last row and column are repeated to fill them."""
    return cut(pad_to_multiple(planes, tile), tile).transpose(0, 1)


def tile_symbols(
    compressor: TileCompressor, planes: Float[Tensor, "3 h w"]
) -> Int64[Tensor, "n 3 4 p"]:
    """The rounded parameters of the tiles of a picture, on the CPU."""
    tiles = cut_tiles(planes, compressor.config.tile)
    with torch.no_grad():
        codes = [compressor.symbols(compressor.encode(t)) for t in tiles.split(_TILES_AT_ONCE)]
    return torch.cat(codes).cpu()


def write_symbols(
    compressor: TileCompressor, pictures: Sequence[Int64[Tensor, "_ 3 4 p"]]
) -> bytes:
    """The payload of the tiles of one or two pictures of three planes."""
    config = compressor.config
    writer = SymbolWriter()
    writer.counts = _tables(compressor)
    for symbols in pictures:
        values = symbols.numpy().ravel() + config.levels
        writer.symbols(_TABLE, _contexts(config, len(symbols)), values)
    return writer.finish()


def picture_collage(
    config: TileCompressorConfig,
    symbols: Int64[Tensor, "n 3 4 p"],
    height: int,
    width: int,
    patches: Float[Tensor, "a 3 s s"] | None,
) -> Collage:
    """The tiles of a picture as one collage: each range reads the tile that it lies in.

    Each tile decodes to what `TileCompressor.decode` makes of it.
    """
    size, tile = config.range_size, config.tile
    canvas_height, canvas_width = round_up(height, tile), round_up(width, tile)
    blocks = Partition.uniform(canvas_height, canvas_width, size).blocks
    # (rows of tiles, columns, channel, row in the tile, column in it, parameter), to raster order
    grid = symbols.view(canvas_height // tile, canvas_width // tile, CHANNELS, 2, 2, -1)
    by_range = grid.permute(2, 0, 3, 1, 4, 5).reshape(CHANNELS, len(blocks), -1)
    parameters = by_range.float() * (1 / config.levels)
    has_patches = patches is not None
    return Collage(
        Partition(height, width, blocks),
        blocks[:, None, :2] // tile * tile,
        torch.zeros(len(blocks), 1, dtype=torch.int64),
        parameters[..., :1].contiguous(),
        parameters[..., -1].contiguous(),
        patches,
        parameters[..., 1:-1].contiguous() if has_patches else None,
    )


def _tables(compressor: TileCompressor) -> dict[str, npt.NDArray[np.int64]]:
    """A fresh copy of the counts that ship, for one stream to adapt."""
    return {_TABLE: compressor.counts.cpu().numpy().astype(np.int64)}


def _contexts(config: TileCompressorConfig, n_tiles: int) -> npt.NDArray[np.int64]:
    """The table of each symbol: one for each parameter of a range in each channel."""
    tables = np.arange(CHANNELS * config.n_parameters).reshape(CHANNELS, 1, config.n_parameters)
    shape = (n_tiles, CHANNELS, RANGES, config.n_parameters)
    return np.broadcast_to(tables, shape).reshape(-1).astype(np.int64)


def _describe(model: ModelId | None) -> str:
    return "of no model" if model is None else f"{model.name} {model.digest.hex()}"
