"""Pictures drawn by generative models, at any scale, one after another so that memory is bounded.

A sample of a collage VAE is a collage: its parameters at scale s average down to those at scale 1
(Poli et al. 2022, arXiv 2204.07673).
"""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from neural_collage.codec.weights import find_weights
from neural_collage.core.scales import Region, output_length
from neural_collage.errors import CheckpointError
from neural_collage.io.limits import check_output_size
from neural_collage.io.writing import to_pil
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.hierarchical_vae import Features, HierarchicalVae
from neural_collage.models.generation.vdvae import Vdvae

GENERATORS = ("mnist",)
"""Generative models that come with the package."""
_VALUES_AT_ONCE = 2**22  # parameters of pixels rendered together
_WHITE = 255


def load_generator(name: str) -> HierarchicalVae:
    """A generative model, in eval mode.

    name: of a model of the package, or what else `codec.weights.find_weights` takes.

    Raises:
        CheckpointError: there are no such weights, or they are damaged or of another kind.
    """
    weights = find_weights(name, GENERATORS)
    try:
        keys = set(weights.config)
    except (ValueError, LookupError, TypeError):
        keys = set()
    if "hierarchy" not in keys:
        raise CheckpointError(
            f"the weights {name!r} are of no generative model: give {' or '.join(GENERATORS)}, or "
            "what `python -m neural_collage.training.export.generator_weights` wrote"
        )
    return weights.build(CollageVae) if "operator" in keys else weights.build(Vdvae)


@torch.no_grad()
def draw(
    model: HierarchicalVae, count: int, temperature: float | Sequence[float] = 1.0, seed: int = 0
) -> Features:
    """Features of `count` samples; the same for the same seed.

    temperature: as in `HierarchicalVae.sample`, whose errors it raises.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return model.sample(count, temperature).features


def picture_size(model: HierarchicalVae, scale: float) -> tuple[int, int]:
    """Height and width of samples at a scale."""
    _, height, width = model.picture_shape
    return output_length(height, scale), output_length(width, scale)


def pictures(
    model: HierarchicalVae,
    features: Features,
    scale: float = 1,
    *,
    region: Region | None = None,
    soft: bool = False,
) -> Iterator[Float[Tensor, "c h w"]]:
    """Samples as pictures in [0, 1], a few rendered at a time.

    scale: output pixels per pixel of the training pictures.
    region: (x, y, width, height) in pixels at that scale.
    soft: show expected pictures, whose edges grow with the scale; else they stay as steep as they
        are at scale 1 (see `Likelihood.picture`).

    Raises ValueError for a scale or a region that the model does not have.
    """
    values = math.prod(region[2:] if region else picture_size(model, scale))
    at_once = max(1, _VALUES_AT_ONCE // (values * model.planes))
    for parts in zip(*(f.split(at_once) for f in features), strict=True):
        with torch.no_grad():
            parameters = model.render(parts, scale, region)
            shown = model.likelihood.picture(parameters, 1 if soft else scale)
        yield from shown


def grid(
    samples: Iterator[Float[Tensor, "c h w"]],
    count: int,
    size: tuple[int, int],
    columns: int | None = None,
    gap: int = 2,
) -> Image.Image:
    """`count` pictures in rows, with white lines of `gap` pixels; each is pasted as it is drawn.

    size: height and width of each.
    columns: how many in a row; None makes the grid about square.

    Raises:
        ScaleError: the grid would be larger than Pillow opens; nothing is drawn.
    """
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = -(-count // columns)
    down, across = (side + gap for side in size)
    width, height = gap + columns * across, gap + rows * down
    check_output_size(width, height, "take fewer samples, or a smaller scale")
    canvas: Image.Image | None = None
    for number, sample in enumerate(samples):
        picture = to_pil(sample)
        if canvas is None:
            canvas = Image.new(picture.mode, (width, height), (_WHITE,) * len(sample))
        row, column = divmod(number, columns)
        canvas.paste(picture, (gap + column * across, gap + row * down))
    if canvas is None:
        raise ValueError("a grid needs at least one picture")
    return canvas
