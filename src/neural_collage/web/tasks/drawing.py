"""What the generative models draw, and a scene of each drawing."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from neural_collage.art.sample_zoom import Sample
from neural_collage.art.samples import draw as draw_features
from neural_collage.art.samples import grid, load_generator, picture_size, pictures
from neural_collage.errors import CheckpointError
from neural_collage.models.generation.hierarchical_vae import Features, HierarchicalVae
from neural_collage.web.catalogue import MODELS
from neural_collage.web.problems import StudioError
from neural_collage.web.tasks.files import SOURCE, save_pixels
from neural_collage.web.tasks.images import png_of
from neural_collage.web.tasks.scenes import described, save_scene
from neural_collage.web.tasks.worker import Context

GAP = 2
"""Pixels between drawings."""


@dataclass(frozen=True)
class Drawing(Sample):
    """One drawing as a scene, kept without the weights of its model."""

    weights: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return _drawing, (self.weights, self.features)


def _drawing(weights: str, features: Features) -> Drawing:
    return Drawing(_model(weights), features, weights=weights)


@lru_cache(maxsize=2)
def _model(weights: str) -> HierarchicalVae:
    try:
        return load_generator(weights)
    except CheckpointError as error:
        raise StudioError(f"the weights of this model cannot be used: {error}", 500) from error


def draw(
    context: Context,
    model: str | None,
    count: int,
    scale: float,
    temperature: float,
    seed: int,
    text: str | None,
) -> dict[str, Any]:
    """Drawings in rows; a scene of each."""
    name = model or next(iter(MODELS))
    if name not in MODELS:
        raise StudioError(f"there is no model {name!r}: choose one of {', '.join(MODELS)}")
    if text:
        raise StudioError(f"{MODELS[name]['title']} are drawn at random: leave out the text")
    context.report(0, count, "drawing")
    network = _model(MODELS[name]["weights"])
    features = draw_features(network, count, temperature, seed)
    size = picture_size(network, scale)

    def drawn() -> Any:
        for number, picture in enumerate(pictures(network, features, scale)):
            context.report(number, count, "drawing")
            yield picture

    levels = np.asarray(grid(drawn(), count, size, gap=GAP))
    levels = levels if levels.ndim == 3 else levels[..., None]
    save_pixels(context.out, levels)
    (context.out / SOURCE).write_bytes(png_of(levels))
    for number in range(count):
        own = tuple(f[number : number + 1].clone() for f in features)
        scene = Drawing(network, own, weights=MODELS[name]["weights"])
        save_scene(context.out, scene, number)
    columns = min(count, math.ceil(math.sqrt(count)))
    return {
        "width": levels.shape[1],
        "height": levels.shape[0],
        "alpha": False,
        "pyramid": described(scene),
        "count": count,
        "columns": columns,
        "cell": {"width": size[1], "height": size[0], "gap": GAP},
    }
