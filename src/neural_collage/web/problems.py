"""Errors of the studio that reach visitors, with their HTTP status."""

from collections.abc import Mapping
from typing import Any

from neural_collage.errors import CollageError


class StudioError(CollageError):
    """A request that cannot be answered.

    status: of HTTP. details: further fields of the answer, beside the message.
    """

    def __init__(
        self, message: str, status: int = 400, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.details = dict(details or {})

    def __reduce__(self) -> tuple[Any, ...]:  # errors come back from other processes
        return type(self), (str(self), self.status, self.details)


class StoppedError(CollageError):
    """The visitor stopped the job."""


def gone(what: str) -> StudioError:
    """The error for what the server does not know any more, as after a restart."""
    return StudioError(f"{what} is no longer kept: open the picture again", 410, {"gone": True})
