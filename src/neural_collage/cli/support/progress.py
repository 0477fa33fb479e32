"""Progress bars of the commands: on stderr, only if that is a terminal, and removed at the end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, ProgressColumn


def progress_bar(*columns: str | ProgressColumn, quiet: bool = False) -> Progress:
    """A progress bar with these columns, or rich's default ones.

    It is silent without a terminal, and if it is to be quiet.

    While it is shown, lines printed to a terminal appear above it. Standard output that goes into
    a pipe is left alone.
    """
    console = Console(stderr=True)
    return Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        disable=quiet or not console.is_terminal,
    )


@contextmanager
def step_progress(description: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar during a computation, which reports by calling the result with (done, total)."""
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
