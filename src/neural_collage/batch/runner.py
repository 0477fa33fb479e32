"""Runs a batch: selects the items to process, retries failures, and records the results."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from neural_collage.batch.engines import Engine
from neural_collage.batch.manifest import Manifest, ManifestEntry
from neural_collage.batch.stores import ItemSink, ItemSource
from neural_collage.batch.tasks import BatchTask, Item, Outcome, Worker
from neural_collage.errors import CollageError, DataError, OutputError, describe

RETRIES = 2
_DIED = "the process that worked on it died: killed, or out of memory"


@dataclass
class Summary:
    """Counts and totals of a batch, up to now.

    Attributes:
        total: number of items in the source.
        kept: items completed by an earlier run and unchanged since.
        done: items completed by this run.
        failed: entry of the last attempt at each item that is not retried any more, by name.
        bytes, pixels: sums over the outputs of this run.
        psnr: sum over the `measured` pictures with finite PSNR, in dB.
    """

    total: int = 0
    kept: int = 0
    done: int = 0
    failed: dict[str, ManifestEntry] = field(default_factory=dict)
    bytes: int = 0
    pixels: int = 0
    psnr: float = 0.0
    measured: int = 0

    @property
    def finished(self) -> int:
        """Number of items that are not processed any more."""
        return self.kept + self.done + len(self.failed)

    def add(self, entry: ManifestEntry) -> None:
        """Count a completed item."""
        self.done += 1
        self.bytes += entry.bytes or 0
        self.pixels += (entry.width or 0) * (entry.height or 0)
        if entry.psnr is not None and entry.psnr < math.inf:
            self.psnr += entry.psnr
            self.measured += 1


ProgressCallback = Callable[[Summary, ManifestEntry | None], None]


def run_batch(
    source: ItemSource,
    sink: ItemSink,
    task: BatchTask,
    engine: Engine,
    manifest: Manifest,
    *,
    retries: int = RETRIES,
    overwrite: bool = False,
    on_progress: ProgressCallback = lambda summary, entry: None,
) -> Summary:
    """Process the items whose outputs are missing or out of date.

    Failed items are retried after all others; items whose process died are retried one at a time.

    sink: must not be written to by others meanwhile, see `locations.locked`.
    manifest: an entered `Manifest`; it determines which items are up to date.
    retries: maximum number of retries of each failed item.
    overwrite: process all items, up to date or not.
    on_progress: called with the entry of every attempt, and before the first one with None.

    Raises:
        DataError: the source cannot be listed or has no items.
        OutputError: outputs cannot be written any more, as on a full disk. Completed items are
            kept by the next run.
        CollageError: the task or the engine cannot be used on this machine.
    """
    key = task.key()
    sink.prepare()
    items = list(source.items())
    if not items:
        raise DataError(f"nothing to {task.kind}: no {', '.join(task.searched)} files")
    worker = Worker(task, key, source, sink, _alike(task, items))
    run = _Run(worker, engine, manifest, retries, on_progress)
    sizes = sink.sizes()
    run.summary.total = len(items)
    for name, fingerprint in run.without_name_clashes(items):
        if not overwrite and run.is_up_to_date(name, fingerprint, sizes):
            run.summary.kept += 1
        else:
            run.pending[name] = Item(name, fingerprint)
    on_progress(run.summary, None)
    run.process_pending()
    outputs = [worker.output(name) for name, _ in items if name not in run.summary.failed]
    sink.finish([name for name in outputs if name is not None])
    return run.summary


def _alike(task: BatchTask, items: Sequence[tuple[str, str]]) -> frozenset[str]:
    """The names of items whose outputs would have the same name."""
    names_of: dict[str | None, list[str]] = defaultdict(list)
    for name, _ in items:
        names_of[task.output(name)].append(name)
    names_of.pop(None, None)
    return frozenset(name for names in names_of.values() if len(names) > 1 for name in names)


class _Run:
    """The state of a run.

    pending: items that are neither completed nor failed, by name.
    """

    def __init__(
        self,
        worker: Worker,
        engine: Engine,
        manifest: Manifest,
        retries: int,
        on_progress: ProgressCallback,
    ) -> None:
        self.worker = worker
        self.summary = Summary()
        self.pending: dict[str, Item] = {}
        self._engine = engine
        self._manifest = manifest
        self._attempts = 1 + retries
        self._on_progress = on_progress
        self._reported: set[str] = set()

    def without_name_clashes(self, items: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """The items whose output name is unique; the others fail."""
        first: dict[str, str] = {}
        clashes: dict[str, str] = {}
        for name, _ in items:
            output = self.worker.output(name)
            if output is not None and (other := first.setdefault(output, name)) != name:
                clashes[name], clashes[other] = other, name
        for name, fingerprint in items:
            if name in clashes:
                error = f"its output has the same name as that of {clashes[name]}: rename one"
                self._fail(replace(self._entry(Item(name, fingerprint)), error=error))
            else:
                yield name, fingerprint

    def is_up_to_date(self, name: str, fingerprint: str, sizes: dict[str, int]) -> bool:
        """Whether an earlier run completed the item, and input, settings and output are unchanged.

        sizes: of all outputs, in bytes by name.
        """
        entry = self._manifest.entries.get(name)
        return (
            entry is not None
            and entry.error is None
            and (entry.fingerprint, entry.settings) == (fingerprint, self.worker.key)
            and entry.output == self.worker.output(name)
            and (entry.output is None or sizes.get(entry.output) == entry.bytes)
        )

    def process_pending(self) -> None:
        """Run the pending items until all are completed or failed."""
        died: set[str] = set()
        for attempt in range(1, self._attempts + 1):
            pending = [replace(item, attempt=attempt) for item in self.pending.values()]
            together = [item for item in pending if item.name not in died]
            one_by_one = [item for item in pending if item.name in died]
            for chosen, isolated in ((together, False), (one_by_one, True)):
                self._reported.clear()
                if chosen:
                    self._attempt(chosen, isolated)
                for item in chosen:
                    if item.name in self.pending and item.name not in self._reported:
                        died.add(item.name)
                        self._record(replace(self._entry(item), error=_DIED))

    def _attempt(self, items: list[Item], isolated: bool) -> None:
        outcomes = self._engine.run(self.worker, map(self._with_data, items), isolated=isolated)
        with closing(outcomes):  # type: ignore[type-var] # engines are generators
            for outcome in outcomes:
                if outcome.fatal is not None:
                    self._abort(outcome)
                self._record(self._write_output(outcome))

    def _with_data(self, item: Item) -> Item:
        """Add the item's bytes if the worker's process cannot read the source."""
        if self.worker.source.shared:
            return item
        try:
            return replace(item, data=self.worker.source.read(item.name))
        except CollageError:
            return item  # the worker meets and reports the same error

    def _write_output(self, outcome: Outcome) -> ManifestEntry:
        """Write the output if the worker's process could not; returns the entry of the item."""
        entry = outcome.entry
        if outcome.data is not None and entry.output is not None:
            try:
                self.worker.sink.write(entry.output, outcome.data)
            except OutputError as error:
                return replace(entry, error=describe(error))
        return entry

    def _record(self, entry: ManifestEntry) -> None:
        self._reported.add(entry.input)
        if entry.error is None:
            self._manifest.append(entry)
            self.pending.pop(entry.input, None)
            self.summary.add(entry)
            self._on_progress(self.summary, entry)
        elif entry.attempts < self._attempts:
            self._manifest.append(entry)
            self._on_progress(self.summary, entry)
        else:
            self.pending.pop(entry.input, None)
            self._fail(entry)

    def _fail(self, entry: ManifestEntry) -> None:
        self._manifest.append(entry)
        self.summary.failed[entry.input] = entry
        self._on_progress(self.summary, entry)

    def _entry(self, item: Item) -> ManifestEntry:
        output = self.worker.output(item.name)
        return ManifestEntry(item.name, output, item.fingerprint, self.worker.key, item.attempt)

    def _abort(self, outcome: Outcome) -> None:
        summary = self.summary
        raise OutputError(
            f"{outcome.entry.output}: cannot be written: {outcome.fatal}: fix that and run the "
            f"same again; {summary.kept + summary.done} of {summary.total} are done"
        )
