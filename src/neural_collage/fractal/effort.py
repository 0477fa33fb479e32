"""Effort of the fractal encoder, from 0 (fastest) to 9 (smallest files)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """One round of decisions on a whole plane.

    match_sizes: sizes of the ranges for which domains are searched; none decides without domains.
    lattice: step between domain corners in pixels.
    """

    match_sizes: tuple[int, ...] = ()
    lattice: int = 8


@dataclass(frozen=True)
class Effort:
    """Rounds of decisions, the first without domains; the best one is kept.

    A round reads its domains in the decode of the one before, and takes its rates from it.
    """

    rounds: tuple[Round, ...]

    def __post_init__(self) -> None:
        if not self.rounds or self.rounds[0].match_sizes:
            raise ValueError("an effort begins with a round without domains, to decode them from")

    def without_domains(self) -> "Effort":
        """The rounds that decide without domains."""
        return Effort(tuple(r for r in self.rounds if not r.match_sizes))

    def on_lattice(self, lattice: int) -> "Effort":
        """The rounds without domains, and those with domains on this lattice."""
        return Effort(tuple(r for r in self.rounds if not r.match_sizes or r.lattice == lattice))


_ROUNDS = (
    Round(),
    Round(),
    Round((8,)),
    Round((16, 8)),
    Round((32, 16, 8)),
    Round((32, 16, 8)),
    Round((16, 8), 4),
    Round((16, 8, 4), 4),
    Round((32, 16, 8, 4), 4),
    Round((32, 16, 8, 4), 4),
)
EFFORTS = tuple(Effort(_ROUNDS[: effort + 1]) for effort in range(len(_ROUNDS)))
"""Each begins with the rounds of the one below, so that its best code is never worse."""
