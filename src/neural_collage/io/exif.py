"""EXIF data as bytes: what changes is changed in place, and all else stays where it was.

Offsets in EXIF data are absolute, and those inside of maker notes are often undocumented: data that
are parsed and written anew lose what the writer does not know. Here they are a TIFF structure
(CIPA DC-008, TIFF 6.0), without the prefix that it has in JPEG files.
"""

from typing import Literal, NamedTuple

PREFIX = b"Exif\0\0"
"""Stands before the structure in JPEG files, and in `info["exif"]` of Pillow."""
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_HEADER_BYTES, _ENTRY_BYTES = 8, 12
_MOST_DIRECTORIES = 32
_ORIENTATION, _EXIF, _GPS = 0x0112, 0x8769, 0x8825
_UPRIGHT = 1
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value of each type."""
_WHOLE = (1, 3, 4)


class _Entry(NamedTuple):
    """A field of a directory.

    position: of its 12 bytes. number: of its values. values: where these are; None if there is no
    such type.
    """

    position: int
    tag: int
    kind: int
    number: int
    values: slice | None


def check_exif(exif: bytes) -> None:
    """Check that the first directory can be read; those below it may be damaged.

    Raises:
        ValueError: it cannot; the message says why.
    """
    _Structure(exif)


def orientation_of(exif: bytes) -> int | None:
    """The orientation of the picture, None if it is not given; raises as `check_exif`."""
    structure = _Structure(exif)
    found = [e for e in structure.entries(structure.first) if e.tag == _ORIENTATION]
    return structure.number(found[0]) if found else None


def upright_exif(exif: bytes) -> bytes:
    """The same data, of the same length, for pixels that have been turned upright.

    Raises:
        ValueError: as `check_exif`, or the orientation is not a whole number.
    """
    structure = _Structure(exif)
    changed = bytearray(exif)
    for entry in structure.entries(structure.first):
        if entry.tag == _ORIENTATION:
            if structure.number(entry) is None or entry.values is None:
                raise ValueError("its orientation is not a whole number")
            changed[entry.values] = _UPRIGHT.to_bytes(_SIZES[entry.kind], structure.order)
    return bytes(changed)


def has_gps(exif: bytes) -> bool:
    """Whether there is a directory with a position; raises ValueError if damage hides it."""
    structure = _Structure(exif)
    return any(
        entry.tag == _GPS
        for directory in structure.directories()
        for entry in structure.entries(directory)
    )


def without_gps(exif: bytes) -> bytes:
    """The same data, of the same length, with zeros for the directory of the position.

    Raises:
        ValueError: as `check_exif`, or damage hides what belongs to it.
    """
    structure = _Structure(exif)
    changed = bytearray(exif)
    for directory in structure.directories():
        entries = structure.entries(directory)
        for entry in entries:
            if entry.tag == _GPS:
                structure.blank(changed, entry)
        kept = [e for e in entries if e.tag != _GPS]
        if len(kept) < len(entries):
            end = directory + 2 + _ENTRY_BYTES * len(entries)
            fields = b"".join(exif[e.position : e.position + _ENTRY_BYTES] for e in kept)
            shorter = len(kept).to_bytes(2, structure.order) + fields + exif[end : end + 4]
            changed[directory : end + 4] = shorter.ljust(len(exif[directory : end + 4]), b"\0")
    result = bytes(changed)
    if has_gps(result):
        raise ValueError("its position cannot be removed")
    return result


class _Structure:
    """The directories of EXIF data; raises ValueError where they do not fit."""

    def __init__(self, exif: bytes) -> None:
        if exif[:4] not in _ORDERS:
            raise ValueError("it is no TIFF structure")
        self._exif = exif
        self.order = _ORDERS[exif[:4]]
        self.first = self._number(4, 4)
        self.entries(self.first)

    def directories(self) -> list[int]:
        """Positions of the picture's directory, those after it, and those of EXIF fields."""
        found: list[int] = []
        waiting = [self.first]
        while waiting:
            directory = waiting.pop()
            if directory in found:
                continue
            found.append(directory)
            if len(found) > _MOST_DIRECTORIES:
                raise ValueError("it has too many directories")
            entries = self.entries(directory)
            waiting += [self._pointer(entry) for entry in entries if entry.tag == _EXIF]
            end = directory + 2 + _ENTRY_BYTES * len(entries)
            if end + 4 <= len(self._exif) and (following := self._number(end, 4)):
                waiting.append(following)
        return found

    def entries(self, directory: int) -> list[_Entry]:
        """The fields of the directory at a position."""
        if directory < _HEADER_BYTES:
            raise ValueError("a directory lies in its header")
        count = self._number(directory, 2)
        start = directory + 2
        if start + _ENTRY_BYTES * count > len(self._exif):
            raise ValueError("a directory ends behind its end")
        return [self._entry(start + _ENTRY_BYTES * index) for index in range(count)]

    def number(self, entry: _Entry) -> int | None:
        """The value of a field of one whole number, None for other fields."""
        if entry.kind not in _WHOLE or entry.number != 1 or entry.values is None:
            return None
        return int.from_bytes(self._exif[entry.values], self.order)

    def blank(self, changed: bytearray, pointer: _Entry) -> None:
        """Overwrite the directory that a field points to, and its values, with zeros."""
        directory = self._pointer(pointer)
        entries = self.entries(directory)
        spans = [slice(directory, directory + 2 + _ENTRY_BYTES * len(entries) + 4)]
        for entry in entries:
            if entry.values is None:
                raise ValueError("its position is damaged")
            spans.append(entry.values)
        for span in spans:
            changed[span] = bytes(len(changed[span]))

    def _entry(self, position: int) -> _Entry:
        tag, kind = self._number(position, 2), self._number(position + 2, 2)
        count = self._number(position + 4, 4)
        size = _SIZES.get(kind, 0) * count
        start = position + 8 if size <= 4 else self._number(position + 8, 4)
        values = slice(start, start + size) if kind in _SIZES else None
        return _Entry(position, tag, kind, count, values)

    def _pointer(self, entry: _Entry) -> int:
        if (position := self.number(entry)) is None:
            raise ValueError("the place of a directory is not a whole number")
        return position

    def _number(self, position: int, size: int) -> int:
        if position + size > len(self._exif):
            raise ValueError("it breaks off")
        return int.from_bytes(self._exif[position : position + size], self.order)
