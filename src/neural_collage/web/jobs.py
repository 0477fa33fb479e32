"""Jobs of visitors: checked uploads, progress with cancellation, and error reports."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import gradio

from neural_collage.art.progress import Progress
from neural_collage.errors import CollageError, ImageError
from neural_collage.io.reading import read_picture
from neural_collage.web.sessions import Sessions, StoppedError

MAX_PIXELS = 40_000_000
"""Limit on the pixels of an uploaded picture, checked before it is decoded."""
P = ParamSpec("P")
T = TypeVar("T")


def report_errors(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator of event handlers: shows the messages of expected errors to the visitor."""

    @wraps(function)
    def handler(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except StoppedError as error:
            raise gradio.Error(
                "Nothing was kept.", title="Stopped", duration=4, print_exception=False
            ) from error
        except CollageError as error:
            raise gradio.Error(str(error), duration=20, print_exception=False) from error

    return handler


def checked_upload(
    sessions: Sessions, owner: str, path: str | None, what: str = "a picture"
) -> Path:
    """The path of an uploaded picture, which is removed when the session ends.

    Raises:
        ImageError: nothing was uploaded, or it is not a picture, or too large.
    """
    if path is None:
        raise ImageError(f"Upload {what} first.")
    file = Path(path)
    sessions.add_file(owner, file)
    try:
        read_picture(file, max_pixels=MAX_PIXELS)
    except ImageError as error:  # with the name of the file instead of its path on the server
        raise ImageError(str(error).replace(str(file), file.name)) from error
    return file


def start_job(sessions: Sessions, owner: str, progress: gradio.Progress, what: str) -> Progress:
    """A progress callback for a new job, which raises StoppedError once the visitor stops it."""
    sessions.begin(owner)

    def report(done: int, steps: int) -> None:
        sessions.check(owner)
        progress((done, steps), desc=what)

    return report
