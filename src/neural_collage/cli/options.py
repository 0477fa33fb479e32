"""Options that several commands share."""

from typing import Annotated

import typer

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT", help="Files, or folders searched for them.", show_default=False
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|DIR",
        help="A folder if it exists as one, ends in /, or if INPUT is a folder or several; "
        "relative paths are kept in it. Without -o, outputs lie beside their inputs.",
    ),
]
Device = Annotated[str, typer.Option("--device", metavar="D", help="cpu, cuda, cuda:1 ...")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="Weights: natural (photos), aerial, a .safetensors file or a name on the hub.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per input.")]
