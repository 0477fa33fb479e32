import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_collage.errors import CollageError
from neural_collage.evaluation.bd_rate import Curve, bd_rate

JPEG_LIKE = Curve([0.1, 0.2, 0.4, 0.8, 1.6], [22.0, 26.0, 29.0, 32.5, 36.0])


def _line(slope: float, offset: float, first: float, last: float) -> Curve:
    """A curve of log rate = slope * PSNR + offset, which PCHIP reproduces exactly."""
    psnrs = [first + (last - first) * step / 4 for step in range(5)]
    return Curve([math.exp(slope * psnr + offset) for psnr in psnrs], psnrs)


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    """Rising curves that all cover 28 to 30 dB."""
    psnrs = sorted({draw(st.floats(20, 28)), 28.0, 30.0, draw(st.floats(30, 40))})
    steps = draw(st.lists(st.floats(0.05, 1), min_size=len(psnrs), max_size=len(psnrs)))
    rates = [math.exp(sum(steps[: index + 1]) - 3) for index in range(len(psnrs))]
    return Curve(rates, psnrs)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3])
@pytest.mark.parametrize("rate_range", [None, (0.15, 0.7)])
def test_a_curve_of_scaled_rates_differs_by_that_scale(
    factor: float, rate_range: tuple[float, float] | None
) -> None:
    scaled = Curve([factor * rate for rate in JPEG_LIKE.rates], JPEG_LIKE.values)
    assert bd_rate(JPEG_LIKE, scaled, rate_range) == pytest.approx(100 * (factor - 1))


@given(curves(), curves())
def test_exchanging_the_curves_inverts_the_ratio(one: Curve, other: Curve) -> None:
    there, back = bd_rate(one, other), bd_rate(other, one)
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


@given(curves())
def test_the_order_of_the_points_does_not_matter(curve: Curve) -> None:
    reversed_curve = Curve(curve.rates[::-1], curve.values[::-1])
    assert bd_rate(curve, JPEG_LIKE) == bd_rate(reversed_curve, JPEG_LIKE)


def test_lines_are_averaged_over_the_overlap_of_their_psnrs() -> None:
    # log rates 0.20 p - 7 and 0.25 p - 9 over 25..32 dB: 0.05 p - 2 is -0.575 at the middle.
    found = bd_rate(_line(0.20, -7, 20, 32), _line(0.25, -9, 25, 40))
    assert found == pytest.approx(100 * (math.exp(-0.575) - 1))


def test_a_rate_range_clips_each_curve_by_its_own_rate() -> None:
    # At rates exp(-1)..exp(1) the lines span 20..30 and 24..32 dB; the middle of 24..30 is 27,
    # where their log rates are 0.4 and -0.25.
    reference, test = _line(0.2, -5, 15, 40), _line(0.25, -7, 15, 40)
    found = bd_rate(reference, test, (math.exp(-1), math.exp(1)))
    assert found == pytest.approx(100 * (math.exp(-0.25 - 0.4) - 1))


def test_a_rate_range_wider_than_the_curves_changes_nothing() -> None:
    other = Curve([0.1, 0.3, 1.0], [24.0, 29.0, 34.0])
    assert bd_rate(JPEG_LIKE, other, (1e-3, 1e3)) == pytest.approx(bd_rate(JPEG_LIKE, other))


def test_dominated_and_lossless_points_are_ignored() -> None:
    rates, psnrs = JPEG_LIKE
    with_others = Curve([*rates, 0.5, 0.4, 9.0], [*psnrs, 28.0, 28.5, math.inf])
    assert bd_rate(JPEG_LIKE, with_others) == pytest.approx(0, abs=1e-9)


def test_curves_that_share_no_psnr_are_refused() -> None:
    better = Curve(JPEG_LIKE.rates, [psnr + 20 for psnr in JPEG_LIKE.values])
    with pytest.raises(
        CollageError, match=r"quality in common: they span 22\.00\.\.36\.00 and 42\.00\.\.56\.00"
    ):
        bd_rate(JPEG_LIKE, better)


def test_a_rate_range_that_a_curve_never_enters_is_refused() -> None:
    with pytest.raises(CollageError, match=r"at 2\.\.3 bpp"):
        bd_rate(JPEG_LIKE, JPEG_LIKE, (2, 3))


@pytest.mark.parametrize("psnrs", [[30.0], [30.0, 30.0], [30.0, 29.0], [30.0, math.inf]])
def test_a_curve_without_two_rising_points_is_refused(psnrs: list[float]) -> None:
    with pytest.raises(CollageError, match="two points"):
        bd_rate(JPEG_LIKE, Curve([0.5, 1.0][: len(psnrs)], psnrs))


def test_without_scipy_the_extra_is_named() -> None:
    hide = "import sys; sys.modules['scipy.interpolate'] = None"
    program = f"{hide}; import neural_collage.evaluation.bd_rate"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.stderr.strip().endswith(
        'MissingExtraError: scipy.interpolate is not installed: pip install "neural-collage[bench]"'
    )
