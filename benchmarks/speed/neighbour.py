"""Decoding beside a busy process: how much slower it is than on a quiet machine."""

from collections.abc import Sequence
from functools import partial

from benchmarks.speed.busy import decode_slowdown, slowdown
from benchmarks.speed.processes import convert_peer, decompress
from benchmarks.speed.report import Row, Table, plural
from benchmarks.speed.samples import Samples, Settings
from benchmarks.speed.usage import usage
from benchmarks.support.processes import in_fresh_process

COMPARED = "AVIF"
"""The other format that is measured, if it is installed: its decoder has threads, too."""

NOTE = """\
Decodes alone, and beside one process that computes without a pause, in turn. Whole processes decode
to PNG, calls to an array."""


def neighbour_tables(settings: Settings, samples: Samples) -> list[Table]:
    """Decodes of the photo, as whole processes and as calls."""
    photo = samples.photo
    files = {"neural": photo.collage}
    if COMPARED in samples.peers:
        files[COMPARED] = samples.peer_file(photo, COMPARED)
    rows: dict[str, Row] = {}
    for name, file in files.items():
        for threads in settings.threads:
            command = (
                decompress(samples, photo, threads=threads)
                if file == photo.collage
                else convert_peer(samples, photo, name, threads=threads)
            )
            process = slowdown(partial(_seconds, command), settings.neighbour_rounds)
            call = in_fresh_process(decode_slowdown, file, threads, settings.neighbour_rounds)
            label = f"{name}, {plural(threads, 'thread')}"
            rows[f"{label}, process"], rows[f"{label}, call"] = process.row, call.row
    return [Table(f"Decode, {photo.title}", rows, NOTE)]


def _seconds(command: Sequence[str]) -> float:
    return usage(command).seconds
