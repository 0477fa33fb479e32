"""A batch from beginning to end: what there is to do, who does it, what became of it."""

import math
from collections.abc import Callable, Iterable, Iterator
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
    """Where a batch stands; at the end, what it came to.

    Attributes:
        total: items of the source. kept: of these, done by an earlier run, and unchanged.
        done: by this run. failed: for good, by name, with the entry of the last attempt.
        bytes: of files that this run made. pixels: of their pictures.
        psnr: sum of the finite ones, of `measured` pictures.
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
        """Items of which nothing more is to be said."""
        return self.kept + self.done + len(self.failed)

    def add(self, entry: ManifestEntry) -> None:
        """Take account of an item that is done."""
        self.done += 1
        self.bytes += entry.bytes or 0
        self.pixels += (entry.width or 0) * (entry.height or 0)
        if entry.psnr is not None and entry.psnr < math.inf:
            self.psnr += entry.psnr
            self.measured += 1


Told = Callable[[Summary, ManifestEntry | None], None]


def run_batch(
    source: ItemSource,
    sink: ItemSink,
    task: BatchTask,
    engine: Engine,
    manifest: Manifest,
    *,
    retries: int = RETRIES,
    again: bool = False,
    told: Told = lambda summary, entry: None,
) -> Summary:
    """Do what is missing or has changed.

    Items that fail are tried again once all others had a go; those whose process died, one at a
    time.

    source, sink: nobody else writes to the sink at the same time.
    manifest: entered; knows what is done, and is told.
    retries: of each item that fails.
    again: do also what is done.
    told: called once it is known what is to be done, and with the entry of every attempt.

    Raises:
        DataError: the source cannot be listed, or holds nothing to do.
        OutputError: no more can be written, as on a full disk. What is done is done: run it again.
        CollageError: the task or the engine cannot be used here.
    """
    run = _Run(Worker(task, task.key(), source, sink), engine, manifest, retries, told)
    sink.prepare()
    items = list(source.items())
    if not items:
        raise DataError(f"nothing to {task.kind}: no {', '.join(task.searched)} files")
    there = sink.sizes()
    run.summary.total = len(items)
    for name, fingerprint in run.without_rivals(items):
        if not again and run.is_done(name, fingerprint, there):
            run.summary.kept += 1
        else:
            run.pending[name] = Item(name, fingerprint)
    told(run.summary, None)
    run.work_off()
    outputs = [task.output(name) for name, _ in items if name not in run.summary.failed]
    sink.finish([name for name in outputs if name is not None])
    return run.summary


class _Run:
    """What a run knows while it goes on."""

    def __init__(
        self, worker: Worker, engine: Engine, manifest: Manifest, retries: int, told: Told
    ) -> None:
        self.worker = worker
        self.summary = Summary()
        self.pending: dict[str, Item] = {}
        self._engine = engine
        self._manifest = manifest
        self._attempts = 1 + retries
        self._told = told
        self._told_of: set[str] = set()

    def without_rivals(self, items: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Items but those whose output is that of another, which fail."""
        items = list(items)
        first: dict[str, str] = {}
        rivals: dict[str, str] = {}
        for name, _ in items:
            output = self.worker.task.output(name)
            if output is not None and (other := first.setdefault(output, name)) != name:
                rivals[name], rivals[other] = other, name
        for name, fingerprint in items:
            if name in rivals:
                error = f"its output would be that of {rivals[name]} as well: rename one"
                self._fail(replace(self._entry(Item(name, fingerprint)), error=error))
            else:
                yield name, fingerprint

    def is_done(self, name: str, fingerprint: str, there: dict[str, int]) -> bool:
        """Whether an earlier run did this, and neither input nor output has changed."""
        entry = self._manifest.entries.get(name)
        return (
            entry is not None
            and entry.error is None
            and (entry.fingerprint, entry.settings) == (fingerprint, self.worker.key)
            and (entry.output is None or there.get(entry.output) == entry.bytes)
        )

    def work_off(self) -> None:
        """Work until nothing is pending."""
        died: set[str] = set()
        for attempt in range(1, self._attempts + 1):
            pending = [replace(item, attempt=attempt) for item in self.pending.values()]
            together = [item for item in pending if item.name not in died]
            one_by_one = [item for item in pending if item.name in died]
            for chosen, alone in ((together, False), (one_by_one, True)):
                self._told_of.clear()
                if chosen:
                    self._attempt(chosen, alone)
                for item in chosen:
                    if item.name in self.pending and item.name not in self._told_of:
                        died.add(item.name)
                        self._record(replace(self._entry(item), error=_DIED))

    def _attempt(self, items: list[Item], alone: bool) -> None:
        outcomes = self._engine.run(self.worker, map(self._fetched, items), alone=alone)
        with closing(outcomes):  # type: ignore[type-var] # engines are generators
            for outcome in outcomes:
                if outcome.hopeless is not None:
                    self._give_up(outcome)
                self._record(self._written(outcome))

    def _fetched(self, item: Item) -> Item:
        """With its bytes, if the worker cannot get at them."""
        if self.worker.source.shared:
            return item
        try:
            return replace(item, data=self.worker.source.read(item.name))
        except CollageError:
            return item  # whoever works on it will find that, too

    def _written(self, outcome: Outcome) -> ManifestEntry:
        """Write what was left to be written."""
        entry = outcome.entry
        if outcome.data is not None and entry.output is not None:
            try:
                self.worker.sink.write(entry.output, outcome.data)
            except OutputError as error:
                return replace(entry, error=describe(error))
        return entry

    def _record(self, entry: ManifestEntry) -> None:
        self._told_of.add(entry.input)
        if entry.error is None:
            self._manifest.append(entry)
            self.pending.pop(entry.input, None)
            self.summary.add(entry)
            self._told(self.summary, entry)
        elif entry.attempts < self._attempts:
            self._manifest.append(entry)
            self._told(self.summary, entry)
        else:
            self.pending.pop(entry.input, None)
            self._fail(entry)

    def _fail(self, entry: ManifestEntry) -> None:
        self._manifest.append(entry)
        self.summary.failed[entry.input] = entry
        self._told(self.summary, entry)

    def _entry(self, item: Item) -> ManifestEntry:
        output = self.worker.task.output(item.name)
        return ManifestEntry(item.name, output, item.fingerprint, self.worker.key, item.attempt)

    def _give_up(self, outcome: Outcome) -> None:
        summary = self.summary
        raise OutputError(
            f"{outcome.entry.output}: cannot be written: {outcome.hopeless}: mend that and run the "
            f"same again; {summary.kept + summary.done} of {summary.total} are done"
        )
