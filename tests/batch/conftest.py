"""Collections of small pictures, and engines that run in the process of the test."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neural_collage.batch.stores import Folder
from neural_collage.batch.tasks import BatchTask, Item, ItemResult, Outcome, Worker

Pictures = Callable[..., Path]
FRACTAL = BatchTask(codec="fractal", graphics=False, effort=0)


@pytest.fixture
def pictures(tmp_path: Path, rng: np.random.Generator) -> Pictures:
    """Write pictures of 12 x 8 pixels into a folder: `pictures("in", "a.png", "deep/b.jpg")`."""

    def write(folder: str, *names: str) -> Path:
        for name in names:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(rng.integers(0, 256, (2, 3, 3), dtype=np.uint8))
            coarse.resize((12, 8), Image.Resampling.BICUBIC).save(path)
        return tmp_path / folder

    return write


class InlineEngine:
    """An engine without processes, which runs items one after the other.

    processed: names of the items in the order of processing.
    """

    def __init__(self) -> None:
        self.processed: list[str] = []

    def run(
        self, worker: Worker, items: Iterable[Item], *, isolated: bool = False
    ) -> Iterator[Outcome]:
        for item in items:
            self.processed.append(item.name)
            yield worker(item)


class LosingEngine(InlineEngine):
    """Loses the first attempts at an item, as if the process had died.

    victim: name of the item. attempts: number of attempts lost.
    isolated: names of the items that ran in isolation.
    """

    def __init__(self, victim: str, attempts: int) -> None:
        super().__init__()
        self.victim = victim
        self.attempts = attempts
        self.isolated: list[str] = []

    def run(
        self, worker: Worker, items: Iterable[Item], *, isolated: bool = False
    ) -> Iterator[Outcome]:
        for item in items:
            if isolated:
                self.isolated.append(item.name)
            if item.name == self.victim and item.attempt <= self.attempts:
                continue
            yield from super().run(worker, [item], isolated=isolated)


@dataclass(frozen=True)
class KillingTask(BatchTask):
    """Kills the process that runs it on the item named `victim`."""

    codec: str = "fractal"
    graphics: bool = False
    effort: int | None = 0
    victim: str = ""

    def __call__(self, data: bytes, name: str) -> ItemResult:
        if name == self.victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(data, name)


class SlowFolder(Folder):
    """A store with a delay of `seconds` for every read, and no limit on parallel reads."""

    seconds = 0.1

    def read(self, name: str) -> bytes:
        time.sleep(self.seconds)
        return super().read(name)
