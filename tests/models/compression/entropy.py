"""Entropy models with parameters of all kinds of values, as if they had learned something."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from neural_collage.models.compression.checkerboard import checkerboard
from neural_collage.models.compression.entropy_model import EntropyModel
from neural_collage.models.compression.integer_entropy import IntegerEntropy, logarithm_table


def in_integers(model: EntropyModel) -> IntegerEntropy:
    """The model in integers, as its decoder has it."""
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    return IntegerEntropy(tensors, model.groups, logarithm_table())


def black_ranges(rows: int, columns: int) -> Bool[Tensor, "rows columns"]:
    """True on the ranges that are coded first."""
    return torch.from_numpy(checkerboard(rows, columns))


def lively_entropy_model(
    groups: Sequence[int] = (2, 3, 4),
    width: int = 8,
    side: int = 3,
    rungs: int = 3,
    seed: int = 0,
    strength: float = 1.0,
    *,
    adaptive: bool = False,
) -> EntropyModel:
    """A model whose predictions depend on all that they may depend on."""
    torch.manual_seed(seed)
    model = EntropyModel(groups, width, side, rungs, adaptive=adaptive)
    with torch.no_grad():
        if model.gain is not None:
            model.gain.out.weight.normal_(0, 0.02 * strength)
        for name, parameter in model.named_parameters():
            if "rungs" in name or name.endswith("bias"):
                parameter.add_(0.5 * strength * torch.randn_like(parameter))
            elif "out.weight" in name:
                parameter.mul_(10 * strength)  # it starts small
        model.side_analysis[-1].weight.mul_(4)  # type: ignore[operator]
    return model
