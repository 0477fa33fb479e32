"""Checks of choices and numbers, for which annotations give no guarantee at run time.

Functions named `..._problems` return a list with one message, or none, so that a caller can report
all its problems at once; `check` raises them.
"""

import operator
from collections.abc import Iterable, Sequence
from math import isfinite
from numbers import Real
from typing import TypeGuard


def check(problems: Sequence[str]) -> None:
    """Raise ValueError with all problems in one line, if there are any."""
    if problems:
        raise ValueError("; ".join(problems))


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise ValueError, listing the choices, unless the value is one of them."""
    check(choice_problems(name, value, choices))


def choice_problems(name: str, value: object, choices: Iterable[str]) -> list[str]:
    """The problem of a value that is not one of the choices."""
    choices = tuple(choices)
    if isinstance(value, str) and value in choices:
        return []
    return [f"{name} must be one of {', '.join(choices)}, not {value!r}"]


def check_whole(name: str, value: object, minimum: int = 1) -> None:
    """Raise ValueError unless the value is a whole number of at least `minimum`."""
    check(whole_problems(name, value, minimum))


def whole_problems(name: str, value: object, minimum: int = 1) -> list[str]:
    """The problem of a value that is not a whole number of at least `minimum`."""
    if is_whole(value) and value >= minimum:
        return []
    return [f"{name} must be a whole number of at least {minimum}, not {value!r}"]


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is an integer, of Python or of numpy, and no bool."""
    try:
        operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    return not isinstance(value, bool)


def wholes_problems(
    name: str, values: object, minimum: int = 1, length: int | None = None
) -> list[str]:
    """The problem of values that are not a sequence of such numbers, or not of this length."""
    if (
        isinstance(values, Sequence)
        and length in (None, len(values))
        and all(is_whole(n) and n >= minimum for n in values)
    ):
        return []
    count = "" if length is None else f"{length} "
    return [f"{name} must be {count}whole numbers of at least {minimum}, not {values!r}"]


def flag_problems(name: str, value: object) -> list[str]:
    """The problem of a value that is no bool."""
    return [] if isinstance(value, bool) else [f"{name} must be True or False, not {value!r}"]


def share_problems(name: str, value: object) -> list[str]:
    """The problem of a value that is not a number in 0..1."""
    if is_number(value) and 0 <= value <= 1:
        return []
    return [f"{name} must be a number from 0 to 1, not {value!r}"]


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number, of Python or of numpy, and no bool."""
    return not isinstance(value, bool) and isinstance(value, Real) and isfinite(value)
