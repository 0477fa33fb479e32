"""Sets of small images whose pixels encode the number of the image and the position."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Size = tuple[int, int]


def marked(index: int, size: Size) -> npt.NDArray[np.uint8]:
    """(h, w, 3): the number of the image in red, the row in green, the column in blue."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    return np.stack([np.full(size, index), rows, columns], -1).astype(np.uint8)


def write_folder(folder: Path, sizes: Sequence[Size]) -> Path:
    """Marked images 000.png, 001.png ..., every other one in a subfolder, and other files."""
    (folder / "sub").mkdir(parents=True)
    for other in ("Thumbs.db", "._000.png"):
        (folder / other).write_text("no image")
    for index, size in enumerate(sizes):
        parent = folder / "sub" if index % 2 else folder
        Image.fromarray(marked(index, size)).save(parent / f"{index:03}.png")
    return folder


def png(array: npt.NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


def write_parquet(path: Path, arrays: Sequence[npt.NDArray[np.uint8]], column: str) -> Path:
    """Encoded images and labels, as the hub stores them."""
    images = [{"bytes": png(array), "path": f"{i}.png"} for i, array in enumerate(arrays)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({column: images, "label": list(range(len(arrays)))}), path)
    return path
