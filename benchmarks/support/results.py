"""Result files of a study: one JSON file with all numbers and one Markdown page."""

import json
from pathlib import Path

from neural_collage.io.files import write_atomically

RESULTS = Path(__file__).parents[1] / "results"
"""Folder of the committed results."""


def write_results(folder: Path, name: str, numbers: object, page: str) -> None:
    """Write `name`.json and `name`.md into a folder, which is created if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(numbers, indent=1) + "\n"
    write_atomically(folder / f"{name}.json", text.encode())
    write_atomically(folder / f"{name}.md", page.encode())
