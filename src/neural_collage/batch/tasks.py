"""The work on one item: a task from bytes to bytes, and the worker that reads, runs and writes.

An engine passes an `Item` to a `Worker`. The worker runs the `BatchTask`, which returns an
`ItemResult`, and answers with an `Outcome`. Its `ManifestEntry` is what the manifest keeps.
"""

import errno
import hashlib
import json
import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from neural_collage.batch.manifest import ManifestEntry
from neural_collage.batch.stores import ItemSink, ItemSource, stem
from neural_collage.codec import api
from neural_collage.codec.container import SUFFIX
from neural_collage.codec.image import CollageImage
from neural_collage.codec.registry import check_rate, get_encoder
from neural_collage.errors import CollageError, OutputError, PictureWarning, describe
from neural_collage.io.metadata import check_strip
from neural_collage.io.modes import PICTURE_SUFFIXES, READ_SUFFIXES
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.runtime import check_device

if TYPE_CHECKING:
    from neural_collage.io.picture import Picture

Kind = Literal["compress", "decompress", "reencode", "evaluate"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_FATAL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Disk errors that every later output would raise as well."""


@dataclass(frozen=True)
class ItemResult:
    """What a task returns for one item: the output and its figures.

    data: the output; None if the task keeps none.
    bytes: size of the output, kept or not.
    width, height: pixels of the picture.
    psnr: dB; None if not measured.
    """

    data: bytes | None
    bytes: int
    width: int
    height: int
    psnr: float | None = None


@dataclass(frozen=True)
class BatchTask:
    """The operation applied to every item, with its settings.

    Attributes:
        kind: "compress" (pictures to .clg), "decompress" (.clg to pictures), "reencode" (.clg to
            .clg with other settings), or "evaluate" (compress, decode and measure; no output).
        codec, quality, size, effort, model, graphics, device, strip: as for `codec.api.encode`.
        scale: of decompressed pictures, in output pixels per pixel.
        suffix: of decompressed pictures; determines their format.
        psnr: whether to decode each output and measure its PSNR; "evaluate" always does.

    Raises CollageError if a setting is invalid or contradicts another.
    """

    kind: Kind = "compress"
    codec: str = api.DEFAULT_CODEC
    quality: int | None = None
    size: int | None = None
    effort: int | None = None
    model: str | None = None
    graphics: bool = True
    device: str = "cpu"
    strip: str | None = None
    scale: float = 1.0
    suffix: str = ".png"
    psnr: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise CollageError(f"unknown task {self.kind!r}: choose one of {', '.join(KINDS)}")
        if self.kind == "decompress" and self.psnr:
            raise CollageError("decompressed pictures have nothing to be compared with: no psnr")
        if self.suffix not in PICTURE_SUFFIXES:
            raise CollageError(
                f"no picture format {self.suffix}: choose one of {', '.join(PICTURE_SUFFIXES)}"
            )
        check_strip(self.strip)
        if not 0 < self.scale < math.inf:
            raise CollageError(f"a scale of {self.scale:g}: give a number above 0")

    @property
    def searched(self) -> tuple[str, ...]:
        """Suffixes of input files."""
        return (SUFFIX,) if self.kind in ("decompress", "reencode") else READ_SUFFIXES

    def output(self, name: str, *, keep_ending: bool = False) -> str | None:
        """Name of the output of an item; None if the task keeps none.

        keep_ending: whether the ending of the output follows that of the item.
        """
        if self.kind == "evaluate":
            return None
        ending = self.suffix if self.kind == "decompress" else SUFFIX
        return (name if keep_ending else stem(name)) + ending

    def key(self) -> str:
        """Hash of everything but the input that an output depends on.

        Raises:
            CollageError: the codec, the model or the device cannot be used here.
        """
        parts: list[Any] = [self.kind]
        if self.kind == "decompress":
            api.preload_weights(self.model)
            parts += [self.scale, self.suffix]
        else:
            check_device(self.device)
            model = get_encoder(self.codec, self.model).model
            check_rate(self.codec, self.quality, self.effort, (self.size,))
            digest = model.digest.hex() if model else None
            parts += [self.codec, digest, self.quality, self.effort, self.graphics, self.psnr]
            # so that keys of tasks without them are what they were
            parts += [option for option in (self.size, self.strip) if option is not None]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def __call__(self, data: bytes, name: str) -> ItemResult:
        """Apply the task to the bytes of an item.

        Raises:
            CollageError: the item is damaged or cannot be processed with these settings.
        """
        if self.kind == "decompress":
            return self._decompress(data)
        from neural_collage.io.reading import parse_picture, read_picture

        if self.kind == "reencode":
            api.preload_weights(self.model)
            image = CollageImage.from_bytes(data).to_pil()
            return self._compress(read_picture(image))
        return self._compress(parse_picture(data, name))

    def _compress(self, picture: "Picture") -> ItemResult:
        collage = api.encode(
            picture,
            codec=self.codec,
            quality=self.quality,
            size=self.size,
            effort=self.effort,
            model=self.model,
            graphics=self.graphics,
            device=self.device,
            strip=self.strip,
        )
        data = collage.to_bytes()
        quality = None
        if self.psnr or self.kind == "evaluate":
            from neural_collage.evaluation.metrics import psnr, rgb_samples

            original = rgb_samples(to_pil(picture.pixels))
            quality = psnr(original, rgb_samples(collage.to_pil()))
        kept = None if self.kind == "evaluate" else data
        return ItemResult(kept, len(data), picture.width, picture.height, quality)

    def _decompress(self, data: bytes) -> ItemResult:
        api.preload_weights(self.model)
        collage = CollageImage.from_bytes(data)
        image = collage.to_pil(self.scale)
        output = image_bytes(image, self.suffix)
        return ItemResult(output, len(output), image.width, image.height)


@dataclass(frozen=True)
class Item:
    """What an engine passes to a worker: one input to process.

    name, fingerprint: from `stores.ItemSource.items`.
    attempt: number of this attempt, from 1.
    data: the input's bytes, if the worker's process cannot read the source.
    """

    name: str
    fingerprint: str
    attempt: int = 1
    data: bytes | None = None


@dataclass(frozen=True)
class Outcome:
    """What a worker returns for one item: its manifest entry, and what the runner still has to do.

    data: the output, if the worker's process cannot write to the sink.
    fatal: reason to abort the batch; None if the other items can still succeed.
    """

    entry: ManifestEntry
    data: bytes | None = None
    fatal: str | None = None


@dataclass(frozen=True)
class Worker:
    """Processes items one at a time; can be pickled.

    key: `task.key()`, computed once. alike: the items that differ from others in their ending
    alone; their outputs keep it.
    """

    task: BatchTask
    key: str
    source: ItemSource
    sink: ItemSink
    alike: frozenset[str] = frozenset()

    def output(self, name: str) -> str | None:
        """Name of the output of an item; None if the task keeps none."""
        return self.task.output(name, keep_ending=name in self.alike)

    def __call__(self, item: Item) -> Outcome:
        """Read an item, run the task, write the output. Errors are returned, not raised."""
        started = time.perf_counter()
        output = self.output(item.name)
        entry = ManifestEntry(item.name, output, item.fingerprint, self.key, item.attempt)
        with _caught_warnings() as caught:
            try:
                data = self.source.read(item.name) if item.data is None else item.data
                result = self.task(data, item.name)
                if output is not None and result.data is not None and self.sink.shared:
                    self.sink.write(output, result.data)
            except Exception as error:
                failed = replace(entry, error=describe(error), seconds=_since(started))
                return Outcome(failed, fatal=_fatal_reason(error))
        pixels = result.width * result.height
        done = replace(
            entry,
            width=result.width,
            height=result.height,
            bytes=result.bytes,
            bpp=round(8 * result.bytes / pixels, 6),
            psnr=None if result.psnr is None else round(result.psnr, 4),
            warnings=tuple(caught),
            seconds=_since(started),
        )
        return Outcome(done, None if self.sink.shared else result.data)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)


def _fatal_reason(error: Exception) -> str | None:
    cause = error.__cause__ if isinstance(error, OutputError) else None
    if isinstance(cause, OSError) and cause.errno in _FATAL_ERRORS:
        return str(cause.strerror)
    return None


@contextmanager
def _caught_warnings() -> Iterator[list[str]]:
    """Collect the messages of picture warnings; the list is filled when the block ends."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PictureWarning)
        try:
            yield texts
        finally:
            texts += [str(warning.message) for warning in caught]
