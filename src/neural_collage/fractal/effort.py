"""Effort of the fractal encoder, from 0 (fastest) to 9 (smallest files)."""

from dataclasses import dataclass, replace

from neural_collage.fractal.geometry import TRIPLE_LATTICE


@dataclass(frozen=True)
class Round:
    """One round of decisions on a whole plane.

    match_sizes: sizes of the ranges for which domains are searched; none decides without domains.
    lattice, wide: see `geometry.PlaneGeometry`.
    """

    match_sizes: tuple[int, ...] = ()
    lattice: int = 8
    wide: bool = False


@dataclass(frozen=True)
class Effort:
    """Rounds of decisions, the first without domains; the best one is kept.

    A round reads its domains in the decode of the one before, and takes its rates from it; or in
    that of the best one, where domains were reduced by another factor in the one before.
    """

    rounds: tuple[Round, ...]

    def __post_init__(self) -> None:
        if not self.rounds or self.rounds[0].match_sizes:
            raise ValueError("an effort begins with a round without domains, to decode them from")

    def without_domains(self) -> "Effort":
        """The rounds that decide without domains."""
        return Effort(tuple(r for r in self.rounds if not r.match_sizes))

    def limited(self, lattice: int, wide: bool) -> "Effort":
        """The rounds without domains, and those on this lattice, with or without wide contrasts."""
        return Effort(
            tuple(
                replace(r, wide=r.wide and wide)
                for r in self.rounds
                if not r.match_sizes or r.lattice == lattice
            )
        )


_ROUNDS = (
    Round(),
    Round(),
    Round((16, 8)),
    Round((32, 16, 8)),
    Round((32, 16, 8), wide=True),
    Round((32, 16, 8), TRIPLE_LATTICE, wide=True),
    Round((16, 8), 4),
    Round((16, 8, 4), 4),
    Round((32, 16, 8, 4), 4),
    Round((32, 16, 8, 4), 4, wide=True),
)
EFFORTS = tuple(Effort(_ROUNDS[: effort + 1]) for effort in range(len(_ROUNDS)))
"""Each begins with the rounds of the one below, so that its best code is never worse. Wide
contrasts come last: they amplify the errors of domains, and pay in few pictures."""
