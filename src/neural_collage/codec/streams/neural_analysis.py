"""The latents that the network predicts for the tiles of a picture, in one pass."""

from collections.abc import Hashable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.codec.planes import to_triples
from neural_collage.codec.streams.tiles import Grid, Tile
from neural_collage.core.blocks import pad_to_multiple
from neural_collage.io.picture import Picture
from neural_collage.models.compression.analysis_transform import Margins
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.decoder_model import RANGE

_MOST_TILES = 16
"""Of the pictures whose latents are kept; those of a tile have 5 MB."""
Kept = dict[Hashable, Any]


class Planes:
    """The three planes of the colours or of alpha of a picture, as floats where they are read.

    number: of the planes in `planes.to_triples`.
    """

    def __init__(self, picture: Picture, grid: Grid, number: int) -> None:
        self.picture = picture
        self.grid = grid
        self.number = number

    def part(self, tile: Tile) -> Float[Tensor, "3 h w"]:
        """The pixels of whole ranges; those beyond the edges repeat the last ones."""
        window = self.picture.window(*tile.within(self.grid.whole, RANGE))
        return pad_to_multiple(to_triples(window)[self.number], RANGE)


def predicted_latents(
    network: CodecModel, planes: Planes, tile: Tile, quality: int, kept: Kept | None = None
) -> Float[Tensor, "a rows columns"]:
    """The latents of the ranges of a tile, not rounded.

    network: on the device where it is to run. kept: latents of the picture that is encoded, and of
    this quality; they are added to it.
    """
    picture = planes.picture
    state = id(network), picture.width, picture.height, quality
    if kept is None or len(planes.grid.tiles) > _MOST_TILES:
        return _predicted(network, planes, tile, quality)
    if kept.get("picture") is not picture or kept.get("state") != state:
        kept.clear()
        kept.update(picture=picture, state=state)
    key = planes.number, tile
    found: Tensor | None = kept.get(key)
    if found is None:
        found = kept[key] = _predicted(network, planes, tile, quality)
    return found


def _predicted(
    network: CodecModel, planes: Planes, tile: Tile, quality: int
) -> Float[Tensor, "a rows columns"]:
    grid = planes.grid
    seen = tile.grown(network.compressor.analysis.reach, grid.rows, grid.columns)
    margins = Margins(
        tile.top - seen.top,
        seen.top + seen.rows - tile.top - tile.rows,
        tile.left - seen.left,
        seen.left + seen.columns - tile.left - tile.columns,
    )
    part = planes.part(seen)
    with torch.inference_mode():
        where = next(network.parameters()).device
        return network.latents(part[None].to(where), quality, margins)[0].float().cpu()
