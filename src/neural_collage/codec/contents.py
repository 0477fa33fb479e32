"""What a .clg file is made of, as its header and its graphics layer say, without any weights."""

from dataclasses import dataclass

from neural_collage.codec.container import Header
from neural_collage.codec.ids import codec_name


@dataclass(frozen=True)
class Contents:
    """The parts of a picture.

    base: name of the codec of what the graphics layer does not own; None if it owns all.
    copied_percent, painted_percent, base_percent: shares of the pixels, in percent.
    copies, colours: how many different displacements and reflections, and colours, the layer has.
    graphics_bytes: length of its stream.
    """

    base: str | None
    copied_percent: float = 0.0
    painted_percent: float = 0.0
    base_percent: float = 100.0
    copies: int = 0
    colours: int = 0
    graphics_bytes: int = 0


def file_contents(header: Header) -> Contents:
    """The parts of the picture of a file.

    Raises:
        CollageFormatError: its graphics layer is damaged.
    """
    base = codec_name(header.codec)
    if header.graphics is None:
        return Contents(base)
    from neural_collage.codec.graphics.copying import BASE, FIRST_COPY, PAINTED
    from neural_collage.codec.graphics.syntax import read_layer

    layer, base_quality = read_layer(header.graphics, header.height, header.width, header.channels)
    modes = layer.modes
    copied, painted, left = (
        100 * layer.share(of_kind)
        for of_kind in (modes >= FIRST_COPY, modes == PAINTED, modes == BASE)
    )
    return Contents(
        base=base if base_quality else None,
        copied_percent=copied,
        painted_percent=painted,
        base_percent=left,
        copies=len(layer.copies),
        colours=len(layer.palette),
        graphics_bytes=len(header.graphics),
    )
