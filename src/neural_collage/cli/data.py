"""`collage data`: the sets of images that configs and benchmarks use, and where to get them."""

import json as json_format
from dataclasses import asdict
from typing import Annotated

import typer


def data(
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array of objects.")] = False,
) -> None:
    """List the data sets of the configs and benchmarks: present or missing, licence, source.

    Each is expected in data/NAME, or in NAME below the folder that the environment variable
    NEURAL_COLLAGE_DATA names.
    """
    from neural_collage.data.catalogue import CATALOGUE, data_folder, missing

    absent = missing()
    rows = [
        {**asdict(each), "folder": str(data_folder() / each.name), "present": each not in absent}
        for each in CATALOGUE
    ]
    if json:
        typer.echo(json_format.dumps(rows))
        return
    for row in rows:
        state = "present" if row["present"] else "missing"
        typer.echo(f"{row['name']:14}{state:10}{row['folder']}")
        for name in ("content", "used_for", "licence", "address"):
            typer.echo(f"{'':14}{name.replace('_', ' '):10}{row[name]}")
