"""Lets the reference show arguments as tables: the docstrings here name them without a heading.

A paragraph of lines `name: text`, with names of arguments or fields and longer texts indented,
becomes a section "Args:" or "Attributes:" of the Google style, which mkdocstrings understands.
"""

import re
from collections.abc import Container

import griffe

_ENTRY = re.compile(r"(?P<names>\w+(?:, \w+)*): ")


class NamedArguments(griffe.Extension):
    """Extension of griffe, which mkdocstrings reads the source with."""

    def on_function(self, *, func: griffe.Function, **_: object) -> None:
        if func.docstring:
            names = {parameter.name for parameter in func.parameters}
            func.docstring.value = with_headings(func.docstring.value, names, "Args:")

    def on_class(self, *, cls: griffe.Class, **_: object) -> None:
        if cls.docstring:
            names = {parameter.name for parameter in cls.parameters} | set(cls.members)
            cls.docstring.value = with_headings(cls.docstring.value, names, "Attributes:")


def with_headings(text: str, names: Container[str], heading: str) -> str:
    """The docstring with a heading above its entries, which are indented below it."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        entry = _ENTRY.match(line)
        if entry and all(name in names for name in entry["names"].split(", ")):
            if not inside:
                lines += ["", heading]
            inside = True
        elif inside and not line.startswith("    "):
            inside = False
            lines.append("")
        lines.append(f"    {line}" if inside else line)
    return "\n".join(lines)
