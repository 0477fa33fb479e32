"""The type of progress callbacks."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called after each step with the number of steps done and the number of steps in all."""
