"""Whole processes: `collage`, and short programs that use Pillow."""

from collections.abc import Mapping, Sequence

from benchmarks.speed import conversion
from benchmarks.speed.conversion import REDUCTION, TITLES, View, central_window
from benchmarks.speed.report import Table, with_ratio
from benchmarks.speed.samples import Sample, Samples, Settings
from benchmarks.speed.usage import COLLAGE, median_usages

NOTE = """\
Wall seconds, seconds of the processors and peak resident memory from the start of a program to its
end. The programs of other formats are `Image.open(file).save(file)` with nothing imported but
Pillow and the module of the format; each decodes to PNG and encodes from PNG."""


def process_tables(settings: Settings, samples: Samples) -> list[Table]:
    """Decodes and encodes of the photo and of the large picture."""
    photo, large = samples.photo, samples.large
    return [
        samples.files_table(),
        _table("Decode", photo, _decodes(samples, photo, "whole"), settings.process_rounds, NOTE),
        _table("Encode", photo, _encodes(samples, photo, ["auto"]), settings.process_rounds),
        *(
            _table(title, large, _decodes(samples, large, view), settings.large_rounds)
            for view, title in TITLES.items()
        ),
        _table(
            "Encode", large, _encodes(samples, large, ["neural", "auto"]), settings.large_rounds
        ),
    ]


def decompress(
    samples: Samples, sample: Sample, view: View = "whole", threads: int | None = None
) -> list[str]:
    """The command that decodes our file to PNG."""
    window = ",".join(map(str, central_window(sample.width, sample.height)))
    options: dict[View, list[str]] = {
        "whole": [],
        "window": ["--region", window],
        "eighth": ["--scale", str(1 / REDUCTION)],
    }
    target = str(samples.folder / "decoded.png")
    limit = [] if threads is None else ["--threads", str(threads)]
    return [
        *(*COLLAGE, "decompress", str(sample.collage), "-o", target, "--overwrite"),
        *(*options[view], *limit),
    ]


def convert_peer(
    samples: Samples, sample: Sample, name: str, view: View = "whole", threads: int = 0
) -> list[str]:
    """The command that decodes a file of another format to PNG."""
    source, target = samples.peer_file(sample, name), samples.folder / "decoded.png"
    plugin = samples.peers[name].plugin
    return conversion.command(source, target, view=view, plugin=plugin, threads=threads)


def _decodes(samples: Samples, sample: Sample, view: View) -> dict[str, list[str]]:
    target = samples.folder / "decoded.png"
    by_pillow = conversion.command(sample.collage, target, view=view, plugin="neural_collage")
    return {
        "collage decompress": decompress(samples, sample, view),
        "collage decompress --threads 1": decompress(samples, sample, view, threads=1),
        **({} if view == "window" else {"Image.open of our file": by_pillow}),
        **{name: convert_peer(samples, sample, name, view) for name in samples.peers},
    }


def _encodes(samples: Samples, sample: Sample, codecs: Sequence[str]) -> dict[str, list[str]]:
    source, target = str(sample.picture), str(samples.folder / "encoded.clg")
    ours = {
        f"collage compress --codec {codec}": [
            *(*COLLAGE, "compress", source, "-o", target, "--overwrite", "--codec", codec)
        ]
        for codec in codecs
    }
    peers = {
        name: conversion.command(
            sample.picture,
            samples.folder / f"encoded{peer.suffix}",
            plugin=peer.plugin,
            file_format=peer.format,
            options=peer.options,
        )
        for name, peer in samples.peers.items()
    }
    return {**ours, **peers}


def _table(
    title: str, sample: Sample, commands: Mapping[str, Sequence[str]], rounds: int, note: str = ""
) -> Table:
    usages = median_usages(commands, rounds)
    rows = {name: usage.row for name, usage in usages.items()}
    return Table(f"{title}, {sample.title}", with_ratio(rows, "s"), note)
