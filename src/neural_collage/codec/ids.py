"""The codecs' numbers in .clg files; never reused for another bitstream."""

from neural_collage.errors import CollageFormatError

_NAMES: dict[int, str] = {1: "fractal", 2: "neural", 3: "poli2022"}


def codec_name(number: int) -> str:
    """The name of the codec with this number.

    Raises:
        CollageFormatError: the number is not registered.
    """
    if number not in _NAMES:
        raise CollageFormatError(f"codec number {number} is unknown to this program: upgrade it")
    return _NAMES[number]


def codec_number(name: str) -> int:
    """The number of the codec of this name; KeyError if it has none."""
    return {known: number for number, known in _NAMES.items()}[name]


def reserve(number: int, name: str) -> None:
    """Give a codec a number of its own.

    Raises:
        ValueError: the number is not in 1..255, or it or the name is taken.
    """
    if not 1 <= number <= 255:
        raise ValueError(f"codec number {number} is not in 1..255")
    if number in _NAMES or name in _NAMES.values():
        taken = ", ".join(f"{n} {known}" for n, known in _NAMES.items())
        raise ValueError(f"codec {number} {name}: number and name must be new, there are {taken}")
    _NAMES[number] = name
