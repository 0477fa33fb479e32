"""The codecs by name: how their encoders and decoders are made.

The modules that implement them are imported when they are first used, so that names can be looked
up without torch.
"""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from neural_collage.codec import ids
from neural_collage.codec.container import ColourSpace
from neural_collage.errors import CollageError
from neural_collage.extras import needs_extra

if TYPE_CHECKING:
    from neural_collage.codec.base import PartialDecoder, PayloadDecoder, PictureEncoder

AUTO, PREFERRED, FALLBACK = "auto", "neural", "fractal"
"""The choice among codecs: the preferred one, or the other for pictures that it cannot hold."""
_STREAMS = "neural_collage.codec.streams"


@dataclass(frozen=True)
class CodecEntry:
    """How a codec is made.

    colour_space: what the planes of its layers are.
    encoder: makes a `base.PictureEncoder`; called with the name of a model if `has_models`, or
        without arguments. Itself, or where it is: "package.module:name".
    decoder: a `base.PayloadDecoder`, likewise.
    partial_decoder: a `base.PartialDecoder`, likewise; None if payloads that break off are of no
        use.
    single_rate: it has one quality and one effort, which users cannot choose.
    has_models: it takes weights, which users can choose.
    takes_graphics: a graphics layer may lie over it.
    """

    colour_space: ColourSpace
    encoder: "str | Callable[..., PictureEncoder]"
    decoder: "str | PayloadDecoder"
    single_rate: bool = False
    has_models: bool = False
    takes_graphics: bool = False
    partial_decoder: "str | PartialDecoder | None" = None

    def make_encoder(self, model: str | None = None) -> "PictureEncoder":
        """An encoder, with the weights of a model if one is given.

        Raises:
            CheckpointError: there are no such weights.
            MissingExtraError: it needs torch, which is not installed.
        """
        make = _resolved(self.encoder)
        encoder: PictureEncoder = make() if model is None else make(model)
        return encoder

    def find_decoder(self) -> "PayloadDecoder":
        """The decoder; raises MissingExtraError if it needs torch, which is not installed."""
        decoder: PayloadDecoder = _resolved(self.decoder)
        return decoder

    def find_partial_decoder(self) -> "PartialDecoder | None":
        """The decoder of payloads that break off."""
        decoder: PartialDecoder | None = _resolved(self.partial_decoder)
        return decoder


_codecs: dict[str, CodecEntry] = {
    "neural": CodecEntry(
        ColourSpace.RGB,
        f"{_STREAMS}.neural_encoder:make_encoder",
        f"{_STREAMS}.neural:decode",
        has_models=True,
        takes_graphics=True,
        partial_decoder=f"{_STREAMS}.neural:decode",
    ),
    "fractal": CodecEntry(
        ColourSpace.YCBCR,
        f"{_STREAMS}.fractal:FractalEncoder",
        f"{_STREAMS}.fractal:decode",
        takes_graphics=True,
    ),
    "poli2022": CodecEntry(
        ColourSpace.RGB,
        f"{_STREAMS}.poli2022:make_encoder",
        f"{_STREAMS}.poli2022:decode",
        single_rate=True,
    ),
}
CODECS: Mapping[str, CodecEntry] = MappingProxyType(_codecs)
"""All registered codecs by name; a read-only view."""


def register_codec(name: str, number: int, entry: CodecEntry) -> None:
    """Register a codec, so that `encode`, files and the command line accept it.

    number: what stands for it in files, 1..255; files with it can be read only by programs that
        have registered it as well.

    Raises:
        ValueError: the name or the number is taken, or the number out of range.
    """
    ids.reserve(number, name)
    _codecs[name] = entry


def codec_entry(name: str) -> CodecEntry:
    """The codec of this name; that of `PREFERRED` for `AUTO`.

    Raises:
        CollageError: no codec has the name; the message lists those that exist.
    """
    if name == AUTO:
        return CODECS[PREFERRED]
    if not isinstance(name, str) or name not in CODECS:
        known = ", ".join((AUTO, *sorted(CODECS)))
        raise CollageError(f"unknown codec {name!r}: choose one of {known}")
    return CODECS[name]


def check_rate(
    name: str,
    quality: int | None,
    effort: int | None,
    targets: Sequence[object] = (),
) -> None:
    """Check that one thing at most sets the rate, and none that of a codec of a single one.

    targets: sizes and measures that a file is to reach instead of a quality; None for none.

    Raises:
        CollageError: no codec has the name, or it takes none of these, or several are given.
    """
    rates = [given for given in (quality, *targets) if given is not None]
    if codec_entry(name).single_rate and (rates or effort is not None):
        raise CollageError(f"codec {name!r} has a single rate: leave out quality and effort")
    if len(rates) > 1:
        raise CollageError("a quality, a size and a measure exclude each other: give one")


def get_encoder(name: str, model: str | None = None) -> "PictureEncoder":
    """The encoder of a codec.

    model: which weights it uses, see `weights.find_weights`; None for its own.

    Raises:
        CollageError: no codec has the name, or it takes no model.
        CheckpointError: there are no such weights.
    """
    entry = codec_entry(name)
    if model is not None and not entry.has_models:
        raise CollageError(f"codec {name!r} has no models to choose from: leave out the model")
    return entry.make_encoder(model)


def _resolved(place: Any) -> Any:
    if not isinstance(place, str):
        return place
    with needs_extra("encode"):
        return pkgutil.resolve_name(place)
