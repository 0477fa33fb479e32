"""The codecs of the benchmark behind one interface: ours, and the formats to compare with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from neural_collage.codec import api
from neural_collage.codec.registry import AUTO, CODECS, codec_entry
from neural_collage.codec.weights import find_weights
from neural_collage.errors import CollageError, MissingExtraError
from neural_collage.evaluation.metrics import Rgb
from neural_collage.evaluation.peers import PEERS
from neural_collage.io.writing import to_pil

ALL_PEERS = "peers"
"""Stands for all of `PEERS` that can be used."""
_CODING = ("core", "io", "fractal", "models", "codec", "weights")
"""Packages that the files of our codecs depend on."""


@runtime_checkable
class BenchmarkCodec(Protocol):
    """A codec that the benchmark can measure; picklable, for use in worker processes."""

    @property
    def name(self) -> str: ...

    @property
    def qualities(self) -> Sequence[float]:
        """The settings to measure, in rising order."""

    @property
    def options(self) -> Mapping[str, object]:
        """The fixed settings, which are stored with the results."""

    @property
    def revision(self) -> str:
        """Changes when its files may, other than by settings and versions of packages."""

    def encode(self, picture: Image.Image, quality: float) -> bytes:
        """The complete file of an RGB picture."""

    def decode(self, data: bytes) -> Rgb:
        """The picture of a file."""


@dataclass(frozen=True)
class CollageCodec:
    """A codec of this library.

    name: in the results; `codec` is its name in the library.
    """

    name: str
    codec: str
    effort: int
    model: str | None = None
    qualities: Sequence[float] = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)

    @property
    def options(self) -> Mapping[str, object]:
        model = {"model": shown_model(self.model)} if self.model else {}
        return {} if codec_entry(self.codec).single_rate else {"effort": self.effort, **model}

    def encode(self, picture: Image.Image, quality: float) -> bytes:
        if codec_entry(self.codec).single_rate:
            return api.compress(picture, codec=self.codec)
        return api.compress(
            picture,
            codec=self.codec,
            quality=int(quality),
            effort=self.effort,
            model=self.model,
        )

    def decode(self, data: bytes) -> Rgb:
        return np.asarray(to_pil(api.decompress(data)))

    @property
    def revision(self) -> str:
        """The code and the weights that its files depend on, as hashes."""
        weights = find_weights(self.model).model.digest.hex() if self.model else ""
        return f"{_code_digest()} {weights}".strip()


def is_ours(name: str) -> bool:
    """Whether a codec of the benchmark is one of this library."""
    return name.partition(":")[0] in (AUTO, *CODECS)


def shown_model(model: str) -> str:
    """A model without the folder it lies in, which means nothing on other machines."""
    return Path(model).name if Path(model).exists() else model


def benchmark_codecs(
    names: Iterable[str],
    qualities: Sequence[int] | None = None,
    effort: int = 5,
    model: str | None = None,
) -> list[BenchmarkCodec]:
    """The codecs of these names, each once.

    The other arguments apply to our codecs; peers have fixed qualities and options.

    names: of our codecs, also as codec:model, where the model may be a file; of peers; or
        `ALL_PEERS`, those of them that can be used.
    qualities: 1..100, by default those of `CollageCodec`. effort: 0..9.
    model: of the codecs that have models and are named without one.

    Raises:
        CollageError: no codec has that name, it has no models, two would have one name in the
            results, or this build of Pillow lacks the format.
        CheckpointError: there are no weights of that name.
        MissingExtraError: a peer that was named needs a package that is not installed.
    """
    found: dict[str, BenchmarkCodec] = {}
    asked: dict[str, str] = {}
    for name in dict.fromkeys(_expanded(names)):
        codec = _benchmark_codec(name, qualities, effort, model)
        if codec.name in found:
            raise CollageError(
                f"{asked[codec.name]} and {name} would both be {codec.name} in the results: "
                "rename one of the files"
            )
        found[codec.name], asked[codec.name] = codec, name
    return list(found.values())


def missing_peers(names: Iterable[str]) -> dict[str, str]:
    """The peers that `ALL_PEERS` among these names leaves out, with the reason."""
    if ALL_PEERS not in names:
        return {}
    return {name: reason for name, peer in PEERS.items() if (reason := peer.missing)}


def _expanded(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        if name == ALL_PEERS:
            yield from (peer.name for peer in PEERS.values() if peer.missing is None)
        else:
            yield name


def _benchmark_codec(
    name: str, qualities: Sequence[int] | None, effort: int, model: str | None
) -> BenchmarkCodec:
    if is_ours(name):
        return _our_codec(name, qualities, effort, model)
    if name not in PEERS:
        known = ", ".join([AUTO, *CODECS, *PEERS, ALL_PEERS])
        raise CollageError(f"unknown codec {name!r}: choose some of {known}")
    peer = PEERS[name]
    if reason := peer.missing:
        raise (MissingExtraError if peer.package else CollageError)(f"{name}: {reason}")
    return peer


def _our_codec(
    name: str, qualities: Sequence[int] | None, effort: int, model: str | None
) -> CollageCodec:
    codec, _, own_model = name.partition(":")
    entry = codec_entry(codec)
    if own_model and not entry.has_models:
        raise CollageError(f"{name}: {codec} has no models")
    shown = f"{codec}:{shown_model(own_model).removesuffix('.safetensors')}" if own_model else codec
    chosen = own_model or (model if entry.has_models else None)
    if chosen:
        find_weights(chosen)  # fails now, not when it is its turn
    if entry.single_rate:
        return CollageCodec(shown, codec, effort, chosen, (api.DEFAULT_QUALITY,))
    if qualities:
        return CollageCodec(shown, codec, effort, chosen, sorted(qualities))
    return CollageCodec(shown, codec, effort, chosen)


@lru_cache
def _code_digest() -> str:
    """A hash of the sources and of the shipped weights and tables."""
    root = Path(api.__file__).parents[1]
    digest = sha256()
    for package in _CODING:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in {".py", ".npz", ".safetensors"}:
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
