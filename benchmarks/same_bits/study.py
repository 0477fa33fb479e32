"""Whether files decode to identical pixels with any number of threads, kernels and dtypes.

    python -m benchmarks.same_bits

Encodes random parts of photos of random size, mode, quality and effort, with one thread. Fresh
processes decode the files with one, two and four threads, one after the other and several
concurrently, without oneDNN, and with float64 as the default dtype of torch. Counts the files whose
pixels differ from those of one thread: as 8-bit values, and as floats before rounding. Writes
same_bits.json and same_bits.md.
"""

import hashlib
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
from benchmarks.support.commands import shown_path
from benchmarks.support.options import OutputFolder, PhotoFolder
from benchmarks.support.photos import photo_files
from benchmarks.support.processes import in_fresh_process
from benchmarks.support.results import RESULTS, write_results
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.evaluation.tables import markdown_table
from neural_collage.io.writing import to_pil
from neural_collage.runtime import use_threads

MODES = ("RGB", "RGB", "RGB", "L", "RGBA")
"""Modes that are drawn from with equal probability; three of five pictures are RGB."""
EFFORTS = (5, 5, 5, 6, 7)
AT_ONCE = 4


@dataclass(frozen=True)
class Condition:
    """Settings of a process that decodes.

    threads: of each decode. at_once: concurrent decodes.
    onednn: whether torch may use the kernels of oneDNN. dtype: the default dtype of torch.
    """

    threads: int
    at_once: int = 1
    onednn: bool = True
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """The label in tables."""
        words = [f"{self.threads} thread{'s' if self.threads > 1 else ''}"]
        if self.at_once > 1:
            words.append(f"{self.at_once} concurrent decodes")
        if not self.onednn:
            words.append("without oneDNN")
        if self.dtype != "float32":
            words.append(f"default dtype {self.dtype}")
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
    """A file, and the settings that it was encoded with."""

    picture: str
    mode: str
    width: int
    height: int
    quality: int
    effort: int
    data: bytes


@dataclass(frozen=True)
class Decoded:
    """SHA-256 of the decoded pixels of a file.

    levels: of the pixels rounded to 8 bits. floats: of the pixels before rounding, as float64.
    error: type and message of the exception of a failed decode.
    """

    levels: str = ""
    floats: str = ""
    error: str = ""


@dataclass(frozen=True)
class Differences:
    """Numbers of files that decode differently under a condition than under the reference.

    files: indices of those files, in the order of encoding.
    first_error: the message of the first failed decode, or an empty string.
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
    images: PhotoFolder = None,
    output: OutputFolder = RESULTS,
    files: Annotated[int, typer.Option(help="Number of files.", min=1)] = 1000,
    codec: Annotated[str, typer.Option(help="A codec with quality and effort.")] = "neural",
    scale: Annotated[float, typer.Option(help="Scale of the decodes.")] = 1,
    largest: Annotated[int, typer.Option(help="Maximum side of a picture.", min=1)] = 320,
    seed: Annotated[int, typer.Option(help="Seed of the random choices.")] = 0,
    per_process: Annotated[
        int, typer.Option(help="Files that a process decodes before it is replaced.", min=1)
    ] = 50,
) -> None:
    """Count files that decode differently; writes same_bits.json and same_bits.md."""
    use_threads(1)
    samples = list(encode_samples(photo_files(images), files, codec, largest, seed))
    found = {
        condition: decode_all([sample.data for sample in samples], condition, scale, per_process)
        for condition in CONDITIONS
    }
    folder = f" --images {shown_path(images)}" if images else ""
    result = SameBits(
        command=f"python -m benchmarks.same_bits{folder} --files {files} --codec {codec}"
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
    listed = [{**asdict(replace(one, data=b"")), "data": len(one.data)} for one in samples]
    report = {**asdict(result), "samples": listed}
    write_results(output, "same_bits", report, to_markdown(result))
    typer.echo(to_markdown(result))


def encode_samples(
    photos: Sequence[Path], count: int, codec: str, largest: int, seed: int
) -> Iterator[Sample]:
    """Files of random parts of photos; the logarithms of their sides are uniformly distributed."""
    rng = np.random.default_rng(seed)
    pictures = {path.name: read_rgb(path) for path in photos}
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
    """A picture in another mode; alpha, if any, is the luma."""
    converted = picture.convert(mode)
    if mode == "RGBA":
        converted.putalpha(picture.convert("L"))
    return converted


def decode_all(
    files: Sequence[bytes], condition: Condition, scale: float, per_process: int
) -> list[Decoded]:
    """Decode files under a condition, `per_process` of them in each fresh process."""
    return [
        decoded
        for start in range(0, len(files), per_process)
        for decoded in in_fresh_process(
            decode_here, files[start : start + per_process], condition, scale
        )
    ]


def decode_here(files: Sequence[bytes], condition: Condition, scale: float) -> list[Decoded]:
    """Apply a condition to this process and decode files in it."""
    torch.set_default_dtype(getattr(torch, condition.dtype))
    torch.backends.mkldnn.enabled = condition.onednn  # type: ignore[assignment]
    use_threads(condition.threads)
    with ThreadPoolExecutor(
        condition.at_once,
        initializer=torch.set_num_threads,  # the setting is per thread
        initargs=(condition.threads,),
    ) as pool:
        return list(pool.map(partial(decode, scale=scale), files))


def decode(data: bytes, scale: float) -> Decoded:
    """The digests of a file's pixels, or the error of its decode."""
    try:
        pixels = nc.decompress(data, scale=scale)
    except Exception as error:  # all kinds are counted
        return Decoded(error=f"{type(error).__name__}: {error}")
    levels = to_pil(pixels).tobytes()
    floats = pixels.astype(np.float64).tobytes()
    return Decoded(*(hashlib.sha256(part).hexdigest() for part in (levels, floats)))


def differences(
    condition: Condition, reference: Sequence[Decoded], found: Sequence[Decoded]
) -> Differences:
    """Compare the decodes of the same files under two conditions; failed ones count as errors."""
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
thread and decoded at scale {result.scale:g}. Numbers of files whose pixels differ from those
decoded with {result.reference.name} and one decode at a time, after and before rounding to 8 bits.
Each condition has processes of its own.
Machine: {result.environment}.

{markdown_table(["decoded with", "other 8-bit pixels", "other floats", "failed"], rows)}
{messages}"""
