"""Figures of `benchmarks.letters`: reconstructions at 16x, words, and a zoom into an outline."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from benchmarks.support.sheets import titled
from neural_collage.art.lettering import write
from neural_collage.art.sample_zoom import Sample, edge
from neural_collage.art.samples import draw, pictures
from neural_collage.core.blocks import pool
from neural_collage.data.loader import Labelled
from neural_collage.io.writing import to_pil
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae

SHOWN = 8
SIDE = 160
"""Pixels across a letter."""
WORDS, SEEDS = "Neural Collage", (1, 2, 3, 4, 5, 6)
TEMPERATURE = 0.7


def enlargements(model: HierarchicalVae, batch: Labelled) -> Image.Image:
    """Reconstructions of 32 pixels, at 16x by bicubic and by links, and the letters of the font."""
    every = max(1, len(batch) // SHOWN)
    images, classes = batch.images[::every][:SHOWN], batch.classes[::every][:SHOWN]
    small = pool(images, images.shape[-1] // 32)
    with torch.no_grad():
        torch.manual_seed(0)
        means = model.posterior_means(small, classes)
        features = model.sample(len(small), latents=means, classes=classes).features
        own = model.likelihood.mean(model.render(features))
        linked = torch.stack(list(pictures(model, features, 16)))
    bicubic = functional.interpolate(own, scale_factor=16, mode="bicubic").clamp(0, 1)
    panels = {
        "32 pixels": _row(functional.interpolate(own, scale_factor=16)),
        "16x, bicubic": _row(bicubic),
        "16x, collage": _row(linked),
        "the font": _row(images),
    }
    return titled(panels, 1)


def fonts_never_seen(model: HierarchicalVae) -> Image.Image:
    """A text by several seeds, one below the other."""
    lines = [to_pil(write(model, WORDS, 3, TEMPERATURE, seed)) for seed in SEEDS]
    sheet = Image.new("L", (max(line.width for line in lines), sum(line.height for line in lines)))
    sheet.paste(255, (0, 0, *sheet.size))
    top = 0
    for line in lines:
        sheet.paste(line, (0, top))
        top += line.height
    return sheet


def serif(model: HierarchicalVae) -> Image.Image:
    """A letter at 1x, 10x and 40x, and a part of its outline at 40x and 100x."""
    features = draw(model, 1, TEMPERATURE, 4, model.classes.index("R"))
    sample = Sample(model, features)
    x, y = edge(sample)
    panels = {}
    for scale in (1, 10, 40, 100):
        side = min(round(32 * scale), 2 * SIDE)
        left, top = (
            min(max(round(32 * scale * at - side / 2), 0), round(32 * scale) - side)
            for at in (x, y)
        )
        shown = to_pil(1 - sample.decode(scale, (left, top, side, side)))
        panels[f"{scale}x"] = shown.resize((2 * SIDE, 2 * SIDE), Image.Resampling.NEAREST)
    return titled(panels, 4)


def _row(letters: Sequence[Tensor] | Tensor) -> Image.Image:
    """Letters beside each other, black on white."""
    strip = torch.cat([1 - letter[0] for letter in letters], 1)[None]
    shown = to_pil(strip)
    return shown.resize((SIDE * len(letters), SIDE), Image.Resampling.LANCZOS)
