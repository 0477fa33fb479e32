"""`collage batch`: whole collections, on all cores or on a cluster."""

import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neural_collage.cli.support import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neural_collage.batch.engines import Engine
    from neural_collage.batch.manifest import ManifestEntry
    from neural_collage.batch.runner import Summary


def batch(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="A folder, a URL such as s3://bucket/photos, or parquet files with images.",
            show_default=False,
        ),
    ],
    destination: Annotated[
        str,
        typer.Argument(
            metavar="DST", help="A folder, a URL, or a .parquet file.", show_default=False
        ),
    ],
    task: Annotated[
        str,
        typer.Option(
            "--task",
            metavar="compress|decompress|reencode|evaluate",
            help="evaluate: compress, decode and measure, but keep only the manifest.",
        ),
    ] = "compress",
    engine: Annotated[
        str, typer.Option("--engine", metavar="local|ray", help="Processes here, or a cluster.")
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="How many work; one for each core if left out."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Of the Ray cluster; else RAY_ADDRESS, else this machine."),
    ] = None,
    codec: options.Codec = "neural",
    quality: options.Quality = None,
    effort: options.Effort = None,
    model: options.Model = None,
    device: options.Device = "cpu",
    scale: Annotated[
        float, typer.Option("--scale", metavar="S", help="Of decompressed pictures.")
    ] = 1.0,
    ending: Annotated[
        str, typer.Option("--format", metavar=".png|.jpg|...", help="Of decompressed pictures.")
    ] = ".png",
    psnr: Annotated[
        bool, typer.Option("--psnr", help="Decode what was compressed, and measure it.")
    ] = False,
    retries: Annotated[
        int, typer.Option("--retries", min=0, help="How often to try again what fails.")
    ] = 2,
    manifest: Annotated[
        str | None,
        typer.Option(
            "--manifest",
            metavar="FILE|URL",
            help="Where to note what became of each input; DST/manifest.jsonl if left out.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do again what is done and unchanged.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as a JSON object.")
    ] = False,
) -> None:
    """Compress, decompress, re-encode or evaluate a whole collection.

    Only what is missing or has changed is done: after an interruption, run the same again.
    """
    if engine not in ("local", "ray"):
        raise typer.BadParameter(f"unknown engine {engine!r}: choose local or ray")
    if address is not None and engine != "ray":
        raise typer.BadParameter("--address is for --engine ray")

    from neural_collage.batch import locations as collections
    from neural_collage.batch.manifest import Manifest
    from neural_collage.batch.runner import run_batch
    from neural_collage.batch.tasks import KINDS, BatchTask

    if task not in KINDS:
        raise typer.BadParameter(f"unknown task {task!r}: choose from {', '.join(KINDS)}")
    work = BatchTask(
        kind=task,
        codec=codec,
        quality=quality,
        effort=effort,
        model=model,
        device=device,
        scale=scale,
        suffix=ending if ending.startswith(".") else f".{ending}",
        psnr=psnr,
    )
    work.key()  # what is wrong with the model or the device would be wrong for every item
    sink = collections.open_sink(destination)
    items = collections.open_source(source, work.searched, destination)
    with (
        collections.locked(destination),
        Manifest(manifest or collections.manifest_of(destination)) as notes,
        _Progress(ctx.obj) as progress,
    ):
        if notes.damaged:
            progress.say(f"{notes.url}: {notes.damaged} damaged lines, their inputs are done again")
        with _engine(engine, workers, address, device) as who:
            summary = run_batch(
                items,
                sink,
                work,
                who,
                notes,
                retries=retries,
                again=overwrite,
                told=progress.told,
            )
    _report(summary, notes.url, progress.seconds, json)
    if summary.failed:
        raise typer.Exit(1)


@contextmanager
def _engine(name: str, workers: int | None, address: str | None, device: str) -> "Iterator[Engine]":
    if name == "local":
        from neural_collage.batch.engines import LocalEngine

        yield LocalEngine(workers)
        return
    from neural_collage.batch.cluster import RayEngine

    with redirect_stdout(sys.stderr):  # Ray prints what happens to its processes
        ray = RayEngine(workers, address, device)
        try:
            yield ray
        finally:
            ray.close()


class _Progress:
    """A bar with rate and time left on a terminal, nothing in a pipe; failures on stderr."""

    def __init__(self, debug: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as TimeLeft

        console = Console(stderr=True)
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeLeft(),
            TextColumn("{task.fields[failed]}"),
            console=console,
            transient=True,
            redirect_stdout=False,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, rate="", failed="")

    def __enter__(self) -> "_Progress":
        import time

        self._clock = time.perf_counter
        self._started = self._clock()
        self._bar.start()
        return self

    def __exit__(self, *reason: Any) -> None:
        self._bar.stop()

    @property
    def seconds(self) -> float:
        return self._clock() - self._started

    def say(self, message: str) -> None:
        """A line on stderr, above the bar."""
        self._bar.console.out(f"collage: {message}", highlight=False)

    def told(self, summary: "Summary", entry: "ManifestEntry | None") -> None:
        """What `runner.run_batch` tells."""
        if entry is not None:
            for warning in entry.warnings:
                self.say(f"warning: {warning}")
            if entry.error is not None and entry.input in summary.failed:
                text = entry.error.removeprefix(f"{entry.input}: ")
                self.say(f"{entry.input}: {text}")
        self._bar.update(
            self._task,
            total=summary.total,
            completed=summary.finished,
            rate=f"{summary.done / max(self.seconds, 1e-3):.1f}/s",
            failed=f"{len(summary.failed)} failed" if summary.failed else "",
        )


def _report(summary: "Summary", manifest: str, seconds: float, as_json: bool) -> None:
    bpp = 8 * summary.bytes / summary.pixels if summary.pixels else None
    psnr = summary.psnr / summary.measured if summary.measured else None
    if as_json:
        import json

        facts = {
            "total": summary.total,
            "kept": summary.kept,
            "done": summary.done,
            "failed": len(summary.failed),
            "bytes": summary.bytes,
            "bpp": bpp,
            "psnr": psnr,
            "seconds": round(seconds, 3),
            "manifest": manifest,
        }
        typer.echo(json.dumps(facts))
        return
    parts = [f"{summary.done:,} of {summary.total:,} done in {seconds:.1f} s"]
    parts += [f"{summary.kept:,} were done before"] * (summary.kept > 0)
    parts += [f"{len(summary.failed):,} failed"] * (len(summary.failed) > 0)
    if bpp is not None:
        parts.append(f"{summary.bytes:,} bytes, {bpp:.3f} bpp")
    if psnr is not None:
        parts.append(f"{psnr:.2f} dB")
    typer.echo("; ".join(parts))
    typer.echo(f"manifest: {manifest}")
