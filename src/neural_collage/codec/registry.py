"""The codecs a .clg file may hold, by name and by the number that stands in the file.

A codec turns a picture into a payload and a payload into layers of collages. Its module is
imported when it is first used, so that names and numbers can be looked up without torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from neural_collage.core.errors import CollageError, CollageFormatError

if TYPE_CHECKING:
    from neural_collage.codec.container import ColourSpace, Header, ModelId
    from neural_collage.codec.image import Layer
    from neural_collage.codec.picture import Picture


@runtime_checkable
class Codec(Protocol):
    """What a codec must do."""

    @property
    def name(self) -> str:
        """The name users give."""

    @property
    def id(self) -> int:
        """The number in the file, 1..255; never reused for another bitstream."""

    @property
    def colour_space(self) -> "ColourSpace":
        """What the planes of its layers are."""

    @property
    def model(self) -> "ModelId | None":
        """The network that its payloads need, if one is needed."""

    def encode(self, picture: "Picture", *, quality: int, effort: int, device: str) -> bytes:
        """The payload of a picture, for quality 1..100 and effort 0..9."""

    def layers(self, payload: bytes, header: "Header") -> "tuple[Layer, ...]":
        """The collages of a payload, whose header has the colour space of this codec.

        Raises:
            CollageFormatError: the payload is damaged or does not fit the header.
        """


@dataclass(frozen=True)
class CodecEntry:
    """Where a codec lives: the number in the file, and the class that `module` holds.

    single_rate: it has one quality and one effort, which users cannot choose.
    has_models: it takes weights, which users can choose.
    """

    id: int
    module: str
    cls: str
    single_rate: bool = False
    has_models: bool = False

    def load(self, model: str | None = None) -> Codec:
        """Import the module and make the codec, if need be with the weights of a model."""
        make = getattr(import_module(self.module), self.cls)
        codec: Codec = make() if model is None else make(model)
        return codec


CODECS: Mapping[str, CodecEntry] = {
    "neural": CodecEntry(2, "neural_collage.codec.neural_stream", "NeuralCodec", has_models=True),
    "fractal": CodecEntry(1, "neural_collage.codec.fractal_stream", "FractalCodec"),
    "poli2022": CodecEntry(
        3, "neural_collage.codec.poli2022_stream", "Poli2022Codec", single_rate=True
    ),
}


def get_codec(name: str, model: str | None = None) -> Codec:
    """The codec of this name.

    model: which weights it uses, see `weights.find_weights`; None for its own.

    Raises:
        CollageError: no codec has the name (the message lists those that exist), or it takes no
            model.
        CheckpointError: there are no such weights.
    """
    if name not in CODECS:
        raise CollageError(f"unknown codec {name!r}: choose one of {', '.join(sorted(CODECS))}")
    entry = CODECS[name]
    if model is not None and not entry.has_models:
        raise CollageError(f"codec {name!r} has no models to choose from: leave out the model")
    return entry.load(model)


def codec_name(id: int) -> str:  # noqa: A002 - the file calls it so
    """The name of the codec with this number.

    Raises:
        CollageFormatError: this program knows no such codec.
    """
    for name, entry in CODECS.items():
        if entry.id == id:
            return name
    raise CollageFormatError(f"codec number {id} is unknown to this program: upgrade it")


def codec_by_id(id: int) -> Codec:  # noqa: A002
    """The codec with this number in the file; raises as `codec_name` does."""
    return get_codec(codec_name(id))
