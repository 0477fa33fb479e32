"""AdamW with a linear warm-up and a cosine decay of the learning rate.

AdamW: Loshchilov & Hutter 2019 (decoupled weight decay); the cosine: Loshchilov & Hutter 2017.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from torch import nn
from torch.optim import AdamW


@dataclass(frozen=True)
class OptimiserConfig:
    """Optimiser and learning rate; the number of steps comes from the trainer.

    Attributes:
        learning_rate: The largest one, reached at the end of the warm-up.
        weight_decay: Decoupled weight decay of parameters with two or more dimensions; biases,
            scales and other vectors are not decayed.
        betas: Decay rates of the running means of the gradient and of its square.
        warmup_steps: Steps over which the learning rate rises linearly from zero.
        floor: The last value of the cosine, as a fraction of `learning_rate`.
        multipliers: Learning rate of some parameters as a multiple of `learning_rate`, by their
            name in the model or that of a module that holds them, such as {"operator": 0.1}; the
            longest matching name applies, and 0 freezes.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: int = 0
    floor: float = 0.0
    multipliers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = [
            message
            for invalid, message in (
                (not self.learning_rate > 0, f"learning_rate {self.learning_rate}: above 0"),
                (not self.weight_decay >= 0, f"weight_decay {self.weight_decay}: 0 or more"),
                (not all(0 <= b < 1 for b in self.betas), f"betas {self.betas}: in [0, 1)"),
                (self.warmup_steps < 0, f"warmup_steps {self.warmup_steps}: 0 or more"),
                (not 0 <= self.floor <= 1, f"floor {self.floor}: in [0, 1]"),
                (
                    not all(m >= 0 for m in self.multipliers.values()),
                    f"multipliers {dict(self.multipliers)}: 0 or more",
                ),
            )
            if invalid
        ]
        if problems:
            raise ValueError("expected " + "; ".join(problems))


def make_optimiser(model: nn.Module, config: OptimiserConfig) -> AdamW:
    """AdamW over the trainable parameters of a model.

    Raises:
        ValueError: a multiplier matches no parameter, or nothing is trainable.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    unused = [
        prefix for prefix in config.multipliers if not any(_is_in(n, prefix) for n in parameters)
    ]
    if unused:
        raise ValueError(
            f"optimiser.multipliers: no trainable parameter starts with {', '.join(unused)}: "
            f"choose among {', '.join(_first_parts(parameters))}"
        )
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((_multiplier(name, config.multipliers), decay), []).append(parameter)
    if not groups:
        raise ValueError("the model has no trainable parameters")
    return AdamW(
        [
            {"params": members, "lr": config.learning_rate * multiplier, "weight_decay": decay}
            for (multiplier, decay), members in groups.items()
        ],
        lr=config.learning_rate,
        betas=config.betas,
    )


def learning_rate_factor(step: int, config: OptimiserConfig, total: int) -> float:
    """The learning rate of a step (from 0) as a fraction of the largest one, in (0, 1].

    total: steps of the whole training; later steps stay at the floor.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    decaying = max(1, total - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / decaying)
    return config.floor + (1 - config.floor) * (1 + math.cos(math.pi * progress)) / 2


def _multiplier(name: str, multipliers: Mapping[str, float]) -> float:
    matching = [prefix for prefix in multipliers if _is_in(name, prefix)]
    return multipliers[max(matching, key=len)] if matching else 1.0


def _is_in(name: str, prefix: str) -> bool:
    """Whether a dotted name is the prefix, or continues it with a dot."""
    return f"{name}.".startswith(f"{prefix.removesuffix('.')}.")


def _first_parts(names: Mapping[str, nn.Parameter]) -> Iterator[str]:
    """The first parts of dotted names, once each."""
    return iter(dict.fromkeys(name.split(".")[0] for name in names))
