"""Whether files decode to the same bits whatever the threads, the kernels and the company.

    python -m benchmarks.same_bits

Makes files of random parts of photos, of random sizes, modes, qualities and efforts, encoded with
one thread. Fresh processes decode them with one, two and four threads, one after the other and
several at once, without oneDNN, and with float64 as the default type of torch. Counts the files
whose pixels differ from those of one thread: as 8 bits, and as floats before rounding. Writes
same_bits.json and same_bits.md.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import exp, log
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.speed.growth import in_fresh_process
from benchmarks.speed.study import RESULTS
from benchmarks.support.neural import photo_files, rgb
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.report import markdown_table
from neural_collage.io.writing import to_pil

MODES = ("RGB", "RGB", "RGB", "L", "RGBA")
"""Of the pictures; most have colours."""
EFFORTS = (5, 5, 5, 6, 7)
AT_ONCE = 4


@dataclass(frozen=True)
class Condition:
    """How a process decodes.

    threads: of torch, for each decode. at_once: decodes that run side by side.
    onednn: whether torch may use its kernels. dtype: the default of torch.
    """

    threads: int
    at_once: int = 1
    onednn: bool = True
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """As in the table."""
        words = [f"{self.threads} thread{'s' if self.threads > 1 else ''}"]
        if self.at_once > 1:
            words.append(f"{self.at_once} decodes at once")
        if not self.onednn:
            words.append("without oneDNN")
        if self.dtype != "float32":
            words.append(f"default type {self.dtype}")
        return ", ".join(words)


REFERENCE = Condition(1)
CONDITIONS = (
    REFERENCE,
    *(Condition(threads) for threads in (2, 4)),
    *(Condition(threads, AT_ONCE) for threads in (1, 2, 4)),
    *(Condition(threads, onednn=False) for threads in (1, 4)),
    *(Condition(threads, dtype="float64") for threads in (1, 4)),
)


@dataclass(frozen=True)
class Sample:
    """One file."""

    picture: str
    mode: str
    width: int
    height: int
    quality: int
    effort: int
    data: bytes


@dataclass(frozen=True)
class Decoded:
    """SHA-256 of the pixels of a file.

    levels: rounded to 8 bits. floats: their values before, whatever their type.
    error: what was raised instead of pixels.
    """

    levels: str = ""
    floats: str = ""
    error: str = ""


@dataclass(frozen=True)
class Differences:
    """Of how many files one condition made something else than the reference.

    files: the numbers of those files, counted from 0 in the order they were made.
    first_error: the message of the first failed decode, if there is one.
    """

    condition: Condition
    levels: int
    floats: int
    errors: int
    files: Sequence[int]
    first_error: str


@dataclass(frozen=True)
class SameBits:
    """All results."""

    command: str
    environment: Environment
    codec: str
    scale: float
    files: int
    bytes: int
    reference: Condition
    differences: Sequence[Differences]


def main(
    images: Annotated[
        Path | None, typer.Option(help="A folder of pictures, or the photos of scikit-image.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = RESULTS,
    files: Annotated[int, typer.Option(help="How many to make.", min=1)] = 1000,
    codec: Annotated[str, typer.Option(help="A codec of several rates.")] = "neural",
    scale: Annotated[float, typer.Option(help="To decode at.")] = 1,
    largest: Annotated[int, typer.Option(help="Side of a picture in pixels.", min=1)] = 320,
    seed: Annotated[int, typer.Option(help="Of what is random.")] = 0,
    per_process: Annotated[int, typer.Option(help="Files until a fresh one.", min=1)] = 50,
) -> None:
    """Count files that decode differently; writes same_bits.json and same_bits.md."""
    torch.set_num_threads(1)
    samples = list(make_files(photo_files(images), files, codec, largest, seed))
    found = {
        condition: decode_all([sample.data for sample in samples], condition, scale, per_process)
        for condition in CONDITIONS
    }
    where = f" --images {images.resolve().name}" if images else ""
    result = SameBits(
        command=f"python -m benchmarks.same_bits{where} --files {files} --codec {codec}"
        f" --scale {scale:g} --largest {largest} --seed {seed} --per-process {per_process}",
        environment=Environment.current(),
        codec=codec,
        scale=scale,
        files=files,
        bytes=sum(len(sample.data) for sample in samples),
        reference=REFERENCE,
        differences=[
            differences(condition, found[REFERENCE], decoded)
            for condition, decoded in found.items()
        ],
    )
    output.mkdir(parents=True, exist_ok=True)
    listed = [{**asdict(replace(one, data=b"")), "data": len(one.data)} for one in samples]
    report = {**asdict(result), "samples": listed}
    (output / "same_bits.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    (output / "same_bits.md").write_text(to_markdown(result), encoding="utf-8")
    typer.echo(to_markdown(result))


def make_files(
    photos: Sequence[Path], count: int, codec: str, largest: int, seed: int
) -> Iterator[Sample]:
    """Files of random parts of photos; sides are as likely short as long, on a log scale."""
    rng = np.random.default_rng(seed)
    pictures = {path.name: rgb(path) for path in photos}
    for _ in range(count):
        name = str(rng.choice(list(pictures)))
        photo = pictures[name]
        width, height = (round(exp(rng.uniform(0, log(min(largest, side))))) for side in photo.size)
        left = int(rng.integers(photo.width - width + 1))
        top = int(rng.integers(photo.height - height + 1))
        part = in_mode(photo.crop((left, top, left + width, top + height)), str(rng.choice(MODES)))
        quality, effort = int(rng.integers(1, 101)), int(rng.choice(EFFORTS))
        data = nc.compress(part, codec=codec, quality=quality, effort=effort)
        yield Sample(name, part.mode, width, height, quality, effort, data)


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """A picture in another mode; its alpha is its brightness."""
    converted = picture.convert(mode)
    if mode == "RGBA":
        converted.putalpha(picture.convert("L"))
    return converted


def decode_all(
    files: Sequence[bytes], condition: Condition, scale: float, per_process: int
) -> list[Decoded]:
    """Decode files under a condition, some in each of several fresh processes."""
    return [
        decoded
        for start in range(0, len(files), per_process)
        for decoded in in_fresh_process(
            decode_here, files[start : start + per_process], condition, scale
        )
    ]


def decode_here(files: Sequence[bytes], condition: Condition, scale: float) -> list[Decoded]:
    """Put this process into a condition, and decode in it."""
    torch.set_default_dtype(getattr(torch, condition.dtype))
    torch.backends.mkldnn.enabled = condition.onednn  # type: ignore[assignment]
    torch.set_num_threads(condition.threads)
    with ThreadPoolExecutor(
        condition.at_once,
        initializer=torch.set_num_threads,  # each thread has a setting of its own
        initargs=(condition.threads,),
    ) as pool:
        return list(pool.map(partial(decode, scale=scale), files))


def decode(data: bytes, scale: float) -> Decoded:
    """The digests of a file's pixels, or why there are none."""
    try:
        pixels = nc.decompress(data, scale=scale)
    except Exception as error:  # whatever it is, it is counted
        return Decoded(error=f"{type(error).__name__}: {error}")
    levels = to_pil(pixels).tobytes()
    floats = pixels.double().contiguous().numpy().tobytes()
    return Decoded(*(hashlib.sha256(part).hexdigest() for part in (levels, floats)))


def differences(
    condition: Condition, reference: Sequence[Decoded], found: Sequence[Decoded]
) -> Differences:
    """Compare what two conditions made of the same files; failures count as errors alone."""
    errors = [one.error for one in found if one.error]
    pairs = [(one, other) for one, other in zip(reference, found, strict=True) if not other.error]
    return Differences(
        condition=condition,
        levels=sum(one.levels != other.levels for one, other in pairs),
        floats=sum(one.floats != other.floats for one, other in pairs),
        errors=len(errors),
        files=[
            number
            for number, (one, other) in enumerate(zip(reference, found, strict=True))
            if other.error or one != other
        ],
        first_error=errors[0] if errors else "",
    )


def to_markdown(result: SameBits) -> str:
    """The counts as a table."""
    rows = [
        [row.condition.name, str(row.levels), str(row.floats), str(row.errors)]
        for row in result.differences
    ]
    messages = "".join(
        f"\nFirst error with {row.condition.name}: {row.first_error}\n"
        for row in result.differences
        if row.errors
    )
    return f"""# The same bits

    {result.command}

{result.files:,} files of codec {result.codec}, {result.bytes:,} bytes in all, encoded with one
thread and decoded at scale {result.scale:g}. How many of them decoded to other pixels than with
{result.reference.name} and one decode at a time, each condition in processes of its own: after
rounding to 8 bits, and before it.
Machine: {result.environment}.

{markdown_table(["decoded with", "other 8-bit pixels", "other floats", "failed"], rows)}
{messages}"""


if __name__ == "__main__":
    typer.run(main)
