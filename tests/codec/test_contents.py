from dataclasses import replace

import numpy as np
import pytest

from neural_collage.codec.container import Header
from neural_collage.codec.contents import Contents, file_contents
from neural_collage.codec.graphics.copying import (
    BASE,
    FIRST_COPY,
    PAINTED,
    SHIFT,
)
from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.codec.graphics.syntax import write_layer
from neural_collage.errors import CollageFormatError

PLAIN = Header(codec=1, width=20, height=16, mode="L", quality=50)


def layer() -> GraphicsLayer:
    """Ranges of 8 x 8 pixels, those at the right 4 wide; 3 colours and 2 displacements."""
    modes = np.array([[PAINTED, FIRST_COPY, BASE], [FIRST_COPY + 1, BASE, FIRST_COPY + 1]])
    indices = np.full((16, 20), -1)
    indices[:8, :8] = np.arange(64).reshape(8, 8) % 3
    palette = np.array([[0], [100], [255]], np.uint8)
    copies = np.array([[SHIFT, 0, -8], [SHIFT, -8, 0]])
    return GraphicsLayer(16, 20, 8, modes, copies, palette, indices)


def test_a_file_without_a_layer_is_its_base() -> None:
    assert file_contents(PLAIN) == Contents("fractal")
    assert file_contents(replace(PLAIN, codec=2)) == Contents("neural", base_percent=100)


def test_shares_are_of_pixels() -> None:
    stream = write_layer(layer(), 40)
    assert file_contents(replace(PLAIN, graphics=stream)) == Contents(
        base="fractal",
        copied_percent=50,  # 64, 64 and 32 pixels of 320
        painted_percent=20,
        base_percent=30,
        copies=2,
        colours=3,
        graphics_bytes=len(stream),
    )


def test_a_layer_that_owns_all_has_no_base() -> None:
    whole = layer()
    whole.modes[whole.modes == BASE] = FIRST_COPY
    contents = file_contents(replace(PLAIN, graphics=write_layer(whole, 0)))
    assert (contents.base, contents.base_percent) == (None, 0)
    assert (contents.copied_percent, contents.painted_percent) == (80, 20)


def test_a_layer_that_owns_nothing_leaves_all_to_the_base() -> None:
    stream = write_layer(GraphicsLayer.empty(16, 20, 1), 80)
    assert file_contents(replace(PLAIN, graphics=stream)) == Contents(
        "fractal", graphics_bytes=len(stream)
    )


@pytest.mark.parametrize("stream", [b"", b"\x65", b"\x32\xff\xff\xff\xff"], ids=repr)
def test_a_damaged_layer_is_refused(stream: bytes) -> None:
    with pytest.raises(CollageFormatError):
        file_contents(replace(PLAIN, graphics=stream))
