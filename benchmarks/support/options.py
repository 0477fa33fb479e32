"""Options that several studies have."""

from pathlib import Path
from typing import Annotated

import typer

from neural_collage.runtime import available_cores

OutputFolder = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")]
PhotoFolder = Annotated[
    Path | None, typer.Option(help="A folder of pictures; by default the photos of scikit-image.")
]
Threads = Annotated[int, typer.Option(help="Threads of torch.")]
CORES = available_cores()
"""The default of `Threads`."""
