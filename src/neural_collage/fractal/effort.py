"""Effort of the fractal encoder, from 0 (fastest) to 9 (smallest files)."""

from dataclasses import dataclass, replace

_ALL, _COARSE = (32, 16, 8), (32, 16)


@dataclass(frozen=True)
class Effort:
    """The settings of one effort.

    match_sizes: sizes of the ranges for which domains are searched.
    lattice: step between domain corners in pixels.
    passes: rounds of decisions, each with rates from the statistics of the one before.
    refits: rounds of fitting contrasts and coefficients to the domains of the decoded image.
    domains_per_range: maximum number of domains per range.
    """

    match_sizes: tuple[int, ...]
    lattice: int
    passes: int = 2
    refits: int = 1
    domains_per_range: int = 1

    def without_matching(self) -> "Effort":
        """The same effort without domains."""
        return replace(self, match_sizes=(), refits=0)


EFFORTS = (
    Effort((), 16, passes=1, refits=0),
    Effort(_COARSE, 16, passes=1),
    Effort(_COARSE, 16),
    Effort(_COARSE, 8),
    Effort(_ALL, 8),
    Effort(_ALL, 8, refits=2),
    Effort(_ALL, 4, refits=2),
    Effort(_ALL, 4, passes=3, refits=2),
    Effort((*_ALL, 4), 4, passes=3, refits=2),
    Effort((*_ALL, 4), 4, passes=3, refits=3, domains_per_range=2),
)
