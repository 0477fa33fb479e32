"""What the generative models draw or write, and a scene of each drawing or of the text."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from neural_collage.art.lettering import Lettering, letter
from neural_collage.art.sample_zoom import Sample
from neural_collage.art.samples import draw as draw_features
from neural_collage.art.samples import grid, load_generator, picture_size, pictures
from neural_collage.core.scales import output_length
from neural_collage.errors import CheckpointError
from neural_collage.models.generation.hierarchical_vae import Features, HierarchicalVae
from neural_collage.web.catalogue import MODELS
from neural_collage.web.problems import StudioError
from neural_collage.web.settings import MOST_OUTPUT
from neural_collage.web.tasks.files import SOURCE, decode_strips, save_pixels
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


@dataclass(frozen=True, eq=False)
class Written(Lettering):
    """A text as a scene, kept without the weights of its model."""

    weights: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return _written, (self.weights, dict(self.letters), self.lines)


def _written(weights: str, letters: dict[str, Features], lines: tuple[str, ...]) -> Written:
    return Written(_model(weights), letters, lines, weights=weights)


def draw(
    context: Context,
    model: str | None,
    count: int,
    scale: float,
    temperature: float,
    seed: int,
    text: str | None,
) -> dict[str, Any]:
    """Drawings in rows, with a scene of each; or a text, which is one drawing."""
    name = model or next(iter(MODELS))
    if name not in MODELS:
        raise StudioError(f"there is no model {name!r}: choose one of {', '.join(MODELS)}")
    weights = MODELS[name]["weights"]
    network = _model(weights)
    if text and text.strip():
        if not MODELS[name]["writes"]:
            raise StudioError(f"{MODELS[name]['title']} are drawn at random: leave out the text")
        return _write(context, letter(network, text, temperature, seed), weights, scale)
    context.report(0, count, "drawing")
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
        scene = Drawing(network, own, weights=weights)
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


def _write(context: Context, text: Lettering, weights: str, scale: float) -> dict[str, Any]:
    """A text at a scale, and its scene."""
    height, width = (output_length(side, scale) for side in (text.height, text.width))
    if height * width > MOST_OUTPUT:
        raise StudioError(
            f"{width:,} x {height:,} pixels are more than {MOST_OUTPUT:,}: write less, or smaller"
        )
    context.report(0, 1, "writing")
    levels = decode_strips(
        lambda region: text.decode(scale, region),
        context.out,
        (height, width, 1),
        lambda done, rows: context.report(done, rows, "writing"),
    )
    (context.out / SOURCE).write_bytes(png_of(levels))
    scene = Written(text.model, text.letters, text.lines, weights=weights)
    save_scene(context.out, scene, 0)
    facts = {"width": width, "height": height, "alpha": False, "count": 1, "columns": 1}
    return {**facts, "pyramid": described(scene)}
