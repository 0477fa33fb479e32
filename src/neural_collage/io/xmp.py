"""XMP packets as bytes (ISO 16684-1): XML in UTF-8 that describes a picture."""

import re
from typing import NoReturn
from xml.parsers import expat

_ORIENTATION = re.compile(rb"(tiff:Orientation\s*=\s*[\"']|<tiff:Orientation>\s*)[2-8]")
_MARKS_OF_UTF_16 = b"\xff\xfe", b"\xfe\xff"
_NAME = rb"(?:[\w.-]+:)?(?i:gps)[\w.-]*"
_POSITION = re.compile(rb"</?" + _NAME)
_POSITION_ATTRIBUTE = re.compile(rb"\s+" + _NAME + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_MARKUP = re.compile(
    rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    rb"|<[^<>\"']*(?:\"[^\"]*\"[^<>\"']*|'[^']*'[^<>\"']*)*>",
    re.DOTALL,
)


def check_xmp(xmp: bytes) -> None:
    """Check that a packet is well-formed XML, without document types and so without entities.

    Raises:
        ValueError: it is not; the message says why.
    """
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_types
    try:
        parser.Parse(xmp if xmp.startswith(_MARKS_OF_UTF_16) else xmp.rstrip(b"\0"), True)
    except expat.ExpatError as error:
        raise ValueError(f"it is no XML: {error}") from error


def upright_xmp(xmp: bytes) -> bytes:
    """The same packet, of the same length, for pixels that have been turned upright.

    Raises:
        ValueError: it is not in UTF-8.
    """
    _check_encoding(xmp)
    return _ORIENTATION.sub(rb"\g<1>1", xmp)


def xmp_without_gps(xmp: bytes) -> bytes:
    """A packet without the properties whose names begin with GPS, whatever their namespace.

    Raises:
        ValueError: it is not in UTF-8, or what is left is no XML.
    """
    _check_encoding(xmp)
    kept, position, depth = [], 0, 0
    for markup in _MARKUP.finditer(xmp):
        if not depth:
            kept.append(xmp[position : markup.start()])
        position = markup.end()
        tag = markup[0]
        if _POSITION.match(tag):
            closes = tag.startswith(b"</")
            depth += -1 if closes else not tag.endswith(b"/>")
        elif not depth:
            is_tag = tag[1:2] not in (b"!", b"?")
            kept.append(_POSITION_ATTRIBUTE.sub(b"", tag) if is_tag else tag)
    result = b"".join((*kept, xmp[position:]))
    check_xmp(result)
    return result


def _check_encoding(xmp: bytes) -> None:
    try:
        text = xmp.rstrip(b"\0").decode()
    except UnicodeDecodeError as error:
        raise ValueError("it is not in UTF-8") from error
    if "\0" in text:
        raise ValueError("it is not in UTF-8")


def _refuse_types(*_: object) -> NoReturn:
    raise ValueError("it has a document type")
