"""What a batch does to an item: bytes in, bytes and figures out; and who does it, item by item."""

import errno
import hashlib
import json
import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from neural_collage.batch.manifest import ManifestEntry
from neural_collage.batch.stores import ItemSink, ItemSource, stem
from neural_collage.codec import api
from neural_collage.codec.container import SUFFIX
from neural_collage.codec.image import CollageImage
from neural_collage.codec.registry import CODECS, get_encoder
from neural_collage.errors import CollageError, OutputError, describe
from neural_collage.evaluation.metrics import psnr
from neural_collage.io.picture import Picture, PictureWarning
from neural_collage.io.reading import PICTURE_SUFFIXES, parse_picture, read_picture
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.runtime import check_device

Kind = Literal["compress", "decompress", "reencode", "evaluate"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Errors of a disk that the next output would meet as well."""


@dataclass(frozen=True)
class ItemResult:
    """What was made of an item: a file if one is kept, its size, and that of its picture.

    bytes: of the file, kept or not. psnr: dB, None if it was not asked for.
    """

    data: bytes | None
    bytes: int
    width: int
    height: int
    psnr: float | None = None


@dataclass(frozen=True)
class BatchTask:
    """What is done to every item.

    Attributes:
        kind: "compress" (pictures to .clg), "decompress" (.clg to pictures), "reencode" (.clg to
            .clg of other settings), or "evaluate" (compress, decode, measure, keep nothing).
        codec, quality, effort, model, device: as `codec.api.encode` takes them.
        scale: of decompressed pictures.
        suffix: ending, and so format, of decompressed pictures.
        psnr: whether to decode what was compressed and measure it; "evaluate" always does.

    Raises CollageError if these do not go together.
    """

    kind: Kind = "compress"
    codec: str = api.DEFAULT_CODEC
    quality: int | None = None
    effort: int | None = None
    model: str | None = None
    device: str = "cpu"
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
        if not 0 < self.scale < math.inf:
            raise CollageError(f"a scale of {self.scale:g}: give a number above 0")

    @property
    def searched(self) -> tuple[str, ...]:
        """Endings of files that are items."""
        return (SUFFIX,) if self.kind in ("decompress", "reencode") else PICTURE_SUFFIXES

    def output(self, name: str) -> str | None:
        """Name of what is made of an item; None if nothing is kept."""
        if self.kind == "evaluate":
            return None
        return stem(name) + (self.suffix if self.kind == "decompress" else SUFFIX)

    def key(self) -> str:
        """Hash of all that outputs depend on, apart from their inputs.

        Raises:
            CollageError: the codec, the model or the device cannot be used here.
        """
        check_device(self.device)
        parts: list[Any] = [self.kind]
        if self.kind == "decompress":
            api.know_model(self.model)
            parts += [self.scale, self.suffix]
        else:
            model = get_encoder(self.codec, self.model).model
            if CODECS[self.codec].single_rate and (self.quality, self.effort) != (None, None):
                raise CollageError(f"codec {self.codec!r} has a single rate: leave out quality")
            digest = model.digest.hex() if model else None
            parts += [self.codec, digest, self.quality, self.effort, self.psnr]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def __call__(self, data: bytes, name: str) -> ItemResult:
        """Do it.

        Raises:
            CollageError: the item cannot be used.
        """
        if self.kind == "decompress":
            return self._decompress(data)
        if self.kind == "reencode":
            api.know_model(self.model)
            image = CollageImage.from_bytes(data).to_pil()
            return self._compress(read_picture(image))
        return self._compress(parse_picture(data, name))

    def _compress(self, picture: Picture) -> ItemResult:
        collage = api.encode(
            picture,
            codec=self.codec,
            quality=self.quality,
            effort=self.effort,
            model=self.model,
            device=self.device,
        )
        data = collage.to_bytes()
        measure = self.psnr or self.kind == "evaluate"
        quality = psnr(_rgb(to_pil(picture.pixels)), _rgb(collage.to_pil())) if measure else None
        kept = None if self.kind == "evaluate" else data
        return ItemResult(kept, len(data), picture.width, picture.height, quality)

    def _decompress(self, data: bytes) -> ItemResult:
        api.know_model(self.model)
        collage = CollageImage.from_bytes(data)
        image = to_pil(
            collage.decode(scale=self.scale, device=self.device), collage.header.icc_profile
        )
        made = image_bytes(image, self.suffix)
        return ItemResult(made, len(made), image.width, image.height)


@dataclass(frozen=True)
class Item:
    """An input to work on.

    name, fingerprint: as `stores.ItemSource.items` gives them. attempt: which this is, from 1.
    data: its bytes, if whoever works on it cannot read the source.
    """

    name: str
    fingerprint: str
    attempt: int = 1
    data: bytes | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    data: the output, if it is left to others to write it.
    hopeless: why the run had better end, for the next item would meet the same.
    """

    entry: ManifestEntry
    data: bytes | None = None
    hopeless: str | None = None


@dataclass(frozen=True)
class Worker:
    """Works on items, one at a time; can be sent to a process. key: that of the task."""

    task: BatchTask
    key: str
    source: ItemSource
    sink: ItemSink

    def __call__(self, item: Item) -> Outcome:
        """Read an item, do the task, write the output. Nothing is raised, all is told."""
        started = time.perf_counter()
        output = self.task.output(item.name)
        entry = ManifestEntry(item.name, output, item.fingerprint, self.key, item.attempt)
        with _caught_warnings() as caught:
            try:
                data = self.source.read(item.name) if item.data is None else item.data
                product = self.task(data, item.name)
                if output is not None and product.data is not None and self.sink.shared:
                    self.sink.write(output, product.data)
            except Exception as error:
                told = replace(entry, error=describe(error), seconds=_since(started))
                return Outcome(told, hopeless=_hopeless(error))
        pixels = product.width * product.height
        done = replace(
            entry,
            width=product.width,
            height=product.height,
            bytes=product.bytes,
            bpp=round(8 * product.bytes / pixels, 6),
            psnr=None if product.psnr is None else round(product.psnr, 4),
            warnings=tuple(caught),
            seconds=_since(started),
        )
        return Outcome(done, None if self.sink.shared else product.data)


def _rgb(image: Image.Image) -> Any:
    return np.asarray(image.convert("RGB"))


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)


def _hopeless(error: Exception) -> str | None:
    cause = error.__cause__
    if isinstance(error, OutputError) and isinstance(cause, OSError) and cause.errno in _HOPELESS:
        return str(cause.strerror)
    return None


@contextmanager
def _caught_warnings() -> Iterator[list[str]]:
    """The texts of warnings about pictures, all there once the block is left."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PictureWarning)
        try:
            yield texts
        finally:
            texts += [str(warning.message) for warning in caught]
