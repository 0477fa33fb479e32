"""The cluster engine: actors of a Ray cluster, one model in each, fed by Ray Data."""

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
from neural_collage.runtime import available_cores, use_threads

with needs_extra("ray"):
    import ray
    import ray.data

_BATCH = 8
"""Batch size of an actor. If it dies, the whole batch is lost; outcomes arrive batch by batch."""
_BLOCK = 256
"""Maximum number of items in a block, the unit that Ray schedules and transfers."""
_DEATHS = (
    ray.exceptions.WorkerCrashedError,
    ray.exceptions.OutOfMemoryError,
    ray.exceptions.NodeDiedError,
)
"""Errors of a task whose process ended before the task did."""


class RayEngine:
    """Actors of a running cluster, or of a local one that ends with this program.

    workers: number of actors; None for one per core (or accelerator) of the cluster.
    address: of the cluster; None for the environment variable RAY_ADDRESS, or this machine alone
        if that is not set.
    device: on which workers compute; "cpu" reserves a core per worker, others an accelerator.

    Raises CollageError if no cluster can be reached, or if it has fewer cores than `workers`.
    """

    def __init__(
        self, workers: int | None = None, address: str | None = None, device: str = "cpu"
    ) -> None:
        if workers is not None and workers < 1:
            raise CollageError(f"{workers} workers: at least one is needed")
        _connect(address, workers)
        self._resource = "CPU" if device == "cpu" else "GPU"
        available = int(_resources().get(self._resource, 0))
        self.workers = available if workers is None else workers
        if self.workers > available:
            raise CollageError(
                f"{self.workers} workers, but the cluster has {available} {self._resource}s: "
                "choose fewer"
            )

    def close(self) -> None:
        """Disconnect from the cluster."""
        ray.shutdown()

    def run(
        self, worker: Worker, items: Iterable[Item], *, isolated: bool = False
    ) -> Iterator[Outcome]:
        """See `engines.Engine.run`. Items in a shared store are sent without their data."""
        return self._run_isolated(worker, items) if isolated else self._run_blocks(worker, items)

    def _run_isolated(self, worker: Worker, items: Iterable[Item]) -> Iterator[Outcome]:
        """Tasks rather than actors: a death never costs another item one of its retries."""
        task = ray.remote(_work).options(max_retries=0, **self._reserved())
        shared = ray.put(worker)
        for item in items:
            try:
                yield ray.get(task.remote(shared, item))
            except _DEATHS:
                continue
            except ray.exceptions.RayError as error:
                raise _cluster_failure(error) from error

    def _reserved(self) -> dict[str, Any]:
        return {"num_cpus": 1} if self._resource == "CPU" else {"num_gpus": 1}

    def _run_blocks(self, worker: Worker, items: Iterable[Item]) -> Iterator[Outcome]:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # process all other blocks
        packed = [{"item": pickle.dumps(item)} for item in items]
        if not packed:
            return
        workers = min(self.workers, len(packed))
        per_block = min(_BLOCK, math.ceil(len(packed) / (2 * workers)))
        blocks = math.ceil(len(packed) / per_block)
        rows = ray.data.from_items(packed, override_num_blocks=blocks)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated, but the only way to limit retries
            outcomes = rows.map_batches(
                _Actor,
                fn_constructor_args=(worker,),
                batch_size=_BATCH,
                compute=ray.data.ActorPoolStrategy(size=workers),
                ray_remote_args_fn=_retry_options,
                **self._reserved(),
            )
        try:
            for row in outcomes.iter_rows():
                yield pickle.loads(row["outcome"])
        except ray.exceptions.RayError as error:
            raise _cluster_failure(error) from error


class _Actor:
    """A worker in a process of the cluster."""

    def __init__(self, worker: Worker) -> None:
        use_threads(1)  # the processes use the other cores
        self._worker = worker

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for item in batch["item"]:
            yield {"outcome": [pickle.dumps(self._worker(pickle.loads(item)))]}


def _work(worker: Worker, item: Item) -> Outcome:
    """Task of the cluster that processes a single item."""
    use_threads(1)  # the processes use the other cores
    return worker(item)


def _cluster_failure(error: Exception) -> CollageError:
    return CollageError(f"the cluster failed: {first_line(error)}: run it again")


def _resources() -> dict[str, float]:
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return resources


def _retry_options() -> dict[str, int]:
    """Restart an actor that died, and retry its items once; after that they have no outcome."""
    return {"max_restarts": -1, "max_task_retries": 1}


def _connect(address: str | None, workers: int | None) -> None:
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    remote = bool(address or os.environ.get("RAY_ADDRESS"))
    try:
        ray.init(
            address=address,
            num_cpus=None if remote else max(available_cores(), workers or 1),
            include_dashboard=None if remote else False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except Exception as error:  # Ray documents no common base class
        place = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise CollageError(f"no Ray cluster at {place}: {first_line(error)}") from error
