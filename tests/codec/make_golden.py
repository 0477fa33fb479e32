"""Files whose bytes tests pin, since bytes are an API. To make them anew after a change of format:

    python -m tests.codec.make_golden

A changed byte layout bumps `container.VERSION`, and files of older versions keep decoding: then
keep the old golden files beside the new ones.
"""

from pathlib import Path

import numpy as np

import neural_collage as nc
from neural_collage.codec.entropy import SymbolWriter
from neural_collage.codec.graphics.copying import (
    FIRST_COPY,
    MIRRORED_COLUMNS,
    MIRRORED_ROWS,
    PAINTED,
    SHIFT,
    spread,
)
from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.codec.graphics.syntax import palette_order, write_layer
from neural_collage.codec.image import Detail
from neural_collage.codec.weights import SHIPPED
from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.geometry import (
    DIAGONAL,
    ORDER,
    SIZES,
    PlaneGeometry,
    last_diagonal,
)
from neural_collage.fractal.statistics import KINDS, prior_counts
from neural_collage.fractal.syntax import code_plane
from neural_collage.io.writing import to_pil
from tests.fractal.codes import quadtree
from tests.pictures import texture

FOLDER = Path(__file__).parent / "golden"
PLANES = FOLDER / "planes.bin"
COLLAGE = FOLDER / "picture.clg"
NEURAL = {model: FOLDER / f"{model}.clg" for model in SHIPPED}
DECODED: dict[tuple[float, Detail], Path] = {
    (1, "full"): FOLDER / "picture.png",
    (2, "none"): FOLDER / "picture-2x.png",  # detail may improve
}
N_SOURCES = 2
GRAPHICS = FOLDER / "graphics.bin"
BASE_QUALITY = 50


def plane_code() -> PlaneCode:
    """A plane in which everything occurs, from whole numbers alone: the same on every machine."""
    geometry = PlaneGeometry(90, 70, 4)
    splits, details = [], []
    alive = np.ones(geometry.grid(SIZES[0]), bool)
    for _ in SIZES[:-1]:
        y, x = np.indices(alive.shape)
        split = alive & ((3 * y + 5 * x) % 4 < 2)
        splits.append(split)
        numbers = np.arange(3 * split.sum()).reshape(-1, 3)
        details.append(numbers * 7 % 9 - 4 + 50 * (numbers % 31 == 0))
        alive = split.repeat(2, 0).repeat(2, 1)
    blocks = quadtree(geometry, tuple(splits)).blocks.numpy()
    r, u, v = np.indices((len(blocks), ORDER, ORDER))
    last = np.array([index % (last_diagonal(int(b[2])) + 1) for index, b in enumerate(blocks)])
    coefficients = ((7 * r + 5 * u + 3 * v) % 11 - 5) * np.where((r + u * v) % 53 == 0, 999, 1)
    coefficients *= (last[:, None, None] >= DIAGONAL) & (DIAGONAL > 0)
    order = np.minimum(blocks[:, 2], ORDER)[:, None, None]
    coefficients *= (u < order) & (v < order)
    contrasts, addresses, isometries = np.zeros((3, len(blocks), N_SOURCES), np.int64)
    for index, (y, x, size) in enumerate(blocks):
        _, _, rows, columns = geometry.pools(int(size), np.array([y]), np.array([x]))
        for k in range(index % (N_SOURCES + 1)):
            contrasts[index, k] = (index % 3 + 1) * (-1) ** (index // 2)
            addresses[index, k] = (37 * index + 11 * k) % int(rows[0] * columns[0])
            isometries[index, k] = (index + 3 * k) % 8
    return PlaneCode(
        geometry,
        tuple(splits),
        np.arange(9).reshape(geometry.grid(SIZES[0])) * 5 % 13 + 8,
        tuple(details),
        last,
        coefficients,
        contrasts,
        addresses,
        isometries,
    )


def planes() -> bytes:
    """The stream of that plane, once with each kind of statistics."""
    writer, code = SymbolWriter(), plane_code()
    for kind in KINDS:
        writer.counts = prior_counts(kind)
        code_plane(writer, code.geometry, N_SOURCES, code)
    return writer.finish()


def graphics_layer() -> GraphicsLayer:
    """A layer of all kinds of ranges and copies, from whole numbers alone."""
    height, width, block = 45, 70, 4
    copies = (SHIFT, 0, -1), (SHIFT, -8, 5), (MIRRORED_ROWS, 47, 0), (MIRRORED_COLUMNS, 63, 0)
    row, column = np.indices((-(-height // block), -(-width // block)))
    fits = np.ones((FIRST_COPY + len(copies), *row.shape), bool)
    fits[FIRST_COPY:] = column > 0, (row > 1) & (column < 15), row > 5, abs(2 * column - 23) < 8
    modes = (3 * row + row // 5 + 5 * column) % len(fits)
    modes = np.where(np.take_along_axis(fits, modes[None], 0)[0], modes, PAINTED)
    palette = (np.arange(160).reshape(40, 4) * 37 % 256).astype(np.uint8)
    y, x = np.indices((height, width))
    indices = (y // 3 + x // 5 * 7 + (y * x % 11 == 0) * (y + x)) % len(palette)
    return GraphicsLayer(
        height,
        width,
        block,
        modes,
        np.array(copies),
        palette[palette_order(palette)],
        np.where(spread(modes, block, height, width) == PAINTED, indices, -1),
    )


def graphics() -> bytes:
    """The stream of that layer."""
    return write_layer(graphics_layer(), BASE_QUALITY)


def main() -> None:
    """Write all golden files, those of models only where they are missing."""
    FOLDER.mkdir(exist_ok=True)
    PLANES.write_bytes(planes())
    GRAPHICS.write_bytes(graphics())
    collage = nc.encode(texture(70, 93, 4), quality=60, effort=9, codec="fractal", graphics=False)
    nc.save(collage, COLLAGE)
    for (scale, detail), path in DECODED.items():
        to_pil(collage.decode(scale, detail=detail)).save(path, optimize=True)
    for model, path in NEURAL.items():
        if path.exists():
            continue  # weights may be replaced, and files that are made with them must still decode
        neural = nc.encode(
            texture(70, 93, 4), quality=60, effort=7, codec="neural", model=model, graphics=False
        )
        nc.save(neural, path)
        to_pil(neural.decode()).save(path.with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
