import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from neural_collage.models.generation.hierarchical_vae import HierarchicalVae
from neural_collage.models.generation.hierarchy_config import EncoderStage
from neural_collage.models.generation.likelihoods import LikelihoodConfig
from neural_collage.models.generation.vdvae import Vdvae
from tests.models.generation.generators import (
    HIERARCHY,
    SIZE,
    collage_vae,
    every_kind,
    letters_vae,
    trained,
    zeroed,
)

KINDS = list(every_kind())


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> HierarchicalVae:
    """A model of each kind."""
    return every_kind()[request.param]


def _images(model: HierarchicalVae, count: int = 3) -> Tensor:
    return torch.rand(count, *model.picture_shape).round()


def test_rates_and_distortions_are_positive(model: HierarchicalVae) -> None:
    with torch.no_grad():
        bound = model(_images(model))
    assert bound.rates.shape == (3, len(model.stages))
    assert bool((bound.rates > 0).all())
    assert bool((bound.distortion > 0).all())
    torch.testing.assert_close(bound.total, bound.distortion + bound.rates.sum(1))


def test_rates_are_the_expected_log_ratio_of_posterior_and_prior(model: HierarchicalVae) -> None:
    images = _images(model, 1).expand(2000, -1, -1, -1)
    with torch.no_grad():
        inference = model.infer(images)
        bound = model.bound(images, inference)
        by_samples = -model.log_weight(images, inference) - bound.distortion
    gap = by_samples - bound.rates.sum(1)
    assert abs(float(gap.mean())) < 5 * float(gap.std()) / len(gap) ** 0.5


def test_more_samples_tighten_the_bound_and_one_gives_the_evidence_lower_bound(
    model: HierarchicalVae,
) -> None:
    images = _images(model, 1).expand(200, -1, -1, -1)
    with torch.no_grad():
        elbo = model(images).total
        one, many = (model.importance_bound(images, k) for k in (1, 16))
    error = 4 * float((one - elbo).std()) / len(elbo) ** 0.5
    assert float(one.mean()) == pytest.approx(float(elbo.mean()), abs=error)
    assert float(many.mean()) < float(elbo.mean())
    assert float(many.std()) < float(one.std())


def test_importance_weights_of_a_zeroed_model_are_constant() -> None:
    model = collage_vae()
    zeroed(model)
    count = 20
    images = _images(model, 1).expand(count, -1, -1, -1)
    with torch.no_grad():
        weights = model.log_weight(images, model.infer(images))
    # all logits are zero for any latents: every image has the probability 2^-pixels
    assert float(weights.mean()) == pytest.approx(-(SIZE**2) * math.log(2), rel=1e-4)
    assert float(weights.std()) < 1e-3


def test_the_latents_of_an_image_give_its_reconstruction(model: HierarchicalVae) -> None:
    with torch.no_grad():
        inference = model.infer(_images(model))
        again = model.sample(3, latents=inference.latents)
        for mine, theirs in zip(again.features, inference.features, strict=True):
            torch.testing.assert_close(mine, theirs)
        upper = model.sample(3, 0.0, latents=inference.latents[:1])
    torch.testing.assert_close(upper.latents[0], inference.latents[0])
    assert not torch.allclose(upper.latents[1], inference.latents[1])


def test_temperatures_scale_the_deviations_of_each_stage(model: HierarchicalVae) -> None:
    stages = len(model.stages)
    with torch.no_grad():
        cold = model.sample(2, 0.0)
        for step in cold.steps:
            torch.testing.assert_close(step.latents, step.prior.mean)
        first = model.sample(2, [1.0] + [0.0] * (stages - 1))
    deviations = [float((s.latents - s.prior.mean).abs().max()) for s in first.steps]
    layers = len(model.paths[0].each_stage[0].each_layer)
    assert all(d > 0 for d in deviations[:layers])
    assert all(d == 0 for d in deviations[layers:])


def test_interpolation_goes_from_one_reconstruction_to_the_other(model: HierarchicalVae) -> None:
    first, last = _images(model, 2).split(1)
    with torch.no_grad():
        between = model.interpolate(first, last, 5)
        shown = model.likelihood.mean(model.render(between.features))
        for position, end in ((0, first), (-1, last)):
            means = [s.posterior.mean for s in model.infer(end).steps if s.posterior]
            torch.testing.assert_close(between.latents[0][position], means[0][0])
    assert shown.shape == (5, *model.picture_shape)
    assert not torch.allclose(shown[0], shown[-1])


def test_gradients_reach_every_parameter(model: HierarchicalVae) -> None:
    model.train()(_images(model)).total.sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert without == []


def test_half_precision_changes_the_bound_by_less_than_one_percent(model: HierarchicalVae) -> None:
    images = _images(model, 200)
    with torch.no_grad():
        torch.manual_seed(1)
        exact = model(images).total.mean()
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(images).total.mean()
    assert float(rounded) == pytest.approx(float(exact), rel=0.01)


def test_a_model_is_saved_and_loaded(model: HierarchicalVae, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path)
    assert loaded.settings == model.settings
    images = _images(model)
    results = []
    for each in (model, loaded):
        torch.manual_seed(1)
        with torch.no_grad():
            results.append(each(images).total)
    torch.testing.assert_close(*results)


def test_decoder_parameters_counts_those_that_sampling_needs() -> None:
    model = trained(Vdvae(SIZE, hierarchy=HIERARCHY))
    model.sample(2).features[0].sum().backward()
    needed = {n for n, p in model.named_parameters() if p.grad is not None}
    needed |= {"pixels.weight", "pixels.bias"}
    assert model.decoder_parameters == sum(
        p.numel() for n, p in model.named_parameters() if n in needed
    )


def test_invalid_arguments_are_refused(model: HierarchicalVae) -> None:
    with pytest.raises(ValueError, match=f"images must be {model.picture_shape[0]}x12x12"):
        model.infer(torch.rand(1, model.picture_shape[0], SIZE, SIZE + 1))
    with pytest.raises(ValueError, match=r"0 or more, one number or .*1x1, 3x3"):
        model.sample(1, [1.0])
    with pytest.raises(ValueError, match="0 or more"):
        model.sample(1, -0.5)
    with pytest.raises(ValueError, match="samples must be at least 1"):
        model.importance_bound(_images(model), 0)


def test_an_instance_needs_render() -> None:
    class WithoutRender(HierarchicalVae):
        pass

    kinds: list[Any] = [HierarchicalVae, WithoutRender]
    for kind in kinds:
        with pytest.raises(TypeError, match=r"abstract.* '?render"):
            kind(SIZE, LikelihoodConfig(), HIERARCHY, {"": HIERARCHY.top_down}, {})


def test_the_first_planes_are_enough_for_the_expected_image(model: HierarchicalVae) -> None:
    planes = model.picture_shape[0]
    with torch.no_grad():
        features = model.sample(2).features
        for scale in (1, 2) if model.scalable else (1,):
            whole, first = (model.render(features, scale, planes=n) for n in (None, planes))
            torch.testing.assert_close(first, whole[:, :planes], atol=1e-5, rtol=0)
            expected = model.likelihood.mean(whole)
            torch.testing.assert_close(model.likelihood.mean(first), expected, atol=1e-5, rtol=0)


def test_a_vdvae_renders_regions_at_scale_one_only() -> None:
    model = trained(Vdvae(SIZE, hierarchy=HIERARCHY))
    with torch.no_grad():
        features = model.sample(1).features
        whole, part = model.render(features), model.render(features, region=(1, 2, 4, 3))
    assert torch.equal(part, whole[..., 2:5, 1:5])
    with pytest.raises(ValueError, match="scale 1 only, not 2"):
        model.render(features, 2)
    stages = (EncoderStage(8, 1, 4), *HIERARCHY.bottom_up[1:])
    with pytest.raises(ValueError, match="does not divide images"):
        Vdvae(16, hierarchy=replace(HIERARCHY, bottom_up=stages))


def test_classes_choose_what_is_drawn_and_are_checked() -> None:
    model = letters_vae()
    image = torch.rand(2, 1, SIZE, SIZE)
    with torch.no_grad():
        drawn = {}
        for label in range(3):
            torch.manual_seed(0)
            drawn[label] = model.sample(1, classes=torch.tensor([label])).features[0]
        assert not torch.allclose(drawn[0], drawn[1])
        assert not torch.allclose(drawn[1], drawn[2])
        torch.manual_seed(0)
        again = model.sample(1, classes=torch.tensor([1])).features[0]
        torch.testing.assert_close(again, drawn[1])
        assert model.sample(20).features[0].shape[0] == 20  # classes at random
        model(image, torch.tensor([0, 2]))
    wrong = (None, torch.tensor([0]), torch.tensor([0, 3]), torch.tensor([-1, 0]))
    for classes in wrong:
        with pytest.raises(ValueError, match="classes"):
            model.infer(image, classes)
    plain = every_kind()["vdvae"]
    with pytest.raises(ValueError, match="takes no classes"):
        plain.infer(_images(plain), torch.zeros(3).long())
