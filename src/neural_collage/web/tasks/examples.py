"""Example pictures and styles: photographs of scikit-image, free of rights, and drawings."""

from collections.abc import Callable
from typing import Any

import numpy as np

from neural_collage.errors import MissingExtraError
from neural_collage.extras import needs_extra
from neural_collage.web.problems import StudioError
from neural_collage.web.tasks import drawings
from neural_collage.web.tasks.files import SOURCE, Levels, save_meta, save_pixels
from neural_collage.web.tasks.images import png_of
from neural_collage.web.tasks.worker import Context


def _photo(name: str) -> Callable[[], Levels]:
    def load() -> Levels:
        with needs_extra("studio"):
            from skimage import data
        return np.asarray(getattr(data, name)())

    return load


PICTURES: dict[str, Callable[[], Levels]] = {
    "cat": _photo("chelsea"),
    "astronaut": _photo("astronaut"),
    "coffee": _photo("coffee"),
    "rocket": _photo("rocket"),
    "galaxies": _photo("hubble_deep_field"),
    "poster": drawings.poster,
    "brushwork": drawings.brushwork,
    "hatching": drawings.hatching,
    "mosaic": drawings.mosaic,
    "watercolour": drawings.watercolour,
    "retina": _photo("retina"),
}
"""What makes each picture."""
_MOST_SIDE = 1000


def make(context: Context, name: str) -> dict[str, Any]:
    """An example or a style as a picture."""
    try:
        levels = PICTURES[name]()
    except MissingExtraError as error:
        raise StudioError(str(error), 500) from error
    if max(levels.shape[:2]) > _MOST_SIDE:
        levels = levels[:_MOST_SIDE, :_MOST_SIDE]
    levels = np.ascontiguousarray(levels)
    save_pixels(context.out, levels)
    save_meta(context.out)
    data = png_of(levels)
    (context.out / SOURCE).write_bytes(data)
    height, width, channels = levels.shape
    return {
        "kind": "picture",
        "width": width,
        "height": height,
        "alpha": channels in (2, 4),
        "bytes": len(data),
        "notes": [],
    }
