"""Links: ranges of a textured picture that add detail from a domain nearby.

A texture of overlapping patches encodes what its rate allows. Where the residual resembles a
reduced copy of the surroundings, a link adds that copy: contrast / 8 times one of nine domains, in
one of eight isometries, its mean removed (Oien & Lepsoy 1994): the texture alone sets brightness.
The picture is the fixed point of texture and links together; above the original size links continue
to add detail where the texture is interpolated.

Order of symbols: contrasts of the black ranges of a checkerboard, then of the white ones, in the
context of how many of their neighbours are linked; then domains and isometries of linked ranges.
"""

from dataclasses import dataclass

import numpy as np

from neural_collage.fractal.geometry import POOLING, IntArray
from neural_collage.fractal.symbols import SymbolCoder

DENOMINATOR = 8  # contrasts are eighths, from -7 to 7
CONTRASTS = 2 * DENOMINATOR - 1
OFFSETS = tuple((y, x) for y in (-24, -8, 8) for x in (-24, -8, 8))
"""Offsets (y, x) of a range's domains from its own corner, in pixels."""
TABLE = "contrast"
_NEIGHBOURS = 4
_ISOMETRIES = 8  # see core.isometry


@dataclass(frozen=True)
class Links:
    """A link, or none, for each range of a grid.

    contrast: (rows, columns) in eighths, -7..7, 0 for none.
    domain: which of `OFFSETS`; isometry: its code; both 0 where there is none.
    """

    contrast: IntArray
    domain: IntArray
    isometry: IntArray

    @classmethod
    def none(cls, rows: int, columns: int) -> "Links":
        """No range is linked."""
        return cls(*(np.zeros((rows, columns), np.int64) for _ in range(3)))

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        rows, columns = self.contrast.shape
        return rows, columns

    def __bool__(self) -> bool:
        return bool(self.contrast.any())


def domains_fit(rows: int, columns: int) -> bool:
    """Whether a domain fits into a grid of rows x columns ranges."""
    return min(rows, columns) >= POOLING


def initial_counts() -> dict[str, IntArray]:
    """Initial counts of the adaptive tables: links are rare, and weak ones more probable."""
    strength = 24 * np.exp(-np.abs(np.arange(CONTRASTS) - (DENOMINATOR - 1)) / 2.5)
    counts = np.tile(strength, (_NEIGHBOURS + 2, 1))
    counts[:, DENOMINATOR - 1] = 32 * np.array([40, 60, 12, 6, 4, 3])
    return {TABLE: counts.astype(np.int64) + 1}


def code_links(coder: SymbolCoder, rows: int, columns: int, links: Links | None) -> Links:
    """Code the links of a grid of ranges: write those given, or read them if None."""
    contrast = np.zeros((rows, columns), np.int64)
    black = np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 0
    for sites in (black, ~black):
        contexts = np.zeros(int(sites.sum()), np.int64)
        if sites is not black:
            contexts = 1 + _linked_neighbours(contrast)[sites]
        values = None if links is None else links.contrast[sites] + DENOMINATOR - 1
        contrast[sites] = coder.symbols(TABLE, contexts, values) - (DENOMINATOR - 1)
    linked = contrast != 0
    choices = []
    for count, name in ((len(OFFSETS), "domain"), (_ISOMETRIES, "isometry")):
        values = None if links is None else getattr(links, name)[linked]
        choice = np.zeros_like(contrast)
        choice[linked] = coder.uniform(np.full(int(linked.sum()), count), values)
        choices.append(choice)
    return Links(contrast, *choices)


def _linked_neighbours(contrast: IntArray) -> IntArray:
    linked = np.pad(contrast != 0, 1).astype(np.int64)
    return linked[:-2, 1:-1] + linked[2:, 1:-1] + linked[1:-1, :-2] + linked[1:-1, 2:]
