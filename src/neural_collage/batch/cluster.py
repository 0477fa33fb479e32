"""Who works on items: actors of a Ray cluster, one model in each, fed by Ray Data."""

import logging
import math
import os
import pickle
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from neural_collage.batch.tasks import Item, Outcome, Worker
from neural_collage.errors import CollageError, first_line
from neural_collage.extras import needs_extra
from neural_collage.runtime import available_cores

with needs_extra("ray"):
    import ray
    import ray.data

_ITEMS_AT_ONCE = 8
"""That an actor is given: what is lost if it dies, and what its outcomes wait for."""
_BLOCK = 256
"""Items of a task, which Ray moves from machine to machine."""


class RayEngine:
    """Actors of a cluster that runs already, or of one that lives as long as this program.

    workers: how many actors; None for one for each core (or accelerator) of the cluster.
    address: of the cluster; if None that in the environment variable RAY_ADDRESS, and without
        one, this machine alone.
    device: that workers compute on: each takes an accelerator if it is not "cpu", else a core.

    Raises CollageError if there is no cluster.
    """

    def __init__(
        self, workers: int | None = None, address: str | None = None, device: str = "cpu"
    ) -> None:
        if workers is not None and workers < 1:
            raise CollageError(f"{workers} workers: at least one is needed")
        _connect(address, workers)
        self._takes = "CPU" if device == "cpu" else "GPU"
        there = int(_resources().get(self._takes, 0))
        self.workers = there if workers is None else workers
        if self.workers > there:
            raise CollageError(
                f"{self.workers} workers, but the cluster has {there} {self._takes}s: ask for less"
            )

    def close(self) -> None:
        """Leave the cluster."""
        ray.shutdown()

    def run(
        self, worker: Worker, items: Iterable[Item], *, alone: bool = False
    ) -> Iterator[Outcome]:
        """See `engines.Engine.run`; of items that lie in a store, only the names travel."""
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # the others go on
        packed = [{"item": pickle.dumps(item)} for item in items]
        if not packed:
            return
        workers = 1 if alone else min(self.workers, len(packed))
        at_once = 1 if alone else _ITEMS_AT_ONCE
        per_block = 1 if alone else min(_BLOCK, math.ceil(len(packed) / (2 * workers)))
        one: dict[str, Any] = {"num_cpus": 1} if self._takes == "CPU" else {"num_gpus": 1}
        blocks = math.ceil(len(packed) / per_block)
        rows = ray.data.from_items(packed, override_num_blocks=blocks)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there is no other name yet for a bound on retries
            outcomes = rows.map_batches(
                _Actor,
                fn_constructor_args=(worker,),
                batch_size=at_once,
                compute=ray.data.ActorPoolStrategy(size=workers),
                ray_remote_args_fn=_once_more,
                **one,
            )
        try:
            for row in outcomes.iter_rows():
                yield pickle.loads(row["outcome"])
        except ray.exceptions.RayError as error:
            raise CollageError(f"the cluster failed: {first_line(error)}: run it again") from error


class _Actor:
    """A worker, in a process of the cluster."""

    def __init__(self, worker: Worker) -> None:
        import torch

        torch.set_num_threads(1)
        self._worker = worker

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for item in batch["item"]:
            yield {"outcome": [pickle.dumps(self._worker(pickle.loads(item)))]}


def _resources() -> dict[str, float]:
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return resources


def _once_more() -> dict[str, int]:
    """An actor that dies is begun again, its items once; then they are lost, see `Engine.run`."""
    return {"max_restarts": -1, "max_task_retries": 1}


def _connect(address: str | None, workers: int | None) -> None:
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    there = bool(address or os.environ.get("RAY_ADDRESS"))
    try:
        ray.init(
            address=address,
            num_cpus=None if there else max(available_cores(), workers or 1),
            include_dashboard=None if there else False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except Exception as error:  # of many kinds
        place = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise CollageError(f"no Ray cluster at {place}: {first_line(error)}") from error
