"""The integer entropy model: close to the float model, and exact in any order of summation."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from neural_collage.models.compression import integer_entropy, integer_layers
from neural_collage.models.compression.checkerboard import checkerboard
from neural_collage.models.compression.compressor import CompressorConfig
from neural_collage.models.compression.entropy_model import EntropyModel
from neural_collage.models.compression.integer_entropy import (
    LARGEST_LOGARITHM,
    N_SCALES,
    PASSES,
    SCALE_PITCH,
    SMALLEST_SCALE,
    UNIT,
    IntegerEntropy,
    logarithm_table,
    scale_of,
)
from neural_collage.models.compression.integer_layers import (
    FloatArray,
    IntArray,
    relative_steps,
)
from neural_collage.models.compression.ladder import level_of
from neural_collage.models.compression.logistic import LARGEST_SCALE, logistic_bits
from tests.models.compression.entropy import Decoder, Encoder, in_integers, lively_entropy_model
from tests.threads import threads

QUALITIES = (1, 38, 50, 100)
EXACT = 2.0**53
LARGEST_SYMBOL = 1 << 23  # that can be escaped
Product = Callable[[FloatArray, FloatArray], FloatArray]


def encode(
    model: EntropyModel, values: Tensor, quality: int, entropy: IntegerEntropy | None = None
) -> tuple[IntArray, Encoder]:
    with torch.no_grad():
        encoder = Encoder(values.numpy(), model.side_latents(values[None])[0].numpy())
    entropy = entropy or in_integers(model)
    return entropy.run(encoder, quality, *values.shape[1:]), encoder


@dataclass(frozen=True)
class Case:
    """A model of random weights and random coefficients."""

    groups: tuple[int, ...] = (2, 3, 4)
    width: int = 8
    rows: int = 5
    columns: int = 4
    seed: int = 0
    adaptive: bool = False

    def __str__(self) -> str:
        steps = "adaptive" if self.adaptive else "common"
        return f"{'+'.join(map(str, self.groups))}x{self.rows}x{self.columns}-{self.seed}-{steps}"

    def make(self) -> tuple[EntropyModel, Tensor]:
        model = lively_entropy_model(
            self.groups, self.width, seed=self.seed, adaptive=self.adaptive
        ).eval()
        spread = 4 / (1 + torch.arange(sum(self.groups)))
        return model, spread[:, None, None] * torch.randn(len(spread), self.rows, self.columns)


CASES = [
    Case(),
    Case((4,), rows=1, columns=1),
    Case((1, 1, 1, 5), rows=1, columns=6, seed=1),
    Case((3, 9), width=24, rows=6, columns=7, seed=2),
    Case(adaptive=True),
    Case((4, 2), width=24, rows=3, columns=7, seed=3, adaptive=True),
]


class Recorder:
    """Records the largest number that a model computes, and may replace its matrix products."""

    def __init__(self, product: Product = integer_layers.product) -> None:
        self.products = 0
        self.largest = 0.0  # of all numbers, and of all partial sums in whatever order
        self._product = product

    def __enter__(self) -> "Recorder":
        self._patch = pytest.MonkeyPatch()
        recorded = {"product": self._multiplied}
        # all sums of products, biases and states enter one of these
        for module, name in (
            (integer_layers, "shifted"),
            (integer_layers, "rectified"),
            (integer_entropy, "_scale_index"),
        ):
            recorded[name] = self._recorded(getattr(module, name))
        for module in (integer_layers, integer_entropy):
            for name, function in recorded.items():
                if hasattr(module, name):
                    self._patch.setattr(module, name, function)
        return self

    def __exit__(self, *error: object) -> None:
        self._patch.undo()

    def _multiplied(self, a: FloatArray, b: FloatArray) -> FloatArray:
        self.products += 1
        self._record(np.abs(a) @ np.abs(b))
        return self._product(a, b)

    def _recorded(
        self, function: Callable[..., npt.NDArray[Any]]
    ) -> Callable[..., npt.NDArray[Any]]:
        def recorded(values: FloatArray, *others: Any) -> npt.NDArray[Any]:
            self._record(values)
            result: npt.NDArray[Any] = function(values, *others)
            self._record(result)
            return result

        return recorded

    def _record(self, values: npt.NDArray[Any]) -> None:
        self.largest = max(self.largest, float(np.abs(values).max(initial=0)))


def in_whole_numbers(a: FloatArray, b: FloatArray) -> FloatArray:
    np.testing.assert_array_equal(a, np.rint(a))
    np.testing.assert_array_equal(b, np.rint(b))
    return (a.astype(np.int64) @ b.astype(np.int64)).astype(np.float64)


def in_another_order(a: FloatArray, b: FloatArray) -> FloatArray:
    result = np.zeros((len(a), b.shape[1]))
    for n in np.random.default_rng(0).permutation(a.shape[1]):
        result = result + a[:, n : n + 1] * b[n]
    return result


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_means_scales_and_bits_approximate_the_float_model(
    case: Case, quality: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the same symbols: means to a hundredth of a step, scales to the pitch of their grid."""
    model, values = case.make()
    quantised, encoder = encode(model, values, quality)
    level = torch.tensor([level_of(quality)])
    floats: list[tuple[Tensor, Tensor]] = []
    for prediction in model.predictions:
        prediction.register_forward_hook(lambda _, __, output: floats.append(output))
    side = torch.from_numpy(encoder.symbols[0])
    monkeypatch.setattr(model, "side_latents", lambda _: side[None].float())
    expected_values = torch.from_numpy(quantised).float() / UNIT
    with torch.no_grad():
        rate = model(expected_values[None], level)
        base = model.log_scale(level)[0]
    pitch_of_steps = 0.5 / 32 * math.log(2) if case.adaptive else 0
    torch.testing.assert_close(
        rate.quantised[0],
        expected_values,
        atol=0.02 + 0.02 * case.adaptive,
        rtol=1.1 * pitch_of_steps,
    )
    log_scales = torch.tensor([math.log(scale_of(n)) for n in range(N_SCALES)])
    bits = 0.0
    recorded = zip(encoder.requests[1:], encoder.symbols[1:], floats, strict=True)
    for (part, means, scales), symbols, (mean, log_scale) in recorded:
        sites = torch.from_numpy(part.sites)
        given = torch.from_numpy(means) / UNIT
        torch.testing.assert_close(given, mean[0][:, sites], atol=0.02, rtol=0)
        expected = (log_scale[0][:, sites] + base[part.channels, None]).clamp(
            math.log(SMALLEST_SCALE), math.log(LARGEST_SCALE)
        )
        chosen = log_scales[torch.from_numpy(scales)]
        pitch = SCALE_PITCH / 1024
        torch.testing.assert_close(chosen, expected, atol=0.55 * pitch, rtol=0)
        bits += float(logistic_bits(torch.from_numpy(symbols).double(), chosen.double()).sum())
    assert bits == pytest.approx(
        float(rate.bits), rel=0.02 + pitch_of_steps, abs=0.5 + case.adaptive
    )
    side_scale = log_scales[torch.from_numpy(encoder.requests[0][0].copy())]
    side_bits = float(logistic_bits(side.double(), side_scale.double()).sum())
    assert side_bits == pytest.approx(
        float(rate.side_bits), rel=0.02 + 0.01 * case.adaptive, abs=0.5
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_encoder_and_decoder_request_the_same_symbols(case: Case) -> None:
    model, values = case.make()
    for quality in QUALITIES:
        entropy = in_integers(model)
        quantised, encoder = encode(model, values, quality, entropy)
        decoder = Decoder(encoder)
        again = entropy.run(decoder, quality, case.rows, case.columns)
        np.testing.assert_array_equal(again, quantised)
        decoder.finish()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_first_groups_do_not_depend_on_the_others(case: Case) -> None:
    model, values = case.make()
    entropy = in_integers(model)
    quantised, encoder = encode(model, values, 50, entropy)
    for count in range(1, len(case.groups) + 1):
        known = sum(case.groups[:count])
        # requests of the other groups would not be answered
        first = Encoder(encoder.values, encoder.side_latents)
        first.requests = encoder.requests[: 1 + PASSES * count]
        first.symbols = encoder.symbols[: 1 + PASSES * count]
        decoder = Decoder(first)
        part = entropy.run(decoder, 50, case.rows, case.columns, count)
        decoder.finish()
        np.testing.assert_array_equal(part, quantised[:known], strict=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_coefficient_is_requested_once(case: Case) -> None:
    model, values = case.make()
    quantised, encoder = encode(model, values, 50)
    rows, columns = case.rows, case.columns
    assert encoder.requests[0][0].shape == (3, -(-rows // 2), -(-columns // 2))
    visits = np.zeros_like(quantised)
    for number, (part, means, scales) in enumerate(encoder.requests[1:]):
        group, last = divmod(number, PASSES)
        assert part.group == group
        np.testing.assert_array_equal(part.sites, checkerboard(rows, columns) != bool(last))
        assert means.shape == scales.shape == (case.groups[group], int(part.sites.sum()))
        assert bool(((scales >= 0) & (scales < N_SCALES)).all())
        visits[part.channels][:, part.sites] += 1
    assert bool((visits == 1).all())
    requests, symbols = encoder.requests[1:], encoder.symbols[1:]
    for (part, means, _), chosen in zip(requests, symbols, strict=True):
        np.testing.assert_array_equal(
            quantised[part.channels][:, part.sites],
            np.floor((chosen * UNIT + means) * part.gains + 0.5),
        )


@pytest.mark.parametrize("product", [in_whole_numbers, in_another_order])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_results_do_not_depend_on_the_order_of_summation(case: Case, product: Product) -> None:
    model, values = case.make()
    entropy = in_integers(model)
    quantised, encoder = encode(model, values, 63, entropy)
    decoder = Decoder(encoder)
    with Recorder(product) as recorder:
        again = entropy.run(decoder, 63, case.rows, case.columns)
    np.testing.assert_array_equal(again, quantised)
    # of each group: two predictions of two layers, and four contexts, one of them for the last;
    # and the side, and the steps
    # without white ranges, there are only black ones' predictions and contexts of themselves
    absent = (5 * len(case.groups) - 2) * (case.rows * case.columns == 1)
    assert recorder.products == 8 * len(case.groups) - 3 - absent + 1 + case.adaptive


def test_nothing_depends_on_threads() -> None:
    model, values = Case((8, 24), width=48, rows=16, columns=17).make()
    quantised, encoder = encode(model, values, 63)
    decoder = Decoder(encoder)
    with threads(2):
        entropy = in_integers(model)
        np.testing.assert_array_equal(entropy.run(decoder, 63, 16, 17), quantised)


@pytest.mark.parametrize("size", [0, 300, LARGEST_SYMBOL])
def test_numbers_stay_exact_however_large_coefficients_are(
    size: int, rng: np.random.Generator
) -> None:
    """Sums of magnitudes, and so all partial sums, are below 2^53 for a model of full size."""
    config = CompressorConfig()
    model = lively_entropy_model(
        config.groups, config.state, config.side, config.rungs, adaptive=True
    ).eval()
    sign = rng.integers(0, 2, (config.n_patches, 4, 3)) * 2 - 1
    encoder = Encoder(size * sign, size * sign[: config.side, :2, :2])
    entropy = in_integers(model)
    with Recorder() as recorder:
        quantised = entropy.run(encoder, 70, 4, 3)
    assert recorder.largest < EXACT
    assert int(np.abs(quantised).max()) >= size * UNIT // 2


def test_steps_of_ranges_differ_and_are_those_of_the_float_model() -> None:
    case = CASES[-1]
    model, values = case.make()
    assert model.gain is not None
    encoder = encode(model, values, 50)[1]
    expected: list[Tensor] = []
    model.gain.register_forward_hook(lambda _, __, output: expected.append(output))
    with torch.no_grad():
        model(values[None], torch.tensor([level_of(50)]))
    gains = np.empty((case.rows, case.columns))
    for part, *_ in encoder.requests[1:]:
        gains[part.sites] = part.gains
    assert gains.max() > 1.2 * gains.min()
    np.testing.assert_allclose(gains, expected[0][0, 0].numpy(), rtol=0.02)


def test_relative_steps_are_powers_of_two() -> None:
    steps = relative_steps() / 4096
    exact = 2.0 ** (np.arange(-64, 65) / 32)
    assert bool((steps <= exact).all())
    assert bool((exact - steps < 1 / 4096).all())
    assert (steps[0], steps[64], steps[-1]) == (0.25, 1, 4)


def test_the_table_of_logarithms_ends_where_it_is_clamped() -> None:
    table = logarithm_table()
    assert len(table) == LARGEST_LOGARITHM + 1
    assert int(table[0]) == 0
    assert int(table[UNIT]) == round(1024 * math.log(2))
    assert bool((np.diff(table) >= 0).all())
    assert int(table[-1]) < 1 << 15  # it is shipped in 16 bits


def test_the_grid_of_scales_spans_those_of_the_float_model() -> None:
    scales = [scale_of(n) for n in range(N_SCALES)]
    assert scales == sorted(scales)
    assert scales[0] == pytest.approx(SMALLEST_SCALE, rel=1e-3)
    assert scales[-1] == pytest.approx(LARGEST_SCALE, rel=SCALE_PITCH / 1024)
