"""The streams of a neural payload that is written: one, or a table of segments."""

from collections.abc import Callable, Sequence

from neural_collage.codec.entropy import FixedTables, SymbolWriter
from neural_collage.codec.precision.numbers import ChosenNumbers
from neural_collage.codec.streams.neural import LINKED, PRECISE, SEGMENTED
from neural_collage.codec.streams.neural_symbols import Run, write_runs
from neural_collage.codec.streams.precise import Precision
from neural_collage.codec.streams.segments import write_segments
from neural_collage.codec.streams.tiles import Grid, Tile

Written = ChosenNumbers | bytes
SEGMENTED_BYTES = 8192
"""Pictures of one tile are written in segments from this length on, where these cost at most
0.2 %."""


class Streams:
    """The streams of the tiles of a payload: one, or a table of segments.

    Pictures of several tiles are written in segments as these arrive, those of one tile at the end.
    """

    def __init__(self, tables: FixedTables, grid: Grid) -> None:
        self._tables = tables
        self._is_large = len(grid.tiles) > 1
        self._runs: list[list[list[Run]]] = []
        self._segments: list[dict[Tile, list[bytes]]] = []
        self._precise: list[Written] = []

    def begin_picture(self) -> None:
        """The tiles that follow are of the next picture of three planes."""
        self._segments.append({})

    def add(self, tile: Tile, runs: list[list[Run]]) -> None:
        """Add the symbols of a tile, by channel group."""
        if self._is_large:
            self._segments[-1][tile] = [self._written(group) for group in runs]
        else:
            self._runs.append(runs)

    def keep(self, chosen: ChosenNumbers) -> Written:
        """What of a tile of a precision layer `add_precise` takes: of large pictures bytes."""
        return chosen.written() if self._is_large else chosen

    def add_precise(self, tiles: Sequence[Written]) -> None:
        """Add the precision layer of a picture, tile by tile."""
        self._precise += tiles

    def finish(
        self,
        write_links: Callable[[SymbolWriter], None] | None,
        precision: Precision | None = None,
    ) -> bytes:
        """The payload, with links or a precision layer if there are any."""
        flags = (0 if write_links is None else LINKED) | (0 if precision is None else PRECISE)
        start = b"" if precision is None else precision.to_bytes()
        together = SymbolWriter()
        for run in (run for tile in self._runs for group in tile for run in group):
            together.write_static(self._tables, *run)
        for chosen in self._precise:
            if isinstance(chosen, ChosenNumbers):
                chosen.write_to(together)
        if not self._is_large and len(together.finish()) < SEGMENTED_BYTES:
            if write_links is not None:
                write_links(together)
            return bytes([flags]) + start + together.finish()
        links = SymbolWriter()
        if write_links is not None:
            write_links(links)
        in_segments = [[self._written(group) for group in tile] for tile in self._runs]
        for picture in self._segments:
            in_segments += [picture[tile] for tile in sorted(picture)]
        by_group = [segment for of_group in zip(*in_segments, strict=True) for segment in of_group]
        precise = [tile if isinstance(tile, bytes) else tile.written() for tile in self._precise]
        segments = [*by_group, links.finish(), *precise]
        return bytes([flags | SEGMENTED]) + start + write_segments(segments)

    def _written(self, runs: list[Run]) -> bytes:
        writer = SymbolWriter()
        write_runs(writer, self._tables, runs)
        return writer.finish()
