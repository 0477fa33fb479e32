import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from neural_collage.training.tasks.optimiser import (
    OptimiserConfig,
    learning_rate_factor,
    make_optimiser,
)


@pytest.fixture
def model() -> nn.Module:
    return nn.ModuleDict({"encoder": nn.Linear(3, 2), "operator": nn.Linear(2, 3)})


def test_learning_rate_rises_linearly_then_falls_along_a_cosine_to_the_floor() -> None:
    config = OptimiserConfig(warmup_steps=4, floor=0.1)
    factors = [learning_rate_factor(step, config, total=14) for step in range(16)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[4] == 1.0
    assert factors[9] == pytest.approx((1 + 0.1) / 2)  # halfway
    assert all(a > b for a, b in pairwise(factors[4:15]))
    assert factors[14] == factors[15] == pytest.approx(0.1)


def test_learning_rate_without_warm_up_starts_at_its_largest() -> None:
    assert learning_rate_factor(0, OptimiserConfig(), total=1) == 1.0
    assert math.isclose(learning_rate_factor(1, OptimiserConfig(), total=2), 0.5)


def test_vectors_are_not_decayed(model: nn.Module) -> None:
    groups = make_optimiser(model, OptimiserConfig(weight_decay=0.5)).param_groups
    assert {p.ndim: group["weight_decay"] for group in groups for p in group["params"]} == {
        2: 0.5,
        1: 0.0,
    }


def test_the_longest_matching_prefix_gives_the_multiplier(model: nn.Module) -> None:
    multipliers = {"operator.": 0.1, "operator.bias": 0.0}
    optimiser = make_optimiser(model, OptimiserConfig(1e-2, multipliers=multipliers))
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert {name: rates[id(p)] for name, p in model.named_parameters()} == {
        "encoder.weight": 1e-2,
        "encoder.bias": 1e-2,
        "operator.weight": pytest.approx(1e-3),
        "operator.bias": 0.0,
    }


def test_names_match_up_to_a_dot() -> None:
    model = nn.ParameterDict({"head": torch.ones(2, 2), "head_bias": torch.ones(2)})
    optimiser = make_optimiser(model, OptimiserConfig(1e-2, multipliers={"head": 0.5}))
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert [rates[id(model[name])] for name in ("head", "head_bias")] == [5e-3, 1e-2]


def test_frozen_parameters_are_left_out(model: nn.Module) -> None:
    model["encoder"].requires_grad_(False)  # type: ignore[index]
    optimiser = make_optimiser(model, OptimiserConfig())
    assert sum(len(group["params"]) for group in optimiser.param_groups) == 2
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="no trainable parameters"):
        make_optimiser(model, OptimiserConfig())


def test_a_multiplier_that_matches_no_parameter_is_refused(model: nn.Module) -> None:
    config = OptimiserConfig(multipliers={"operater": 0.1})
    with pytest.raises(ValueError, match=r"starts with operater: choose among encoder, operator"):
        make_optimiser(model, config)


def test_all_problems_are_reported_at_once() -> None:
    wrong: dict[str, Any] = {
        "learning_rate": 0.0,
        "weight_decay": -1.0,
        "betas": (0.9, 1.0),
        "warmup_steps": -1,
        "floor": 1.5,
        "multipliers": {"a": -1.0},
    }
    with pytest.raises(ValueError, match="expected") as caught:
        OptimiserConfig(**wrong)
    assert all(name in str(caught.value) for name in wrong)


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="learning_rate nan"):
        OptimiserConfig(learning_rate=math.nan)


def test_a_step_follows_adamw_with_these_settings(model: nn.Module) -> None:
    config = OptimiserConfig(1e-2, 0.1, betas=(0.8, 0.9))
    optimiser = make_optimiser(model, config)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    for (
        name,
        parameter,
    ) in model.named_parameters():  # the first step of Adam is the sign of the gradient
        decay = 1 - 1e-2 * (0.1 if parameter.ndim > 1 else 0.0)
        torch.testing.assert_close(parameter.detach(), before[name] * decay - 1e-2)
