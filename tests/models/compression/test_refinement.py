"""Refinement keeps the best code that it met, and ends when it meets no better one."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neural_collage.core.lapped import synthesise
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.compressor import bits_per_squared_error
from neural_collage.models.compression.decoder_model import CENTRE, STEP_BITS
from neural_collage.models.compression.distortion.mixture import distortion
from neural_collage.models.compression.refinement import PATIENCE, refine
from tests.models.compression.codecs import SMALL, lively_compressor

QUALITY = 50


def rounded(values: Tensor) -> tuple[Tensor, float]:
    """Whole steps, of which each costs a bit."""
    return values.round(), float(values.round().abs().sum())


def setting(visual: float = 0.0) -> tuple[CodecModel, Tensor, Tensor]:
    """A model, coefficients (a, 2, 3) in steps, and a picture of as many ranges."""
    model = CodecModel.finish(lively_compressor(replace(SMALL, visual=visual)))
    values = 3 * torch.randn(SMALL.n_patches, 2, 3)
    return model, values, torch.rand(3, 32, 48)


def cost(model: CodecModel, values: Tensor, planes: Tensor) -> float:
    steps = (model.steps[QUALITY - 1].float() * 2.0**-STEP_BITS)[:, None, None]
    decoded = synthesise((values.round() * steps)[None], model.compressor.patches) + CENTRE
    error = float(distortion(decoded.detach(), planes[None], model.config.shares))
    error *= planes.numel() / 255**2
    return rounded(values)[1] + bits_per_squared_error(QUALITY) * error


@pytest.mark.parametrize("visual", [0.0, 0.5, 1.0])
def test_refinement_lowers_the_cost(visual: float) -> None:
    model, values, planes = setting(visual)
    refined = refine(model, values, planes, QUALITY, 10, rounded)
    assert cost(model, refined, planes) < 0.9 * cost(model, values, planes)


def test_without_an_improvement_the_latents_stay_and_iteration_stops_after_patience() -> None:
    model, values, planes = setting()
    bits: list[float] = []

    def rising_bits(values: Tensor) -> tuple[Tensor, float]:
        bits.append(1e9 * len(bits))
        return torch.randn_like(values), bits[-1]

    assert torch.equal(refine(model, values, planes, QUALITY, 100, rising_bits), values)
    assert len(bits) == PATIENCE + 1


def test_refinement_stops_at_a_fixed_point() -> None:
    model, values, planes = setting()
    seen = []

    def always_the_same(values: Tensor) -> tuple[Tensor, float]:
        seen.append(values)
        return torch.zeros_like(values), 1.0

    refine(model, values, planes, QUALITY, 100, always_the_same)
    assert len(seen) == 2
