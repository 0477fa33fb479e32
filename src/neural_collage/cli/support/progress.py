"""Progress bars of the commands: on stderr, only if that is a terminal, and removed at the end."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

T = TypeVar("T")


def progress_bar(*columns: "str | ProgressColumn", quiet: bool = False) -> "Progress":
    """A progress bar with these columns, or rich's default ones.

    It is silent without a terminal, and if it is to be quiet.

    While it is shown, lines printed to a terminal appear above it. Standard output that goes into
    a pipe is left alone.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        disable=quiet or not console.is_terminal,
    )


def on_terminal() -> bool:
    """Whether stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def progress_of_jobs(jobs: Sequence[T], *, quiet: bool = False) -> Iterator[Iterable[T]]:
    """The jobs, whose number a bar shows as they are taken; without a bar rich is not imported."""
    if quiet or not on_terminal():
        yield jobs
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with progress_bar(*columns) as bar:
        yield bar.track(jobs, description="")


@contextmanager
def step_progress(description: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar during a computation, which reports by calling the result with (done, total)."""
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
