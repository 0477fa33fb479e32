"""Optional dependencies: a missing one becomes an error that says which extra brings it."""

from collections.abc import Iterator
from contextlib import contextmanager

from neural_collage.errors import MissingExtraError

_BROUGHT = {"encode": ("torch", "jaxtyping", "huggingface_hub")}
"""Modules of extras that surround so much that others may be missing there, too."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Import inside this context what the optional dependencies `extra` bring.

    Raises:
        MissingExtraError: instead of `ModuleNotFoundError`, with the line that installs the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        top = (error.name or "").partition(".")[0]
        if top not in _BROUGHT.get(extra, (top,)) or top == __name__.partition(".")[0]:
            raise
        raise MissingExtraError(
            f'{error.name} is not installed: pip install "neural-collage[{extra}]"'
        ) from error
