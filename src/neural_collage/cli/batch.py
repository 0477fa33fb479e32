"""`collage batch`: whole collections, on all cores or on a cluster."""

import sys
import time
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from neural_collage.cli.support import options, targets
from neural_collage.codec.registry import AUTO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neural_collage.batch.engines import Engine
    from neural_collage.batch.manifest import ManifestEntry
    from neural_collage.batch.runner import Summary


def batch(
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
        Literal["compress", "decompress", "reencode", "evaluate"],
        typer.Option(
            "--task", help="evaluate: compress, decode and measure, but keep only the manifest."
        ),
    ] = "compress",
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option("--engine", help="Processes on this machine, or a Ray cluster."),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Number of processes; one per core if left out."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address", help="Address of the Ray cluster; else RAY_ADDRESS, else this machine."
        ),
    ] = None,
    codec: options.Codec = AUTO,
    quality: options.Quality = None,
    size: targets.Size = None,
    effort: options.Effort = None,
    model: options.Model = None,
    tune: options.Tune = None,
    graphics: options.Graphics = True,
    device: options.Device = "cpu",
    strip: options.Strip = None,
    scale: Annotated[
        float, typer.Option("--scale", metavar="S", help="Scale of decompressed pictures.")
    ] = 1.0,
    ending: Annotated[
        str,
        typer.Option("--format", metavar=".png|.jpg|...", help="Format of decompressed pictures."),
    ] = ".png",
    psnr: Annotated[
        bool, typer.Option("--psnr", help="Decode every output, and measure its PSNR.")
    ] = False,
    retries: Annotated[
        int, typer.Option("--retries", min=0, help="Retries of each item that fails.")
    ] = 2,
    manifest: Annotated[
        str | None,
        typer.Option(
            "--manifest",
            metavar="FILE|URL",
            help="Where to record the result of each input; DST/manifest.jsonl if left out.",
        ),
    ] = None,
    quiet: options.Quiet = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Process items that are up to date as well.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as a JSON object.")
    ] = False,
) -> None:
    """Compress, decompress, re-encode or evaluate a whole collection.

    Only items that are missing or have changed are processed: after an interruption, run the same
    command again.
    """
    if address is not None and engine != "ray":
        raise typer.BadParameter("--address is for --engine ray")

    from neural_collage.batch import locations
    from neural_collage.batch.manifest import Manifest
    from neural_collage.batch.runner import run_batch
    from neural_collage.batch.tasks import BatchTask

    work = BatchTask(
        kind=task,
        codec=codec,
        graphics=graphics,
        quality=quality,
        size=None if size is None else targets.parse_size(size),
        effort=effort,
        model=options.model_of(model, tune),
        device=device,
        strip=strip,
        scale=scale,
        suffix=ending if ending.startswith(".") else f".{ending}",
        psnr=psnr,
    )
    work.key()  # an unusable model or device fails once here, not for every item
    sink = locations.open_sink(destination)
    items = locations.open_source(source, work.searched, destination)
    with (
        locations.locked(destination),
        Manifest(manifest or locations.manifest_of(destination)) as record,
        _Progress(quiet=quiet) as progress,
    ):
        if record.damaged:
            progress.print(
                f"{record.url}: {record.damaged} damaged lines, their inputs are processed again"
            )
        with _open_engine(engine, workers, address, device) as opened_engine:
            summary = run_batch(
                items,
                sink,
                work,
                opened_engine,
                record,
                retries=retries,
                overwrite=overwrite,
                on_progress=progress.update,
            )
    if json or not quiet:
        _report(summary, record.url, progress.seconds, json)
    if summary.failed:
        raise typer.Exit(1)


@contextmanager
def _open_engine(
    name: str, workers: int | None, address: str | None, device: str
) -> "Iterator[Engine]":
    if name == "local":
        from neural_collage.batch.engines import LocalEngine

        yield LocalEngine(workers)
        return
    from neural_collage.batch.cluster import RayEngine

    with redirect_stdout(sys.stderr):  # Ray prints messages about its processes to stdout
        ray = RayEngine(workers, address, device)
        try:
            yield ray
        finally:
            ray.close()


class _Progress:
    """A progress bar with rate, time left and failures; warnings and errors as lines on stderr.

    seconds: since it was entered.
    """

    def __init__(self, *, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

        from neural_collage.cli.support.progress import progress_bar

        self._bar = progress_bar(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
            quiet=quiet,
        )
        self._quiet = quiet
        self._task = self._bar.add_task("", total=None, rate="", failed="")

    def __enter__(self) -> "_Progress":
        self._started = time.perf_counter()
        self._bar.start()
        return self

    def __exit__(self, *reason: Any) -> None:
        self._bar.stop()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started

    def print(self, message: str) -> None:
        """Print a line on stderr, above the bar."""
        self._bar.console.out(f"collage: {message}", highlight=False)

    def update(self, summary: "Summary", entry: "ManifestEntry | None") -> None:
        """The progress callback of `runner.run_batch`."""
        if entry is not None:
            for warning in () if self._quiet else entry.warnings:
                self.print(f"warning: {warning}")
            if entry.error is not None and entry.input in summary.failed:
                text = entry.error.removeprefix(f"{entry.input}: ")
                self.print(f"{entry.input}: {text}")
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
