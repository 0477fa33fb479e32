"""Long work for a visitor: progress, stopping, and errors that say what to do."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import gradio

from neural_collage.errors import CollageError, ImageError
from neural_collage.io.reading import read_picture
from neural_collage.web.sessions import Sessions, StoppedError

MAX_PIXELS = 40_000_000
"""Pixels of a picture that is uploaded; it is refused before it is decoded."""
P = ParamSpec("P")
T = TypeVar("T")


def explained(function: Callable[P, T]) -> Callable[P, T]:
    """The function, its errors shown to the visitor as they are."""

    @wraps(function)
    def shown(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except StoppedError as error:
            raise gradio.Error(
                "Nothing was kept.", title="Stopped", duration=4, print_exception=False
            ) from error
        except (CollageError, ValueError) as error:
            raise gradio.Error(str(error), duration=20, print_exception=False) from error

    return shown


def uploaded(sessions: Sessions, owner: str, path: str | None, what: str = "a picture") -> Path:
    """An upload that can be used, to be removed when the session ends.

    Raises:
        ImageError: nothing was uploaded, or it is no picture, or too large.
    """
    if path is None:
        raise ImageError(f"Upload {what} first.")
    file = Path(path)
    sessions.remember(owner, file)
    try:
        read_picture(file, max_pixels=MAX_PIXELS)
    except ImageError as error:  # the visitor knows the name, not where the upload lies
        raise ImageError(str(error).replace(str(file), file.name)) from error
    return file


def telling(
    sessions: Sessions, owner: str, progress: gradio.Progress, what: str
) -> Callable[[int, int], None]:
    """Tells the visitor how far the work is, and stops it if asked to."""
    sessions.begin(owner)

    def told(done: int, of: int) -> None:
        sessions.check(owner)
        progress((done, of), desc=what)

    return told
