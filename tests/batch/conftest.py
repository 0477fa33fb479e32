"""Collections to work on, and engines that do so within the test."""

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
FRACTAL = BatchTask(codec="fractal", effort=0)


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


class Inline:
    """An engine without processes: the worker works when it is asked to.

    hands: names in the order in which they were worked on.
    """

    def __init__(self) -> None:
        self.hands: list[str] = []

    def run(
        self, worker: Worker, items: Iterable[Item], *, alone: bool = False
    ) -> Iterator[Outcome]:
        for item in items:
            self.hands.append(item.name)
            yield worker(item)


class Forgetful(Inline):
    """Whose process dies on items of some name, unless `spare` attempts were made."""

    def __init__(self, victim: str, attempts: int) -> None:
        super().__init__()
        self.victim = victim
        self.attempts = attempts
        self.alone: list[str] = []

    def run(
        self, worker: Worker, items: Iterable[Item], *, alone: bool = False
    ) -> Iterator[Outcome]:
        for item in items:
            if alone:
                self.alone.append(item.name)
            if item.name == self.victim and item.attempt <= self.attempts:
                continue
            yield from super().run(worker, [item], alone=alone)


@dataclass(frozen=True)
class Deadly(BatchTask):
    """Kills the process that does it to an item called so."""

    codec: str = "fractal"
    effort: int | None = 0
    victim: str = ""

    def __call__(self, data: bytes, name: str) -> ItemResult:
        if name == self.victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(data, name)


class Slow(Folder):
    """A store that takes its time over every item; it takes as many requests as there are."""

    seconds = 0.1

    def read(self, name: str) -> bytes:
        time.sleep(self.seconds)
        return super().read(name)
