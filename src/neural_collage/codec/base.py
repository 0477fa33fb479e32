"""What a codec has to do: an encoder writes payloads, a decoder turns them into layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from neural_collage.codec.container import Header, ModelId
from neural_collage.core.collage import Collage
from neural_collage.io.picture import Picture


@dataclass(frozen=True, eq=False)
class Layer:
    """One collage of a picture: some of its planes, at a whole fraction of its size.

    reduction: pixels of the picture per pixel of the layer, along each side; decoding the layer
    at `reduction` times the scale lines it up with the others.
    """

    collage: Collage
    reduction: int = 1


@runtime_checkable
class PictureEncoder(Protocol):
    """Writes payloads, with the weights that its user chose."""

    @property
    def model(self) -> ModelId | None:
        """The network that its payloads need, if they need one."""

    def encode(self, picture: Picture, *, quality: int, effort: int, device: str) -> bytes:
        """The payload of a picture, for quality 1..100 and effort 0..9."""


@runtime_checkable
class LayeredEncoder(PictureEncoder, Protocol):
    """An encoder that knows what its payloads decode to."""

    def encode_layers(
        self, picture: Picture, *, quality: int, effort: int, device: str
    ) -> tuple[bytes, tuple[Layer, ...]]:
        """The payload of a picture, as `encode`, and the collages that it decodes to."""


PayloadDecoder = Callable[[bytes, Header], tuple[Layer, ...]]
"""The collages of a payload, with the weights that its header names.

Called with payloads whose header has the colour space of the codec. Raises CollageFormatError for a
payload that is damaged or does not fit the header, CheckpointError for weights that are missing.
"""
