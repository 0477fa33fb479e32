"""`collage batch` on a folder of small pictures, as a whole process."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.speed.report import Row, Table, plural
from benchmarks.speed.samples import Samples, Settings, photos_in
from benchmarks.speed.usage import COLLAGE, Usage, usage
from neural_collage.errors import CollageError

AERIAL = Path("data/aid/train")
SIDE = 150
"""Width and height of the parts of the photo; the pictures of `AERIAL` have the same."""
MODEL = "aerial"
_OPTIONS = {"compress": ("--model", MODEL), "decompress": ()}


def batch_tables(settings: Settings, samples: Samples) -> list[Table]:
    """Compression of the pictures, and decompression of their files.

    Raises:
        CollageError: there are too few pictures.
    """
    count, workers = settings.batch_pictures, settings.workers
    if count <= workers:
        raise CollageError(f"a batch of {count} for {workers} workers: give more pictures")
    folder = samples.folder / "batch"
    if files := photos_in(settings.aerial, AERIAL):
        if len(files) < count:
            raise CollageError(f"{files[0].parent} holds {len(files)} pictures, not {count}")
        copy_files(files[:count], folder / "all")
    else:
        write_parts_of(samples.photo.picture, count, folder / "all")
    copy_files(sorted((folder / "all").iterdir())[:workers], folder / "first")
    rows = {task: _measure(task, folder, count, workers) for task in _OPTIONS}
    with Image.open(next((folder / "all").iterdir())) as first:
        size = f"{first.width} x {first.height}"
    note = f"""\
{count} {"pictures" if files else "parts of the photo"} of {size} pixels by `collage batch` with the
{MODEL} model, from the start of the program to its end. The start is what a batch of one picture
for each worker takes."""
    return [Table(plural(workers, "worker").capitalize(), rows, note)]


def copy_files(files: Sequence[Path], folder: Path) -> None:
    """Copy files into a new folder."""
    folder.mkdir(parents=True)
    for file in files:
        shutil.copy(file, folder)


def write_parts_of(picture: Path, count: int, folder: Path) -> None:
    """Write parts of a picture at random places as JPEG files."""
    folder.mkdir(parents=True)
    places = np.random.default_rng(0)
    with Image.open(picture) as image:
        for index in range(count):
            left, top = (int(places.integers(max(1, side - SIDE + 1))) for side in image.size)
            part = image.crop((left, top, left + SIDE, top + SIDE))
            part.save(folder / f"{index:04}.jpg", quality=94)


def _measure(task: str, folder: Path, count: int, workers: int) -> Row:
    """A batch of all pictures or their files, after one of a few."""
    start, whole = (_run(task, folder / name, workers) for name in ("first", "all"))
    after = whole.seconds - start.seconds
    return {
        "s": whole.seconds,
        "pictures per s": count / whole.seconds,
        "start s": start.seconds,
        "pictures per s after it": (count - workers) / after if after > 0 else "–",
        "peak MiB of a process": whole.peak,
    }


def _run(task: str, pictures: Path, workers: int) -> Usage:
    files = pictures.with_name(f"{pictures.name}-clg")
    decoded = pictures.with_name(f"{pictures.name}-png")
    source, target = (pictures, files) if task == "compress" else (files, decoded)
    options = ("--task", task, "--workers", str(workers), *_OPTIONS[task])
    return usage([*COLLAGE, "batch", str(source), str(target), *options])
