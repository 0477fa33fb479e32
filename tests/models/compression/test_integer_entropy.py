"""The integer entropy model: close to the float model, and exact in any order of summation."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from neural_collage.models.compression.checkerboard import checkerboard
from neural_collage.models.compression.compressor import CompressorConfig
from neural_collage.models.compression.entropy_model import PASSES, EntropyModel
from neural_collage.models.compression.integer_entropy import (
    LARGEST_LOGARITHM,
    N_SCALES,
    SCALE_PITCH,
    UNIT,
    IntegerEntropy,
    Pass,
    logarithm_table,
    scale_of,
)
from neural_collage.models.compression.ladder import level_of
from neural_collage.models.compression.logistic import (
    LARGEST_SCALE,
    SMALLEST_SCALE,
    logistic_bits,
)
from tests.models.compression.entropy import lively_entropy_model
from tests.threads import threads

QUALITIES = (1, 38, 50, 100)
EXACT = 2.0**53
LARGEST_SYMBOL = 1 << 23  # that can be escaped


@dataclass
class Encoder:
    """A `SymbolSource` that rounds coefficients to symbols, and records requests and symbols."""

    values: Tensor
    side_latents: Tensor
    requests: list[tuple[Any, ...]] = field(default_factory=list)
    symbols: list[Tensor] = field(default_factory=list)

    def side(self, scales: Tensor) -> Tensor:
        return self._answer((scales,), self.side_latents)

    def coefficients(self, part: Pass, means: Tensor, scales: Tensor) -> Tensor:
        deviations = self.values[part.channels, part.sites] - means / UNIT
        return self._answer((part, means, scales), deviations)

    def _answer(self, request: tuple[Any, ...], exact: Tensor) -> Tensor:
        self.requests.append(request)
        self.symbols.append(torch.where(request[-1] > 0, exact.round().long(), 0))
        return self.symbols[-1]


class Decoder:
    """A `SymbolSource` that replays the symbols of an encoder, and checks that requests agree."""

    def __init__(self, encoder: Encoder) -> None:
        self._recorded = list(zip(encoder.requests, encoder.symbols, strict=True))

    def side(self, scales: Tensor) -> Tensor:
        return self._next((scales,))

    def coefficients(self, part: Pass, means: Tensor, scales: Tensor) -> Tensor:
        return self._next((part, means, scales))

    def finish(self) -> None:
        assert not self._recorded

    def _next(self, request: tuple[Any, ...]) -> Tensor:
        expected, symbols = self._recorded.pop(0)
        for got, recorded in zip(_flat(request), _flat(expected), strict=True):
            assert torch.equal(got, recorded) if isinstance(got, Tensor) else got == recorded
        return symbols


def _flat(request: Sequence[Any]) -> list[Any]:
    return [x for part in request for x in (part if isinstance(part, Pass) else (part,))]


def encode(
    model: EntropyModel, values: Tensor, quality: int, entropy: IntegerEntropy | None = None
) -> tuple[Tensor, Encoder]:
    with torch.no_grad():
        encoder = Encoder(values, model.side_latents(values[None])[0])
    entropy = entropy or IntegerEntropy(model, logarithm_table())
    return entropy.run(encoder, quality, *values.shape[1:]), encoder


@dataclass(frozen=True)
class Case:
    """A model of random weights and random coefficients."""

    groups: tuple[int, ...] = (2, 3, 4)
    width: int = 8
    rows: int = 5
    columns: int = 4
    seed: int = 0

    def __str__(self) -> str:
        return f"{'+'.join(map(str, self.groups))}x{self.rows}x{self.columns}-{self.seed}"

    def make(self) -> tuple[EntropyModel, Tensor]:
        model = lively_entropy_model(self.groups, self.width, seed=self.seed).eval()
        spread = 4 / (1 + torch.arange(sum(self.groups)))
        return model, spread[:, None, None] * torch.randn(len(spread), self.rows, self.columns)


CASES = [
    Case(),
    Case((4,), rows=1, columns=1),
    Case((1, 1, 1, 5), rows=1, columns=6, seed=1),
    Case((3, 9), width=24, rows=6, columns=7, seed=2),
]


class Recorder(TorchFunctionMode):
    """Records the largest result of any function, and may replace those of matrix products."""

    def __init__(self, product: Callable[[Tensor, Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.product = product
        self.products = 0
        self.largest = 0.0  # of all numbers, and of all partial sums in whatever order

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        result = function(*arguments, **(options or {}))
        if getattr(function, "__name__", "") in ("__matmul__", "matmul"):
            self.products += 1
            a, b = arguments
            self._record(a.abs() @ b.abs())
            if self.product is not None:
                result = self.product(a, b)
        self._record(result)
        return result

    def _record(self, result: Any) -> None:
        if isinstance(result, Tensor) and result.numel() and result.dtype != torch.bool:
            self.largest = max(self.largest, float(result.abs().max()))


def in_integers(a: Tensor, b: Tensor) -> Tensor:
    assert torch.equal(a, a.round())
    assert torch.equal(b, b.round())
    return (a.long() @ b.long()).double()


def in_another_order(a: Tensor, b: Tensor) -> Tensor:
    result = torch.zeros(len(a), b.shape[1], dtype=torch.float64)
    for n in torch.randperm(a.shape[1]).tolist():
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
    monkeypatch.setattr(model, "side_latents", lambda _: encoder.symbols[0][None].float())
    with torch.no_grad():
        rate = model(quantised[None].float() / UNIT, level)
        base = model.log_scale(level)[0]
    torch.testing.assert_close(rate.quantised[0], quantised.float() / UNIT, atol=0.02, rtol=0)
    bits = 0.0
    recorded = zip(encoder.requests[1:], encoder.symbols[1:], floats, strict=True)
    for (part, means, scales), symbols, (mean, log_scale) in recorded:
        torch.testing.assert_close(means / UNIT, mean[0][:, part.sites], atol=0.02, rtol=0)
        expected = (log_scale[0][:, part.sites] + base[part.channels, None]).clamp(
            math.log(SMALLEST_SCALE), math.log(LARGEST_SCALE)
        )
        chosen = torch.tensor([math.log(scale_of(n)) for n in range(N_SCALES)])[scales]
        pitch = SCALE_PITCH / 1024
        torch.testing.assert_close(chosen, expected, atol=0.55 * pitch, rtol=0)
        bits += float(logistic_bits(symbols.double(), chosen.double()).sum())
    assert bits == pytest.approx(float(rate.bits), rel=0.02, abs=0.5)
    side_scale = torch.tensor([math.log(scale_of(n)) for n in range(N_SCALES)])[
        encoder.requests[0][0]
    ]
    side_bits = float(logistic_bits(encoder.symbols[0].double(), side_scale.double()).sum())
    assert side_bits == pytest.approx(float(rate.side_bits), rel=0.02, abs=0.5)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_encoder_and_decoder_request_the_same_symbols(case: Case) -> None:
    model, values = case.make()
    for quality in QUALITIES:
        entropy = IntegerEntropy(model, logarithm_table())
        quantised, encoder = encode(model, values, quality, entropy)
        decoder = Decoder(encoder)
        assert torch.equal(entropy.run(decoder, quality, case.rows, case.columns), quantised)
        decoder.finish()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_coefficient_is_requested_once(case: Case) -> None:
    model, values = case.make()
    quantised, encoder = encode(model, values, 50)
    rows, columns = case.rows, case.columns
    assert encoder.requests[0][0].shape == (3, -(-rows // 2), -(-columns // 2))
    visits = torch.zeros_like(quantised)
    for number, (part, means, scales) in enumerate(encoder.requests[1:]):
        group, last = divmod(number, PASSES)
        assert part.group == group
        assert torch.equal(part.sites, checkerboard(rows, columns) != bool(last))
        assert means.shape == scales.shape == (case.groups[group], int(part.sites.sum()))
        assert bool(((scales >= 0) & (scales < N_SCALES)).all())
        visits[part.channels, part.sites] += 1
    assert bool((visits == 1).all())
    requests, symbols = encoder.requests[1:], encoder.symbols[1:]
    for (part, means, _), chosen in zip(requests, symbols, strict=True):
        assert torch.equal(quantised[part.channels, part.sites], chosen * UNIT + means)


@pytest.mark.parametrize("product", [in_integers, in_another_order])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_results_do_not_depend_on_the_order_of_summation(
    case: Case, product: Callable[[Tensor, Tensor], Tensor]
) -> None:
    model, values = case.make()
    entropy = IntegerEntropy(model, logarithm_table())
    quantised, encoder = encode(model, values, 63, entropy)
    decoder = Decoder(encoder)
    with Recorder(product) as recorder:
        again = entropy.run(decoder, 63, case.rows, case.columns)
    assert torch.equal(again, quantised)
    # of each group: two predictions of two layers, and four contexts, one of them for the last
    assert recorder.products == 8 * len(case.groups) - 3 + 1  # and the side


def test_nothing_depends_on_threads() -> None:
    model, values = Case((8, 24), width=48, rows=16, columns=17).make()
    quantised, encoder = encode(model, values, 63)
    decoder = Decoder(encoder)
    with threads(2):
        entropy = IntegerEntropy(model, logarithm_table())
        assert torch.equal(entropy.run(decoder, 63, 16, 17), quantised)


@pytest.mark.parametrize("size", [0, 300, LARGEST_SYMBOL])
def test_numbers_stay_exact_however_large_coefficients_are(size: int) -> None:
    """Sums of magnitudes, and so all partial sums, are below 2^53 for a model of full size."""
    config = CompressorConfig()
    model = lively_entropy_model(config.groups, config.state, config.side, config.rungs).eval()
    sign = torch.randint(0, 2, (config.n_patches, 4, 3)) * 2 - 1
    encoder = Encoder(size * sign, size * sign[: config.side, :2, :2])
    entropy = IntegerEntropy(model, logarithm_table())
    with Recorder() as recorder:
        quantised = entropy.run(encoder, 70, 4, 3)
    assert recorder.largest < EXACT
    assert int(quantised.abs().max()) >= size * UNIT // 2


def test_the_table_of_logarithms_ends_where_it_is_clamped() -> None:
    table = logarithm_table()
    assert len(table) == LARGEST_LOGARITHM + 1
    assert int(table[0]) == 0
    assert int(table[UNIT]) == round(1024 * math.log(2))
    assert bool((table.diff() >= 0).all())
    assert int(table[-1]) < 1 << 15  # it is shipped in 16 bits


def test_the_grid_of_scales_spans_those_of_the_float_model() -> None:
    scales = [scale_of(n) for n in range(N_SCALES)]
    assert scales == sorted(scales)
    assert scales[0] == pytest.approx(SMALLEST_SCALE, rel=1e-3)
    assert scales[-1] == pytest.approx(LARGEST_SCALE, rel=SCALE_PITCH / 1024)
