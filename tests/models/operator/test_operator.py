from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neural_collage.core.blocks import pool
from neural_collage.core.fixed_point import Anderson, Picard
from neural_collage.errors import NotContractiveError, NotConvergedError
from neural_collage.models.operator.block_solver import Pyramid
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.operator import CollageOperator
from tests.models.operator.operators import (
    CASES,
    Case,
    Parameters,
    apply_operator,
    looped_step,
    make_operator,
    random_parameters,
)

SOLVERS = [Pyramid(), Pyramid(coarse=Picard()), Pyramid(coarse=Anderson()), Picard(), Anderson()]
LARGE = OperatorConfig(image_size=(64, 48), range_size=8, isometries="rotations", n_patches=2)


def at_scale_one(name: str, **choices: Any) -> tuple[CollageOperator, Parameters, Tensor]:
    operator, parameters = make_operator(CASES[name], **choices), random_parameters(CASES[name])
    with torch.no_grad():
        return operator, parameters, apply_operator(operator, parameters)


@pytest.mark.parametrize("name", CASES)
def test_the_image_is_the_fixed_point_of_the_map_as_defined(name: str) -> None:
    operator, parameters, images = at_scale_one(name)
    weights, bias, patches, links = parameters
    one = Parameters(
        weights[1:],
        bias[1:],
        None if patches is None else patches[1:],
        None if links is None else links[1:],
    )
    height, width = operator.config.canvas_size
    z = torch.zeros(operator.config.channels, height, width, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(70):
            z = looped_step(operator, one, z)
    height, width = operator.config.image_size
    torch.testing.assert_close(images[1], z[:, :height, :width], atol=1e-12, rtol=0)


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_all_solvers_give_the_same_image(name: str, solver: Pyramid | Picard | Anderson) -> None:
    _, _, expected = at_scale_one(name)
    _, _, images = at_scale_one(name, solver=solver)
    torch.testing.assert_close(images, expected, atol=1e-13, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", CASES)
def test_averaging_an_enlarged_image_gives_the_image(name: str, scale: int) -> None:
    operator, parameters, images = at_scale_one(name)
    with torch.no_grad():
        enlarged = apply_operator(operator, parameters, scale=scale)
    assert enlarged.shape[2:] == tuple(scale * n for n in operator.config.image_size)
    torch.testing.assert_close(pool(enlarged, scale), images, atol=1e-12, rtol=0)


@pytest.mark.parametrize("scale", [1, 2, 0.6, 1.7])
@pytest.mark.parametrize("name", ["plain", "quadtree of domains", "links", "patches alone"])
def test_a_region_is_a_crop_of_the_image(name: str, scale: float) -> None:
    operator, parameters, _ = at_scale_one(name)
    with torch.no_grad():
        whole = apply_operator(operator, parameters, scale=scale)
        region = apply_operator(operator, parameters, scale=scale, region=(1, 2, 3, 2))
    torch.testing.assert_close(region, whole[:, :, 2:4, 1:4], atol=1e-12, rtol=0)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_the_first_channels_alone_are_those_of_the_image(name: str, scale: int) -> None:
    operator, parameters, _ = at_scale_one(name)
    channels = operator.config.channels
    with torch.no_grad():
        whole = apply_operator(operator, parameters, scale=scale)
        for count in range(1, channels + 1):
            first = apply_operator(operator, parameters, scale=scale, channels=count)
            torch.testing.assert_close(first, whole[:, :count], atol=1e-12, rtol=0)
    with pytest.raises(ValueError, match=f"channels must be 1 to {channels}, not 9"):
        apply_operator(operator, parameters, channels=9)


@pytest.mark.parametrize("name", CASES)
def test_the_contraction_bound_holds_for_the_linear_part(name: str) -> None:
    operator, parameters, _ = at_scale_one(name)
    bound = operator.contraction(parameters.weights, parameters.links)
    assert (bound <= operator.config.bound + 1e-12).all()
    start = torch.randn(2, 2, *operator.config.canvas_size, dtype=torch.float64)
    mapping = operator.mapping(*parameters)
    size = operator.config.range_size
    if not operator.config.reductions:
        assert torch.equal(bound, torch.zeros(2, dtype=torch.float64))
        return
    start = start[:, : operator.config.channels]
    moved = mapping.linear(start, size).abs().amax((1, 2, 3, 4))
    assert (moved <= bound * start.abs().amax((1, 2, 3)) + 1e-12).all()


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("mixing", ["bounded", "softmax"])
def test_contraction_holds_for_any_weights(mixing: Any, size: float) -> None:
    operator = CollageOperator(replace(LARGE, mixing=mixing))
    weights = size * torch.randn(3, *operator.config.weights_shape)
    assert (operator.contraction(weights) < 1).all()
    assert operator(weights, torch.rand(3, *operator.config.bias_shape)).isfinite().all()


def test_bounded_weights_within_the_bound_are_unchanged() -> None:
    weights = torch.zeros(1, *LARGE.weights_shape)
    weights[..., 0], weights[..., 1] = 0.5, -0.2
    operator = CollageOperator(LARGE)
    bias = torch.rand(1, *LARGE.bias_shape)
    torch.testing.assert_close(operator.contraction(weights), torch.tensor([0.7]))
    assert torch.equal(operator.mapping(weights, bias).weights, weights)


def test_softmax_mixes_sources_as_a_weighted_mean() -> None:
    case = CASES["softmax"]
    weights = make_operator(case).mapping(*random_parameters(case)).weights
    own = case.config.n_own
    total = weights[..., :own].sum(-1) / case.config.bound + weights[..., own:].sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total))
    assert (weights > 0).all()


def test_patch_share_scales_domain_and_patch_weights() -> None:
    case = CASES["learned patches"]
    parameters = random_parameters(case)
    plain = make_operator(case).mapping(*parameters).weights
    shared = make_operator(Case(replace(case.config, patch_share=0.3))).mapping(*parameters).weights
    own = case.config.n_own
    torch.testing.assert_close(shared[..., :own], 0.7 * plain[..., :own])
    torch.testing.assert_close(shared[..., own:], 0.3 * plain[..., own:])


@pytest.mark.parametrize("scale", [1, 2])
def test_a_trajectory_converges_to_the_image_from_any_start(scale: int) -> None:
    operator, parameters, _ = at_scale_one("links")
    weights, bias, patches, links = parameters
    image = apply_operator(operator, parameters, scale=scale)
    noise = torch.randn(image.shape, dtype=torch.float64)
    for initial in (None, noise):
        with torch.no_grad():
            path = operator.trajectory(
                weights, bias, patches, links=links, steps=60, initial=initial, scale=scale
            )
        assert len(path) == 61
        assert torch.equal(path[0], torch.zeros_like(image) if initial is None else noise)
        torch.testing.assert_close(path[-1], image, atol=1e-12, rtol=0)
        errors = (path - image).abs().flatten(1).amax(1)
        bound = float(operator.contraction(weights, links).max())
        assert (errors[1:] <= bound * errors[:-1] + 1e-12).all()


@pytest.mark.parametrize(
    "name", ["plain", "size that does not tile", "all isometries", "links", "given patches",
             "per channel", "patches alone", "softmax over links"]
)  # fmt: skip
def test_collages_are_the_same_images_at_any_scale(name: str) -> None:
    operator, parameters, images = at_scale_one(name)
    weights, bias, patches, links = parameters
    with torch.no_grad():
        collages = operator.collages(weights, bias, patches, links=links)
        enlarged = apply_operator(operator, parameters, scale=4, region=(5, 6, 7, 8))
    for collage, image, detail in zip(collages, images, enlarged, strict=True):
        torch.testing.assert_close(collage.decode(), image, atol=1e-12, rtol=0)
        window = collage.decode(4, (5, 6, 7, 8))
        torch.testing.assert_close(window, detail, atol=1e-12, rtol=0)


def test_parameters_are_rounded_to_the_step() -> None:
    config = replace(LARGE, step=0.25)
    weights, bias = torch.rand(1, *config.weights_shape) / 99, torch.rand(1, *config.bias_shape)
    mapping = CollageOperator(config).mapping(weights, bias)
    assert torch.equal(mapping.weights, torch.zeros_like(weights))
    assert torch.equal(mapping.bias, torch.round(4 * bias) / 4)


def test_half_precision_parameters_are_solved_in_single_precision() -> None:
    operator = CollageOperator(LARGE)
    weights = torch.randn(1, *LARGE.weights_shape).bfloat16()
    bias = torch.rand(1, *LARGE.bias_shape).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = operator(weights, bias)
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, operator(weights.float(), bias.float()))
    image.sum().backward()
    assert bias.grad is not None
    assert bias.grad.dtype == torch.bfloat16


def test_vmap_over_elimination() -> None:
    case = CASES["plain"]
    operator = make_operator(case, validate=False)
    weights, bias, _, _ = random_parameters(case, batch=6)
    mapped = torch.func.vmap(operator)(
        weights.view(3, 2, *weights.shape[1:]), bias.view(3, 2, 2, -1)
    )
    torch.testing.assert_close(mapped.flatten(0, 1), operator(weights, bias))


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # raised by the compiler's tracing
@pytest.mark.parametrize("method", [{}, {"solver": Picard()}], ids=["pyramid", "picard"])
def test_compiled_models_give_the_same_images_and_gradients(method: dict[str, Any]) -> None:
    case = CASES["learned patches"]
    weights, bias, _, _ = random_parameters(case)
    operator = make_operator(case, **method)
    results = []

    def double(weights: Tensor, bias: Tensor) -> Tensor:
        image: Tensor = 2 * operator(weights, bias)
        return image

    for run in (double, torch.compile(double, backend="aot_eager")):
        leaves = [weights.clone().requires_grad_(), bias.clone().requires_grad_()]
        image = run(*leaves)
        results.append([image, *torch.autograd.grad(image.square().sum(), leaves)])
    torch.testing.assert_close(*results)


def test_a_state_dict_holds_learned_and_style_patches_and_nothing_else() -> None:
    assert list(make_operator(CASES["plain"]).state_dict()) == []
    assert list(make_operator(CASES["learned patches"]).state_dict()) == ["patches"]
    style = make_operator(CASES["style"])
    assert list(style.state_dict()) == ["patches"]
    assert not list(style.parameters())


def test_style_patches_are_cut_in_raster_order() -> None:
    image = torch.rand(2, 4, 5)
    operator = CollageOperator(CASES["style"].config, style=image)
    assert operator.patches is not None
    torch.testing.assert_close(operator.patches[1], image[:, :2, 2:4])
    torch.testing.assert_close(operator.patches[2], image[:, 2:4, :2])


def test_learned_patches_start_as_orthogonal_cosines_of_unit_power() -> None:
    patches = CollageOperator(OperatorConfig(n_patches=70)).patches
    assert patches is not None
    flat = patches.detach().flatten(1)
    torch.testing.assert_close(flat.square().mean(1), torch.ones(70))
    torch.testing.assert_close(flat[:63].mean(1), torch.zeros(63), atol=1e-6, rtol=0)
    cosine = functional.cosine_similarity(flat[:, None], flat[None], dim=2)
    torch.testing.assert_close(cosine, torch.eye(70), atol=1e-5, rtol=0)


def bad_call(**changes: Any) -> dict[str, Any]:
    weights, bias = torch.zeros(2, *LARGE.weights_shape), torch.zeros(2, *LARGE.bias_shape)
    return {"weights": weights, "bias": bias, **changes}


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (bad_call(weights=torch.zeros(2, 1, 48, 7)), r"weights must be \(2, 1, 48, 50\), not"),
        (bad_call(bias=torch.zeros(2, 1, 48)), r"bias must be \(2, 3, 48\), not \(2, 1, 48\)"),
        (bad_call(patches=torch.zeros(2, 2, 3, 8, 8)), "patches must not be passed"),
        (bad_call(bias=torch.full((2, 3, 48), torch.nan)), "bias must be finite"),
        (bad_call(weights=torch.full((2, 1, 48, 50), torch.inf)), "weights must be finite"),
        (
            bad_call(links=torch.zeros(3, 48, 50, dtype=torch.int64)),
            r"links of \(3, 48, 50\) do not",
        ),
        (bad_call(links=torch.full((48, 50), 50)), r"in 0\.\.49, not 50\.\.50"),
        (bad_call(links=torch.full((48, 50), -1)), r"in 0\.\.49, not -1\.\.-1"),
        (bad_call(scale=0), "scale must be a positive number"),
        (bad_call(scale=float("nan")), "scale must be a positive number"),
        (bad_call(region=(0, 0, 49, 1)), "does not lie inside"),
    ],
)
def test_invalid_arguments_are_refused(call: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        CollageOperator(LARGE)(**call)


def test_given_patches_are_required_in_the_right_shape() -> None:
    case = CASES["given patches"]
    weights, bias, _, _ = random_parameters(case)
    operator = make_operator(case)
    with pytest.raises(ValueError, match="patches must be passed"):
        operator(weights, bias)
    with pytest.raises(ValueError, match=r"patches must be \(2, 2, 2, 2, 2\)"):
        operator(weights, bias, torch.zeros(2, 2, 2, 3, 3, dtype=torch.float64))


def test_free_weights_must_contract_unless_validate_is_false() -> None:
    case = Case(replace(CASES["plain"].config, mixing="free"))
    weights, bias, _, _ = random_parameters(case)
    weights = weights * 1.2 / weights.abs().sum(-1, keepdim=True)
    with pytest.raises(NotContractiveError, match=r"sum to 1\.2"):
        make_operator(case)(weights, bias)
    assert (make_operator(case).contraction(weights) > 1.19).all()
    # signs differ, so that the map contracts although its bound is above 1
    assert make_operator(case, validate=False)(weights, bias).isfinite().all()


@pytest.mark.parametrize("solver", [Picard(), Anderson(), Pyramid(coarse=Picard())], ids=str)
def test_a_map_that_does_not_contract_raises_unless_throw_is_false(solver: Any) -> None:
    case = Case(replace(LARGE, mixing="free", n_patches=0))
    weights = torch.full((1, *case.config.weights_shape), 2.0 / case.config.n_sources)
    bias = torch.ones(1, *case.config.bias_shape)
    operator = CollageOperator(case.config, solver=solver, validate=False)
    if isinstance(solver, Anderson):  # converges even to repelling fixed points
        operator = CollageOperator(case.config, solver=Anderson(max_steps=2), validate=False)
    with pytest.raises(NotConvergedError, match="may not contract"):
        operator(weights.float(), bias)
    unconverged = CollageOperator(
        case.config, solver=Picard(max_steps=3), validate=False, throw=False
    )
    assert unconverged(weights, bias).shape == (1, 3, 64, 48)


@pytest.mark.parametrize("sizes", [(16, 8), (32, 16), (8,)])
def test_collages_need_one_reduction(sizes: tuple[int, ...]) -> None:
    config = OperatorConfig(domain_sizes=sizes)
    operator = CollageOperator(config)
    with pytest.raises(ValueError, match="one factor above 1"):
        operator.collages(torch.zeros(1, *config.weights_shape), torch.zeros(1, *config.bias_shape))


def test_a_style_needs_an_image_with_enough_patches() -> None:
    config = CASES["style"].config
    with pytest.raises(ValueError, match="style is the image"):
        CollageOperator(config)
    with pytest.raises(ValueError, match="has 2 patches of 2 pixels in 2 channels, 3 in 2"):
        CollageOperator(config, style=torch.rand(2, 2, 5))
    with pytest.raises(ValueError, match="style is the image"):
        CollageOperator(CASES["plain"].config, style=torch.rand(2, 4, 4))


def test_trajectories_are_refused_where_ranges_are_not_whole_pixels() -> None:
    weights, bias = torch.zeros(1, *LARGE.weights_shape), torch.zeros(1, *LARGE.bias_shape)
    with pytest.raises(ValueError, match="not whole pixels"):
        CollageOperator(LARGE).trajectory(weights, bias, steps=1, scale=0.3)
    with pytest.raises(ValueError, match="initial must be"):
        CollageOperator(LARGE).trajectory(weights, bias, steps=1, initial=torch.zeros(1, 3, 8, 8))
