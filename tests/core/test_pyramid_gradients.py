from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neural_collage.core.collage import Collage
from neural_collage.core.fixed_point import Gradient
from neural_collage.core.partition import Partition
from tests.core.collages import Recipe, close

SMALL = [
    Recipe(7, 12, (4, 2), step=4, channels=2, sources=2, shared=False, patches=2),
    Recipe(7, 9, (3,), pooling=3, step=9, channels=2, patches=1),
    Recipe(1, 5, (4, 2), step=4, patches=1),  # some ranges have no room for a domain
    Recipe(1, 1, (1,), patches=1),
]

VIEWS = {
    "1x": lambda collage: collage.decode(),
    "2x": lambda collage: collage.decode(2),
    "reduced": lambda collage: collage.decode(0.6),
    "between": lambda collage: collage.decode(1.7),
    "window": lambda collage: collage.decode(16, (11, 1, 2, 2)),
    "window between": lambda collage: collage.decode(20.3, (11, 1, 2, 2)),
}


def with_parameters(collage: Collage, parameters: tuple[Tensor, ...]) -> Collage:
    weights, bias, patches, patch_weights = parameters
    return replace(
        collage, weights=weights, bias=bias, patches=patches, patch_weights=patch_weights
    )


def parameters_of(collage: Collage) -> tuple[Tensor, ...]:
    assert collage.patches is not None
    assert collage.patch_weights is not None
    given = (collage.weights, collage.bias, collage.patches, collage.patch_weights)
    return tuple(p.clone().requires_grad_() for p in given)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("recipe", SMALL, ids=str)
def test_gradients_agree_with_finite_differences(
    recipe: Recipe, view: Callable[[Collage], Tensor]
) -> None:
    collage = recipe.make()
    room = collage.domains_fit[:, None].expand_as(collage.weights)
    weights, *rest = parameters_of(collage)

    def decode(weights: Tensor, *rest: Tensor) -> Tensor:
        return view(with_parameters(collage, (torch.where(room, weights, 0), *rest)))

    assert torch.autograd.gradcheck(
        decode, (weights, *rest), check_undefined_grad=False, fast_mode=True
    )


def test_all_components_of_gradients_agree_with_finite_differences() -> None:
    collage = Recipe(5, 8, (4,), step=4, channels=2, shared=False, patches=1).make()

    def decode(*parameters: Tensor) -> Tensor:
        return with_parameters(collage, parameters).decode(1)[:, ::4, ::3]

    assert torch.autograd.gradcheck(decode, parameters_of(collage), check_undefined_grad=False)


@pytest.mark.parametrize("recipe", SMALL, ids=str)
def test_implicit_and_unrolled_gradients_agree(recipe: Recipe) -> None:
    collage = recipe.make()
    target = torch.rand_like(collage.decode(2))

    def gradients(gradient: Gradient) -> tuple[Tensor, ...]:
        parameters = parameters_of(collage)
        image = with_parameters(collage, parameters).decode(2, gradient=gradient)
        return torch.autograd.grad(
            ((image - target) ** 2).mean(), parameters, allow_unused=True, materialize_grads=True
        )

    for implicit, unrolled in zip(gradients("implicit"), gradients("unrolled"), strict=True):
        close(implicit, unrolled)


def test_a_weight_of_zero_has_a_gradient() -> None:
    """Needed to train networks whose weights are initialised to zero; in windows, too."""
    collage = Recipe(8, 8, (4,), step=4).make()
    weights = torch.zeros_like(collage.weights).requires_grad_()
    flat = replace(collage, weights=weights)  # each range equals its bias

    def slope(image: Tensor) -> Tensor:
        return torch.autograd.grad(image.mean(), weights)[0][0, 0, 0]

    torch.testing.assert_close(slope(flat.decode(1, (0, 0, 4, 4))), collage.bias.mean())
    in_a_corner = slope(flat.decode(16, (0, 0, 4, 4)))
    assert float((in_a_corner - collage.bias).abs().min()) < 1e-12


@pytest.mark.parametrize("scale", [1, 16])
def test_a_weight_without_room_has_no_gradient(scale: int) -> None:
    partition = Partition.uniform(4, 12, 4)
    weights = torch.zeros(1, 3, 1, requires_grad=True)
    zeros = torch.zeros(3, 1, dtype=torch.int64)
    bias = torch.rand(1, 3, requires_grad=True)
    collage = Collage(partition, torch.zeros(3, 1, 2, dtype=torch.int64), zeros, weights, bias)
    image = collage.decode(scale, (2, 1, 2, 2))
    gradient, of_bias = torch.autograd.grad(
        image.sum(), (weights, bias), allow_unused=True, materialize_grads=True
    )
    assert torch.equal(gradient, torch.zeros(1, 3, 1))
    torch.testing.assert_close(of_bias.sum(), torch.tensor(4.0))
