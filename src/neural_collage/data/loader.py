"""Batches of crops, in an order that does not depend on the number of processes and threads.

A loader can be resumed in the middle of an epoch. Its workers are threads, because Pillow releases
the interpreter lock while it decodes: they share the decoded images, and crops are not copied
between processes.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.data.crops import CropPlan
from neural_collage.data.pixels import binarise, to_float
from neural_collage.data.store import ImageStore
from neural_collage.errors import CheckpointError

Pixels = UInt8[ndarray, "s c h w"]
_AHEAD = 2  # blocks that workers prepare while another is used


@dataclass(frozen=True)
class Share:
    """The part of each batch that this process loads: items `rank`, `rank` + `world`, ...

    world: number of processes.
    """

    rank: int = 0
    world: int = 1


@dataclass(frozen=True)
class Labelled:
    """A batch of pictures, and the number of the class of each."""

    images: Float[Tensor, "b c h w"]
    classes: Int64[Tensor, " b"]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: slice) -> "Labelled":
        return Labelled(self.images[index], self.classes[index])

    def to(self, *args: Any, **kwargs: Any) -> "Labelled":
        """The same on another device, by the arguments of `Tensor.to`."""
        return Labelled(self.images.to(*args, **kwargs), self.classes.to(*args, **kwargs))


class CropLoader:
    """Iterable over the batches of the current epoch, float32 (b, c, h, w) in [0, 1].

    Where the store has classes, over `Labelled` batches.

    Batch t of all processes together consists of the crops t * b * world to (t + 1) * b * world - 1
    of the epoch's plan. If the last batch is not divisible by the number of processes, its first
    crops are repeated, at most one for each process.

    Lightning calls `sampler.set_epoch`, `state_dict` and `load_state_dict` (and requires
    `batch_sampler`): it sets the epoch, and stores the position in checkpoints.

    Args:
        store: the images.
        plan: returns the crops of an epoch, the same number for each epoch.
        crop: height and width, in pixels.
        batch_size: items of a batch in this process.
        rounds: consecutive batches that are cut together, because they use the same images.
        share: the part of this process.
        num_workers: threads that prepare batches ahead; with 0 the caller waits for each batch.
        bits: number of bits of the samples, see `pixels.to_float`.
        binary: draw black-and-white samples of the crops.
    """

    batch_sampler = None

    def __init__(
        self,
        store: ImageStore,
        plan: Callable[[int], CropPlan],
        crop: tuple[int, int],
        *,
        batch_size: int,
        rounds: int = 1,
        share: Share = Share(),
        num_workers: int = 0,
        bits: int = 8,
        binary: bool = False,
    ) -> None:
        self._store = store
        self._plan = plan
        self._crop = crop
        self._global_batch = batch_size * share.world
        self._rounds = rounds
        self._share = share
        self._num_workers = num_workers
        self._bits = bits
        self._binary = binary
        self._length = -(-len(plan(0)) // self._global_batch)
        self._epoch = 0
        self._position = (0, 0)  # epoch and batch that come next
        self._resume_at = (0, 0)

    def __len__(self) -> int:
        return self._length

    @property
    def sampler(self) -> "CropLoader":
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration."""
        self._epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """The position of the last iteration."""
        epoch, batch = self._position
        return {"epoch": epoch, "batch": batch, "of": self._length, "size": self._global_batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue from this position in the next iteration, if that is of the same epoch.

        Raises:
            CheckpointError: the position is in the middle of an epoch with other batches.
        """
        stored, own = (state["of"], state["size"]), (self._length, self._global_batch)
        if stored != own and 0 < state["batch"] < state["of"]:
            raise CheckpointError(
                f"the checkpoint is in an epoch of {stored[0]} batches of {stored[1]} images, and "
                f"the data now gives {own[0]} of {own[1]}: resume with the same data, batch_size "
                "(times processes) and crops_per_image"
            )
        self._resume_at = self._position = (state["epoch"], state["batch"])
        self._epoch = state["epoch"] + (state["batch"] == state["of"])

    def __iter__(self) -> Iterator[Any]:  # tensors, or `Labelled`
        # A generator, so that nothing runs before the first batch is requested: Lightning creates
        # the iterator of a resumed training before it sets the epoch.
        epoch, (resume_epoch, batch) = self._epoch, self._resume_at
        first = batch if epoch == resume_epoch else 0
        self._resume_at = (0, 0)
        plan = self._plan(epoch)
        classes = self._store.classes
        for number, (pixels, items) in enumerate(self._batches(plan, first), first):
            self._position = (epoch, number + 1)
            levels = binarise(pixels, items.noise) if self._binary else pixels
            images = to_float(torch.from_numpy(levels), self._bits)
            yield images if classes is None else Labelled(images, classes[items.image])

    def _batches(self, plan: CropPlan, first: int) -> Iterator[tuple[Pixels, CropPlan]]:
        blocks = (
            self._items(plan, max(start, first), min(start + self._rounds, self._length))
            for start in range(first - first % self._rounds, self._length, self._rounds)
        )
        b = self._global_batch // self._share.world
        for block, pixels in self._cut_all(blocks):
            for start in range(0, len(block), b):
                yield pixels[start : start + b], block.take(slice(start, start + b))

    def _items(self, plan: CropPlan, start: int, stop: int) -> CropPlan:
        """The crops of the batches start to stop - 1 that this process loads."""
        size, (rank, world) = self._global_batch, (self._share.rank, self._share.world)
        index = np.arange(start * size, min(stop * size, len(plan)))
        if missing := -len(index) % world:
            index = np.concatenate([index, np.resize(index[-(len(index) % size) :], missing)])
        return plan.take(index[rank::world])

    def _cut_all(self, blocks: Iterator[CropPlan]) -> Iterator[tuple[CropPlan, Pixels]]:
        """Cut the blocks in order, some of them ahead if there are workers."""
        if not self._num_workers:
            for block in blocks:
                pixels = self._empty(block)
                self._cut(block, pixels, 0, 1)
                yield block, pixels
            return
        ahead: deque[tuple[CropPlan, Pixels, list[Future[None]]]] = deque()
        pool = ThreadPoolExecutor(self._num_workers, thread_name_prefix="crops")
        try:
            for block in blocks:
                ahead.append(self._submit(pool, block))
                if len(ahead) > _AHEAD:
                    yield _finished(*ahead.popleft())
            while ahead:
                yield _finished(*ahead.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _submit(
        self, pool: ThreadPoolExecutor, block: CropPlan
    ) -> tuple[CropPlan, Pixels, list[Future[None]]]:
        pixels, parts = self._empty(block), self._num_workers
        jobs = [pool.submit(self._cut, block, pixels, part, parts) for part in range(parts)]
        return block, pixels, jobs

    def _empty(self, block: CropPlan) -> Pixels:
        return np.empty((len(block), self._store.channels, *self._crop), np.uint8)

    def _cut(self, block: CropPlan, out: Pixels, part: int, parts: int) -> None:
        """Fill in the crops of every `parts`-th image of a block; each image is read once."""
        _, rank = np.unique(block.image, return_inverse=True)
        by_image = np.argsort(block.image, kind="stable")
        own = by_image[rank[by_image] % parts == part]
        images, tops, lefts = block.image.tolist(), block.top.tolist(), block.left.tolist()
        height, width = self._crop
        for image, positions in groupby(own.tolist(), key=images.__getitem__):
            pixels = self._store[image]
            for i in positions:
                out[i] = pixels[:, tops[i] : tops[i] + height, lefts[i] : lefts[i] + width]
        for code in set(block.isometry[own].tolist()) - {isometry.IDENTITY}:
            chosen = own[block.isometry[own] == code]
            out[chosen] = isometry.apply(torch.from_numpy(out[chosen]), code).numpy()


def _finished(block: CropPlan, pixels: Pixels, jobs: list[Future[None]]) -> tuple[CropPlan, Pixels]:
    for job in jobs:
        job.result()
    return block, pixels
