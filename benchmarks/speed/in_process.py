"""Calls in one process: from file to array, and from picture to file."""

from collections.abc import Callable, Mapping

from benchmarks.speed.calls import Options, decode_seconds, deep_window_seconds, encode_seconds
from benchmarks.speed.conversion import TITLES, View
from benchmarks.speed.fractal import fixed_point_seconds
from benchmarks.speed.peers import CALLED
from benchmarks.speed.report import Table, plural, with_ratio
from benchmarks.speed.samples import Sample, Samples, Settings
from benchmarks.support.processes import in_fresh_process
from benchmarks.support.timing import Seconds

EFFORTS = {"neural": (5, 7), "fractal": (0, 5, 9)}
"""Efforts of the encodes of the photo."""
DEEP_SCALE, DEEP_WINDOW = 64, 512

NOTE = """\
Decodes are from a file to an array, of float32 by our codecs unless the row says 8 bits, and of 8
bits by the others; encodes are from a picture to a file, both in memory."""
FRACTAL_NOTE = """\
From a file to an array; and the fixed point alone, by the exact pyramid and by plain iteration."""
DEEP_NOTE = f"{DEEP_WINDOW} x {DEEP_WINDOW} pixels at the centre."

Measured = Callable[[int], Seconds]
"""Median seconds with a number of threads."""


def call_tables(settings: Settings, samples: Samples) -> list[Table]:
    """Decodes and encodes of the photo and of the large picture."""
    photo, large = samples.photo, samples.large
    few, many = settings.large_rounds, settings.decode_rounds
    efforts: dict[str, Options] = {
        f"{codec}, effort {effort}": {"codec": codec, "effort": effort}
        for codec, efforts in EFFORTS.items()
        for effort in efforts
    }
    codecs: dict[str, Options] = {codec: {"codec": codec} for codec in ("neural", "auto")}
    tables: list[tuple[str, Sample, Measured, str]] = [
        ("Decode", photo, _decodes(samples, photo, "whole", many), NOTE),
        ("Decode, fractal", photo, _fractal_decodes(samples, many), FRACTAL_NOTE),
        (f"Decode at scale {DEEP_SCALE}", photo, _deep_windows(samples, many), DEEP_NOTE),
        ("Encode", photo, _encodes(samples, photo, efforts, settings.encode_rounds), ""),
        *(
            (title, large, _decodes(samples, large, view, few), "")
            for view, title in TITLES.items()
        ),
        ("Encode", large, _encodes(samples, large, codecs, few), ""),
    ]
    return [
        _table(f"{title}, {sample.title}", settings, measured, note)
        for title, sample, measured, note in tables
    ]


def _decodes(samples: Samples, sample: Sample, view: View, rounds: int) -> Measured:
    peers = {name: samples.peer_file(sample, name) for name in samples.peers if name in CALLED}
    files = {"neural": sample.collage, **peers}
    return lambda threads: in_fresh_process(decode_seconds, files, view, threads, rounds)


def _fractal_decodes(samples: Samples, rounds: int) -> Measured:
    file = samples.fractal
    return lambda threads: in_fresh_process(fixed_point_seconds, file, threads, rounds)


def _deep_windows(samples: Samples, rounds: int) -> Measured:
    files = {"neural": samples.photo.collage, "fractal": samples.fractal}
    return lambda threads: in_fresh_process(
        deep_window_seconds, files, DEEP_SCALE, DEEP_WINDOW, threads, rounds
    )


def _encodes(
    samples: Samples, sample: Sample, ours: Mapping[str, Options], rounds: int
) -> Measured:
    peers = {
        name: (peer.format, peer.options) for name, peer in samples.peers.items() if name in CALLED
    }
    return lambda threads: in_fresh_process(
        encode_seconds, sample.picture, ours, peers, threads, rounds
    )


def _table(title: str, settings: Settings, measured: Measured, note: str) -> Table:
    """One column of milliseconds for each number of threads."""
    columns = {f"ms, {plural(count, 'thread')}": measured(count) for count in settings.threads}
    names = next(iter(columns.values()))
    rows = {
        name: {column: 1e3 * seconds[name] for column, seconds in columns.items()} for name in names
    }
    return Table(title, with_ratio(rows, [*columns][-1]), note)
