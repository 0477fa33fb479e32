"""The errors this library raises on purpose, all derived from `CollageError`, and its warning.

Each message is one line that says what was given, what was expected and what to do, so that a
program can show it to its user as it is.
"""


class CollageError(Exception):
    """Base of every error that neural-collage raises on purpose."""


class CollageFormatError(CollageError, OSError):
    """A .clg file that is damaged, forged, or of a version or codec this program cannot read.

    Also an `OSError`, as callers of `PIL.Image.open` expect of a damaged file.
    """


class ImageError(CollageError):
    """An input picture that cannot be used: missing, damaged, too large or of an unknown kind."""


class ScaleError(CollageError, ValueError):
    """A scale or a region that has no pixels, too many, or lies outside the image."""


class DataError(CollageError):
    """A set of images that cannot be used: missing, out of reach, empty, or unfit for its crops."""


class OutputError(CollageError):
    """An output that cannot be written, or that exists and was not to be overwritten."""


class TargetError(CollageError):
    """A size or likeness of a file that no quality reaches; the message says how near one comes."""


class NotContractiveError(CollageError):
    """A collage whose map does not contract, so that it need not have a fixed point."""


class NotConvergedError(CollageError):
    """A solver that reached its step limit before its tolerance."""


class MissingExtraError(CollageError):
    """A feature whose optional dependencies are not installed; the message names the extra."""


class ConfigError(CollageError):
    """A config of an experiment that cannot be used: an unknown key, a value of a wrong kind."""


class CheckpointError(CollageError):
    """A checkpoint that is missing, damaged, of another config, or that could not be written."""


class TrainingError(CollageError):
    """A training that cannot go on: exploding gradients, or a request to stop."""


class PictureWarning(UserWarning):
    """Something in a source picture is not carried over."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def describe(error: BaseException) -> str:
    """An error as one line for a user; the type of one that was not raised on purpose is named."""
    if isinstance(error, CollageError):
        return " ".join(str(error).splitlines())
    return f"unexpected {type(error).__name__}: {' '.join(str(error).splitlines())}"
