"""Samples of generative models at any scale, rendered in small batches to bound memory.

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
from neural_collage.runtime import without_autocast

GENERATORS = ("mnist", "letters")
"""Names of the generative models that are shipped with the package."""
_VALUES_AT_ONCE = 2**22  # parameters of pixels in a batch
_WHITE = 255


def load_generator(name: str) -> HierarchicalVae:
    """A generative model, in eval mode.

    name: one of `GENERATORS`, or another name or path that `codec.weights.find_weights` accepts.

    Raises:
        CheckpointError: the weights are missing, damaged, or not of a generative model.
    """
    weights = find_weights(name, GENERATORS)
    try:
        keys = set(weights.config)
    except ValueError:
        keys = set()
    if "hierarchy" not in keys:
        raise CheckpointError(
            f"the weights {name!r} are not of a generative model: give {' or '.join(GENERATORS)}, "
            "or a file written by `python -m neural_collage.training.export.generator_weights`"
        )
    return weights.build(CollageVae) if "operator" in keys else weights.build(Vdvae)


@torch.no_grad()
def draw(
    model: HierarchicalVae,
    count: int,
    temperature: float | Sequence[float] = 1.0,
    seed: int = 0,
    label: int | None = None,
) -> Features:
    """Features of `count` samples, which depend only on the arguments.

    temperature: as in `HierarchicalVae.sample`; raises as that does.
    label: number of the class of all samples; None draws classes at random, if there are any.
    """
    with torch.random.fork_rng([]), without_autocast(_device(model)):
        torch.manual_seed(seed)
        classes = None
        if label is not None:
            classes = torch.full((count,), label, device=_device(model))
        return model.sample(count, temperature, classes=classes).features


def draw_rows(
    model: HierarchicalVae, count: int, temperatures: Sequence[float], seed: int = 0
) -> Features:
    """Features of `count` samples at each of several temperatures, one temperature after another.

    All temperatures share the random numbers. Raises as `HierarchicalVae.sample` does.
    """
    drawn = [draw(model, count, temperature, seed) for temperature in temperatures]
    return tuple(torch.cat(parts) for parts in zip(*drawn, strict=True))


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
    """Samples as pictures in [0, 1], rendered in batches.

    scale: output pixels per pixel of the training pictures.
    region: (x, y, width, height) in pixels at that scale.
    soft: return expected pictures, whose edges widen with the scale; otherwise edges are as steep
        as at scale 1, in pixels (see `Likelihood.picture`).

    Raises:
        ScaleError: a scale or a region that the model does not support.
    """
    values = math.prod(region[2:] if region else picture_size(model, scale))
    planes = model.picture_shape[0]
    at_once = max(1, _VALUES_AT_ONCE // (values * planes))
    for parts in zip(*(f.split(at_once) for f in features), strict=True):
        with torch.no_grad(), without_autocast(_device(model)):
            parameters = model.render(parts, scale, region, planes)
            batch = model.likelihood.picture(parameters, 1 if soft else scale)
        yield from batch


def _device(model: HierarchicalVae) -> str:
    return next(model.parameters()).device.type


def grid(
    samples: Iterator[Float[Tensor, "c h w"]],
    count: int,
    size: tuple[int, int],
    columns: int | None = None,
    gap: int = 2,
) -> Image.Image:
    """`count` pictures in rows, separated by white lines of `gap` pixels.

    samples: consumed one at a time. size: height and width of each.
    columns: pictures in a row; None makes the grid about square.

    Raises:
        ScaleError: the grid would exceed Pillow's limit; checked before a sample is taken.
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
