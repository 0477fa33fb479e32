"""The results of the parts of the study, kept together in speed.json and shown in speed.md."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill

from benchmarks.support.results import write_results
from neural_collage.errors import CollageError
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table

NAME = "speed"
Row = Mapping[str, float | str]
"""Values by column; the name of a column ends in its unit."""


@dataclass(frozen=True)
class Table:
    """A table of the report.

    rows: by label; all have the same columns.
    note: what was measured, a paragraph above the table.
    """

    title: str
    rows: Mapping[str, Row]
    note: str = ""


@dataclass(frozen=True)
class Part:
    """The results of one part."""

    title: str
    command: str
    environment: Environment
    tables: Sequence[Table]


def with_ratio(rows: Mapping[str, Mapping[str, float]], column: str) -> dict[str, Row]:
    """Rows with one more column: a column relative to its value in the first row."""
    first = next(iter(rows.values()))[column]
    return {
        label: {**row, "relative to the first": row[column] / first} for label, row in rows.items()
    }


def plural(count: int, noun: str) -> str:
    """A number and a noun, as in "2 threads"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def read_parts(folder: Path) -> dict[str, Part]:
    """The parts in the result file of a folder, by name; none if there is no such file.

    Raises:
        CollageError: the file is not one of this study.
    """
    path = folder / f"{NAME}.json"
    if not path.exists():
        return {}
    try:
        return {name: _part(entry) for name, entry in json.loads(path.read_text()).items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CollageError(
            f"{path} holds no parts of this study: remove it, or measure all parts"
        ) from error


def write_parts(folder: Path, parts: Mapping[str, Part]) -> None:
    """Write speed.json and speed.md."""
    numbers = {name: asdict(part) for name, part in parts.items()}
    write_results(folder, NAME, numbers, to_markdown(parts))


def to_markdown(parts: Mapping[str, Part]) -> str:
    """All parts as tables, the machine once if it was the same for all."""
    machines = {str(part.environment) for part in parts.values()}
    shared = f"Machine: {machines.pop()}.\n\n" if len(machines) == 1 else ""
    sections = [
        "\n\n".join(
            [
                f"## {part.title}",
                f"    {part.command}",
                *([] if shared else [f"Machine: {part.environment}."]),
                *map(_section, part.tables),
            ]
        )
        for part in parts.values()
    ]
    return f"# Speed and memory\n\n{shared}" + "\n\n".join(sections) + "\n"


def _part(entry: dict[str, object]) -> Part:
    environment, tables = entry["environment"], entry["tables"]
    if not isinstance(environment, dict) or not isinstance(tables, list):
        raise TypeError
    return Part(
        str(entry["title"]),
        str(entry["command"]),
        Environment(**environment),
        [Table(**table) for table in tables],
    )


def _section(table: Table) -> str:
    columns = list(next(iter(table.rows.values())))
    rows = [
        [label, *(_shown(row[column]) for column in columns)] for label, row in table.rows.items()
    ]
    parts = (f"### {table.title}", fill(table.note, 100), markdown_table(["", *columns], rows))
    return "\n\n".join(part for part in parts if part)


def _shown(value: float | str) -> str:
    """Three significant digits, whole numbers in full."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")
