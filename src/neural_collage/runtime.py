"""What this process computes with: the cores it may use, and the devices of torch."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from neural_collage.errors import CollageError


def available_cores() -> int:
    """Number of cores that this process may run on, which a container may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_device(device: str) -> None:
    """Check that torch can compute on a device here and now.

    Raises:
        CollageError: it cannot, or the device holds no values (meta).
    """
    import torch  # not needed to count cores

    try:
        torch.ones(1, device=torch.device(device)).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise CollageError(f"device {device!r} cannot be used on this machine: try cpu") from error


@contextmanager
def without_autocast(device: str = "cpu") -> Iterator[None]:
    """Compute in the types of the tensors inside, whatever autocast says outside.

    Files and pixels then do not depend on it.
    """
    import torch

    with ExitStack() as stack:
        for kind in {"cpu", torch.device(device).type}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        yield
