"""What a codec has to do: an encoder writes payloads, a decoder turns them into layers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from neural_collage.codec.container import Header, ModelId
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.scales import Window

if TYPE_CHECKING:
    from neural_collage.core.collage import Collage
    from neural_collage.io.picture import Picture


class Layer(ABC):
    """Some planes of a picture, at a whole fraction of its size, as windows at exact scales.

    Attributes:
        reduction: pixels of the picture per pixel of the layer, along each side; at `reduction`
            times the scale it lines up with the others.
        coarsest: the first octave, below which no scale is exact.
        octave: ratio of one exact scale to the next.
        coarse: down from this scale windows are approximate; 0 if they never are.
        continues: whether windows above scale 1 continue the picture as an attractor; other
            pictures are enlarged by `core.arrays.octaves`.
        is_solved: whether pixels are a fixed point. Then the last bits of a window depend on what
            was decoded before.
    """

    reduction: int = 1
    coarsest: Fraction
    octave: int
    coarse: Fraction = Fraction(0)
    continues: bool = False
    is_solved: bool = False

    @abstractmethod
    def is_exact(self, scale: Fraction) -> bool:
        """Whether windows at a scale can be had without averaging."""

    @abstractmethod
    def window(self, scale: Fraction, window: Window) -> PixelArray:
        """A window (planes, h, w) of the layer at an exact scale.

        Raises:
            CollageFormatError: the part of the file that it needs is damaged.
        """

    @property
    @abstractmethod
    def collage(self) -> "Collage":
        """The parameters of the layer, as tensors; raises as `window` does."""


@runtime_checkable
class PictureEncoder(Protocol):
    """Writes payloads, with the weights that its user chose."""

    @property
    def model(self) -> ModelId | None:
        """The network that its payloads need, if they need one."""

    def encode(self, picture: "Picture", *, quality: int, effort: int, device: str) -> bytes:
        """The payload of a picture, for quality 1..100 and effort 0..9."""


@runtime_checkable
class LayeredEncoder(PictureEncoder, Protocol):
    """An encoder that knows what its payloads decode to."""

    def encode_layers(
        self, picture: "Picture", *, quality: int, effort: int, device: str
    ) -> tuple[bytes, tuple[Layer, ...]]:
        """The payload of a picture, as `encode`, and the layers that it decodes to."""


@runtime_checkable
class FractionalEncoder(PictureEncoder, Protocol):
    """An encoder that can write payloads between those of two qualities."""

    def shifted(self, fraction: float, kept: dict[Hashable, Any]) -> PictureEncoder:
        """The encoder whose payloads lie a fraction of a quality above those of one, or below.

        Quantiser steps may be those of the quality. kept: what it computes of a picture that it
        would need for other fractions; hand over the same for each.
        """


PayloadDecoder = Callable[[bytes, Header], tuple[Layer, ...]]
"""The layers of a payload, with the weights that its header names.

Called with payloads whose header has the colour space of the codec. Raises CollageFormatError for a
payload that is damaged or does not fit the header, CheckpointError for weights that are missing.
"""
PartialDecoder = Callable[[bytes, Header, int], tuple[Layer, ...]]
"""The layers of the start of a payload, given how many bytes of its end are missing; else as
`PayloadDecoder`. What is missing is shown as grey, or coarsely."""
