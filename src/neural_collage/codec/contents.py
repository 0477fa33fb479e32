"""What a .clg file is made of, as its header and its graphics layer say."""

from dataclasses import dataclass, replace

from neural_collage.codec.container import Header
from neural_collage.codec.ids import codec_name
from neural_collage.errors import CheckpointError

_NEURAL = "neural"


@dataclass(frozen=True)
class Contents:
    """The parts of a picture.

    base: name of the codec of what the graphics layer does not own; None if it owns all.
    copied_percent, painted_percent, base_percent: shares of the pixels, in percent.
    copies, colours: how many different displacements and reflections, and colours, the layer has.
    graphics_bytes: length of its stream.
    precision_step: of the precision layer, in levels of 8 bits; None if there is none.
    precision_bytes: length of its streams; None if there is none, or one stream holds all, or
        the weights that say where they begin are missing.
    """

    base: str | None
    copied_percent: float = 0.0
    painted_percent: float = 0.0
    base_percent: float = 100.0
    copies: int = 0
    colours: int = 0
    graphics_bytes: int = 0
    precision_step: float | None = None
    precision_bytes: int | None = None


def file_contents(header: Header, payload: bytes = b"") -> Contents:
    """The parts of the picture of a file; those of its payload if that is given.

    Raises:
        CollageFormatError: its graphics layer, or the start of its payload, is damaged.
    """
    base = codec_name(header.codec)
    if header.graphics is None:
        return _with_precision(Contents(base), header, payload, header.height, header.width)
    from neural_collage.codec.graphics.copying import BASE, FIRST_COPY, PAINTED
    from neural_collage.codec.graphics.syntax import read_layer

    layer, base_quality = read_layer(header.graphics, header.height, header.width, header.channels)
    modes = layer.modes
    copied, painted, left = (
        100 * layer.share(of_kind)
        for of_kind in (modes >= FIRST_COPY, modes == PAINTED, modes == BASE)
    )
    contents = Contents(
        base=base if base_quality else None,
        copied_percent=copied,
        painted_percent=painted,
        base_percent=left,
        copies=len(layer.copies),
        colours=len(layer.palette),
        graphics_bytes=len(header.graphics),
    )
    window = layer.base_window
    return _with_precision(contents, header, payload, window.height, window.width)


def _with_precision(
    contents: Contents, header: Header, payload: bytes, height: int, width: int
) -> Contents:
    """Contents with what the payload of a base of this size says of its precision layer."""
    if contents.base != _NEURAL or not payload:
        return contents
    from neural_collage.codec.precision.patches import STEP_BITS
    from neural_collage.codec.streams.neural import PRECISE, payload_start
    from neural_collage.codec.streams.segments import read_segments
    from neural_collage.codec.streams.tiles import Grid
    from neural_collage.codec.weights import weights_of

    if not payload[0] & PRECISE:
        return contents
    _, is_segmented, precision, data = payload_start(payload)
    assert precision is not None
    step, length = precision.step * 255 / (1 << STEP_BITS), None
    if is_segmented and header.model is not None:
        grid = Grid(height, width, 2 if header.channels in (2, 4) else 1)
        tiles = grid.pictures * len(grid.tiles)
        try:
            groups = len(weights_of(header.model).config["config"]["groups"])
        except CheckpointError:
            return replace(contents, precision_step=step)
        segments = read_segments(data, (groups + 1) * tiles + 1)
        length = sum(len(segment or b"") for segment in segments[groups * tiles + 1 :])
    return replace(contents, precision_step=step, precision_bytes=length)
