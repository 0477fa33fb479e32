"""Speed and memory of `CollageOperator`, beside the method of the published torch operator.

    python -m benchmarks.operator

The reference repeats all domains for all ranges, takes 20 full-size steps and differentiates
through all of them (Poli et al. 2022, arXiv 2204.07673). All methods are timed alternately in one
process; times are medians. Memory is what autograd keeps for the backward pass, each storage
counted once. Writes operator.json and operator.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.nn import functional

from benchmarks.support.commands import numbers
from benchmarks.support.options import CORES, OutputFolder, Threads
from benchmarks.support.results import RESULTS, write_results
from benchmarks.support.timing import Seconds, medians
from neural_collage.core.fixed_point import Picard, solve
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table
from neural_collage.models.operator.block_solver import OperatorGradient
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.runtime import use_threads

PUBLISHED_STEPS = 20
CONTRACTION = 0.8

Layer = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Comparison:
    """Forward and backward of one batch: median seconds and bytes kept, by method."""

    batch: int
    size: int
    range_size: int
    domain_size: int
    seconds: Seconds
    kept_bytes: Mapping[str, float]


@dataclass(frozen=True)
class HardPoint:
    """A collage with one domain per range: median seconds at one image size."""

    size: int
    forward: float
    forward_and_backward: float


@dataclass(frozen=True)
class StepsPoint:
    """Bytes kept for the backward pass of a solve with that many steps."""

    steps: int
    implicit_bytes: int
    unrolled_bytes: int


@dataclass(frozen=True)
class Result:
    """All results."""

    command: str
    environment: Environment
    comparisons: Sequence[Comparison]
    hard: Sequence[HardPoint]
    steps: Sequence[StepsPoint]


def main(
    output: OutputFolder = RESULTS,
    threads: Threads = CORES,
    rounds: Annotated[
        int, typer.Option(help="Rounds of timing; ten times as many for the small images.")
    ] = 5,
    largest: Annotated[
        int, typer.Option(help="Side of the largest image with every range linked to every domain.")
    ] = 256,
    hard_sizes: Annotated[
        str, typer.Option(help="Sides of the images with one domain per range.")
    ] = "64,128,256,512,1024,2048",
    steps: Annotated[str, typer.Option(help="Approximate steps of the solves.")] = "5,50,500",
) -> None:
    """Measure the collage operator; writes operator.json and operator.md."""
    use_threads(threads)
    torch.manual_seed(0)
    result = Result(
        command="python -m benchmarks.operator",
        environment=Environment.current(),
        comparisons=[compare(8, 32, 8, 32, 10 * rounds), compare(1, largest, 8, 16, rounds)],
        hard=[hard_point(size, rounds) for size in numbers(hard_sizes)],
        steps=[steps_point(count) for count in numbers(steps)],
    )
    write_results(output, "operator", asdict(result), to_markdown(result))
    typer.echo(to_markdown(result))


def compare(batch: int, size: int, range_size: int, domain_size: int, rounds: int) -> Comparison:
    """Every method, and the reference, on an operator that links every range to every domain."""
    config = OperatorConfig(
        image_size=(size, size), range_size=range_size, domain_sizes=(domain_size,)
    )
    weights, bias = parameters(config, batch)
    layers: dict[str, Layer] = {
        "pyramid": CollageOperator(config),
        "pyramid, implicit at full size": CollageOperator(config, gradient="implicit"),
        "Picard, implicit": CollageOperator(config, solver=Picard()),
        f"published method, {PUBLISHED_STEPS} steps": partial(published_operator, config),
    }
    check_agreement(layers, weights, bias)
    work = {
        name: partial(forward_and_backward, layer, weights, bias) for name, layer in layers.items()
    }
    kept = {name: float(kept_bytes(layer, weights, bias)) for name, layer in layers.items()}
    return Comparison(batch, size, range_size, domain_size, medians(work, rounds), kept)


def parameters(
    config: OperatorConfig, batch: int, contraction: float = CONTRACTION
) -> tuple[Tensor, Tensor]:
    """Random weights whose rows each sum to `contraction`, and random biases."""
    weights = torch.rand(batch, *config.weights_shape)
    weights *= contraction / weights.sum(-1, keepdim=True)
    return weights, torch.rand(batch, *config.bias_shape)


def published_operator(config: OperatorConfig, weights: Tensor, bias: Tensor) -> Tensor:
    """The reference: 20 full-size steps, each with a copy of every domain for every range."""
    rows, columns = config.grid
    size = config.range_size
    z = torch.zeros(len(bias), config.channels, rows * size, columns * size)
    weights = weights.expand(-1, config.channels, -1, -1)[..., None, None]
    for _ in range(PUBLISHED_STEPS):
        pooled = functional.avg_pool2d(z, config.reductions[0])
        domains = pooled.unfold(2, size, size).unfold(3, size, size).flatten(2, 3)
        copies = domains[:, :, None].repeat(1, 1, config.n_ranges, 1, 1, 1)
        ranges = (weights * copies).sum(3) + bias[..., None, None]
        grid = ranges.unflatten(2, (rows, columns)).transpose(3, 4)
        z = grid.reshape(z.shape)
    return z


def check_agreement(layers: dict[str, Layer], weights: Tensor, bias: Tensor) -> None:
    """Raise unless all layers return the same image, to the accuracy of 20 steps."""
    with torch.no_grad():
        images = [layer(weights, bias) for layer in layers.values()]
    size = float(images[0].abs().max())
    for image in images[1:]:
        torch.testing.assert_close(
            image, images[0], atol=2 * CONTRACTION**PUBLISHED_STEPS * size, rtol=0
        )


def forward_and_backward(layer: Layer, weights: Tensor, bias: Tensor) -> None:
    """One forward and backward pass, as in a training step."""
    weights, bias = weights.clone().requires_grad_(), bias.clone().requires_grad_()
    layer(weights, bias).square().mean().backward()


def kept_bytes(layer: Layer, weights: Tensor, bias: Tensor) -> int:
    """Bytes that autograd holds after a forward pass, each storage once, without the arguments."""
    weights, bias = weights.clone().requires_grad_(), bias.clone().requires_grad_()
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        image = layer(weights, bias)
    for argument in (weights, bias):
        kept.pop(argument.untyped_storage().data_ptr(), None)
    del image
    return sum(kept.values())


def hard_point(size: int, rounds: int) -> HardPoint:
    """A collage of 8 x 8 ranges, each linked to one domain of 16 x 16."""
    config = OperatorConfig(image_size=(size, size))
    links = torch.randint(config.n_own, (config.n_ranges, 1))
    weights = CONTRACTION * (2 * torch.rand(1, 1, config.n_ranges, 1) - 1)
    bias = torch.rand(1, *config.bias_shape)
    layer = partial(CollageOperator(config), links=links)

    def forward() -> None:
        with torch.no_grad():
            layer(weights, bias)

    work: dict[str, Callable[[], object]] = {
        "forward": forward,
        "both": partial(forward_and_backward, layer, weights, bias),
    }
    seconds = medians(work, rounds)
    return HardPoint(size, seconds["forward"], seconds["both"])


def steps_point(steps: int) -> StepsPoint:
    """A map whose contraction factor makes a solve in single precision take about `steps` steps."""
    config = OperatorConfig(image_size=(64, 64), bound=0.99)
    solver = Picard(tolerance=1e-6, max_steps=2 * steps + 10)
    weights, bias = parameters(config, 1, contraction=float(1e-6 ** (1 / steps)))
    gradients: tuple[OperatorGradient, ...] = ("implicit", "unrolled")
    implicit, unrolled = (
        kept_bytes(CollageOperator(config, solver=solver, gradient=gradient), weights, bias)
        for gradient in gradients
    )
    mapping = CollageOperator(config).mapping(weights, bias)
    size = config.range_size
    offset = mapping.offset(size)
    _, report = solve(
        lambda z: mapping.image(mapping.linear(z, size) + offset, size),
        torch.zeros(1, 3, 64, 64),
        solver,
    )
    return StepsPoint(report.steps, implicit, unrolled)


def to_markdown(result: Result) -> str:
    """All results as tables."""
    comparisons = "\n\n".join(comparison_table(comparison) for comparison in result.comparisons)
    hard = markdown_table(
        ["image", "forward, ms", "and backward, ms", "forward, ns per pixel", "and backward"],
        [
            [
                f"{point.size} x {point.size}",
                f"{1e3 * point.forward:,.1f}",
                f"{1e3 * point.forward_and_backward:,.1f}",
                f"{1e9 * point.forward / point.size**2:,.0f}",
                f"{1e9 * point.forward_and_backward / point.size**2:,.0f}",
            ]
            for point in result.hard
        ],
    )
    steps = markdown_table(
        ["steps taken", "implicit, kB", "unrolled, kB"],
        [
            [str(p.steps), f"{p.implicit_bytes / 1e3:,.0f}", f"{p.unrolled_bytes / 1e3:,.0f}"]
            for p in result.steps
        ],
    )
    return f"""# The collage operator

    {result.command}

Median times, bytes kept for the backward pass. Maps contract by {CONTRACTION}.
Machine: {result.environment}.

## Beside the published method: forward and backward, every range linked to every domain

{comparisons}

## Hard links: 3 channels, ranges of 8 linked to one domain of 16 each

{hard}

## Memory of the gradient, 3 x 64 x 64, Picard iteration

{steps}
"""


def comparison_table(comparison: Comparison) -> str:
    """One row per method, with ratios to the published method."""
    seconds, kept = comparison.seconds, comparison.kept_bytes
    *_, reference = seconds
    size = comparison.size
    rows = [
        [
            name,
            f"{1e3 * seconds[name]:,.1f}",
            f"{seconds[reference] / seconds[name]:.1f}",
            f"{kept[name] / 1e6:,.2f}",
            f"{kept[reference] / kept[name]:,.1f}",
        ]
        for name in seconds
    ]
    table = markdown_table(["", "ms", "speed-up", "MB kept", "memory saved (factor)"], rows)
    return (
        f"Batch {comparison.batch}, 3 x {size} x {size}, ranges of {comparison.range_size}, "
        f"domains of {comparison.domain_size}:\n\n{table}"
    )
