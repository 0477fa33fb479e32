"""Conversion of a batch of maps to `core.Collage`, for files and for deep zooms."""

import torch
from jaxtyping import Int64
from torch import Tensor

from neural_collage.core.collage import Collage
from neural_collage.core.partition import Partition
from neural_collage.models.operator.block_map import BlockMap
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.mixing import own_sources


def to_collages(mapping: BlockMap) -> list[Collage]:
    """Each map of a batch as a `core.Collage`; see `CollageOperator.collages`.

    Raises ValueError unless there is one reduction, above 1, and enlarge="cosine".
    """
    config = mapping.config
    reductions = set(config.reductions) or {config.octave}
    if len(reductions) > 1 or 1 in reductions:
        raise ValueError(
            f"a Collage reduces all its domains by one factor above 1, not {config.reductions}"
        )
    if config.enlarge != "cosine":
        raise ValueError(
            f'a Collage enlarges its patches by cosines, not enlarge="{config.enlarge}"'
        )
    (reduction,) = reductions
    corners, isometries = _source_table(config)
    corners, isometries = corners.to(mapping.bias.device), isometries.to(mapping.bias.device)
    weights, links = mapping.weights, mapping.links
    if links is None:
        links = torch.arange(config.n_own, device=weights.device)
        links = links.expand(len(weights), config.n_ranges, -1)
        weights = weights[..., : config.n_own]
    own = own_sources(config, links)
    weights = torch.where(own, weights, 0)
    links = links.clamp_max(max(config.n_own - 1, 0)) if config.n_own else links[..., :0]
    patches = mapping.patches
    patch_weights = mapping.dense_weights()[..., config.n_own :]
    if patches is not None:
        patches = patches.expand(len(weights), *patches.shape[1:])
    return [
        Collage(
            Partition.uniform(*config.image_size, config.range_size).to(weights.device),
            corners[links[index]],
            isometries[links[index]],
            weights[index, ..., : links.shape[-1]],
            mapping.bias[index],
            None if patches is None else patches[index],
            None if patches is None else patch_weights[index],
            reduction,
        )
        for index in range(len(weights))
    ]


def _source_table(config: OperatorConfig) -> tuple[Int64[Tensor, "n 2"], Int64[Tensor, " n"]]:
    """Top left corner and isometry of each domain source, in order."""
    height, width = config.canvas_size
    rows = [
        (y, x, code)
        for size in config.domain_sizes
        for y in range(0, height - size + 1, size)
        for x in range(0, width - size + 1, size)
        for code in config.isometry_codes
    ]
    table = torch.tensor(rows, dtype=torch.int64).reshape(-1, 3)
    return table[:, :2], table[:, 2]
