import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.heads import CollageCode, Heads, range_averages
from neural_collage.models.operator.operator import CollageOperator
from tests.models.operator.operators import CASES

WIDTH = 6
CONFIGS = {name: case.config for name, case in CASES.items() if case.n_links == 0}
CONTRACTIVE = {name: config for name, config in CONFIGS.items() if config.mixing != "free"}


def _operator(config: OperatorConfig) -> CollageOperator:
    style = torch.rand(config.channels, 32, 32) if config.patches == "style" else None
    return CollageOperator(config, style=style)


def _random(heads: Heads, size: float) -> Heads:
    for parameter in heads.parameters():
        nn.init.normal_(parameter, std=size)
    return heads


def _code(heads: Heads, operator: CollageOperator) -> tuple[CollageCode, torch.Tensor]:
    config = operator.config
    averages = torch.rand(2, config.channels, *config.grid)
    return heads(torch.randn(2, WIDTH, *config.grid), averages, operator), averages


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_operator_decodes_the_code(config: OperatorConfig) -> None:
    operator = _operator(config)
    code, _ = _code(_random(Heads(WIDTH, config), 0.01), operator)
    assert code.weights.shape[1:] == config.weights_shape
    assert code.decode(operator).shape == (2, config.channels, *config.image_size)


@pytest.mark.parametrize("config", CONTRACTIVE.values(), ids=CONTRACTIVE)
def test_ranges_have_the_predicted_averages_for_any_weights(config: OperatorConfig) -> None:
    operator = _operator(config)
    heads = _random(Heads(WIDTH, config), 1.0)
    nn.init.zeros_(heads.brightness.weight)
    nn.init.constant_(heads.brightness.bias, 0.25)
    code, averages = _code(heads, operator)
    height, width = (side // config.range_size for side in config.image_size)  # those uncropped
    found = range_averages(code.decode(operator), config)
    torch.testing.assert_close(
        found[..., :height, :width], averages[..., :height, :width] + 0.25, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("config", CONTRACTIVE.values(), ids=CONTRACTIVE)
def test_gradients_reach_every_parameter(config: OperatorConfig) -> None:
    operator, heads = _operator(config), Heads(WIDTH, config)
    parameters = {**dict(heads.named_parameters()), **dict(operator.named_parameters())}
    optimiser = torch.optim.SGD(parameters.values(), lr=0.1)
    for _ in range(
        2
    ):  # gradients of keys and patches are zero until queries and patch weights are not
        optimiser.zero_grad()
        code, _ = _code(heads, operator)
        target = torch.rand(2, config.channels, *config.image_size)
        (code.decode(operator) - target).square().sum().backward()
        optimiser.step()
    untouched = [n for n, p in parameters.items() if p.grad is None or not p.grad.any()]
    assert untouched == []


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), size=st.sampled_from([1e-3, 1.0, 1e3, 1e10]))
def test_every_code_contracts(seed: int, size: float) -> None:
    torch.manual_seed(seed)
    config = OperatorConfig(image_size=(16, 16), range_size=4, domain_sizes=(8, 4), n_patches=2)
    operator = CollageOperator(config)
    code, _ = _code(_random(Heads(WIDTH, config), size), operator)
    assert (operator.contraction(code.weights) < 1).all()


def test_the_number_of_parameters_does_not_grow_with_the_image() -> None:
    def parameters(side: int) -> int:
        config = OperatorConfig(image_size=(side, side), n_patches=4)
        return sum(p.numel() for p in Heads(WIDTH, config).parameters())

    assert parameters(32) == parameters(512)
