import math

import pytest
import torch

from neural_collage.core.metrics import psnr_of


def test_psnr_in_decibels() -> None:
    errors = torch.tensor([1.0, 0.1, 1e-4, 0.0])
    assert psnr_of(errors).tolist() == pytest.approx([0, 10, 40, math.inf])


def test_psnr_depends_on_the_ratio_of_error_and_peak() -> None:
    errors = torch.rand(5, 3, dtype=torch.float64)
    torch.testing.assert_close(psnr_of(255**2 * errors, peak=255), psnr_of(errors))
    torch.testing.assert_close(psnr_of(errors), -10 * errors.log10())
    assert psnr_of(errors).shape == (5, 3)
