"""Entropy models with parameters of all kinds of values, and sources of symbols for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool
from torch import Tensor

from neural_collage.models.compression.checkerboard import checkerboard
from neural_collage.models.compression.entropy_model import EntropyModel
from neural_collage.models.compression.integer_entropy import (
    UNIT,
    IntegerEntropy,
    Pass,
    logarithm_table,
)
from neural_collage.models.compression.integer_layers import IntArray


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


@dataclass
class Encoder:
    """A `SymbolSource` that rounds coefficients to symbols, and records requests and symbols."""

    values: npt.NDArray[Any]
    side_latents: npt.NDArray[Any]
    requests: list[tuple[Any, ...]] = field(default_factory=list)
    symbols: list[IntArray] = field(default_factory=list)

    def side(self, scales: IntArray) -> IntArray:
        return self._answer((scales,), self.side_latents)

    def coefficients(self, part: Pass, means: IntArray, scales: IntArray) -> IntArray:
        values = self.values[part.channels][:, part.sites]
        deviations = values / part.gains - means / UNIT
        return self._answer((part, means, scales), deviations)

    def _answer(self, request: tuple[Any, ...], exact: npt.NDArray[Any]) -> IntArray:
        self.requests.append(request)
        self.symbols.append(np.where(request[-1] > 0, np.rint(exact).astype(np.int64), 0))
        return self.symbols[-1]


class Decoder:
    """A `SymbolSource` that replays the symbols of an encoder, and checks that requests agree."""

    def __init__(self, encoder: Encoder) -> None:
        self._recorded = list(zip(encoder.requests, encoder.symbols, strict=True))

    def side(self, scales: IntArray) -> IntArray:
        return self._next((scales,))

    def coefficients(self, part: Pass, means: IntArray, scales: IntArray) -> IntArray:
        return self._next((part, means, scales))

    def finish(self) -> None:
        assert not self._recorded

    def _next(self, request: tuple[Any, ...]) -> IntArray:
        expected, symbols = self._recorded.pop(0)
        for got, recorded in zip(_flat(request), _flat(expected), strict=True):
            if isinstance(got, np.ndarray):
                np.testing.assert_array_equal(got, recorded, strict=True)
            else:
                assert got == recorded
        return symbols


def _flat(request: Sequence[Any]) -> list[Any]:
    return [x for part in request for x in (part if isinstance(part, Pass) else (part,))]
