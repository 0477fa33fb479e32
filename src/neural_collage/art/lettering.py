"""Words in the letters that a generative model of characters draws.

All letters of a text share the random numbers of their latents, so that they are of one font as far
as the model tells style from character.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.art.samples import draw, picture_size, pictures
from neural_collage.errors import CollageError
from neural_collage.io.limits import check_output_size
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae

_INK = 0.1  # coverage from which a column belongs to a letter
_GAP, _SPACE = 0.08, 0.3  # between letters, and of a space, in sides of a picture


def write(
    model: HierarchicalVae,
    text: str,
    scale: float = 1,
    temperature: float | Sequence[float] = 1.0,
    seed: int = 0,
) -> Float[Tensor, "1 h w"]:
    """A text, black on white, in [0, 1]; lines are separated by newlines, on a common left edge.

    scale: output pixels per pixel of the training pictures; a line is as high as one of these.
    temperature: as in `HierarchicalVae.sample`.

    Raises:
        CollageError: the model has no classes, or none for a character of the text; no text; or a
            text that would exceed Pillow's limit on pixels.
        ValueError: as `HierarchicalVae.sample`.
    """
    if not model.classes:
        raise CollageError("this model draws no characters: give one that does, such as letters")
    lines = text.splitlines()
    if missing := sorted(set("".join(lines)) - {" ", *model.classes}):
        raise CollageError(
            f"the model has no {' '.join(missing)}: its characters are {model.classes} and spaces"
        )
    if not text.strip():
        raise CollageError("there is nothing to write: give a text with a character in it")
    height, width = picture_size(model, scale)
    longest = max(map(len, lines))
    check_output_size(longest * width, len(lines) * height, "write less, or at a smaller scale")
    glyphs = {
        character: _glyph(model, character, scale, temperature, seed)
        for character in sorted(set("".join(lines)) - {" "})
    }
    rows = [_row(line, glyphs, height, width) for line in lines]
    across = max(row.shape[1] for row in rows)
    page = torch.zeros(len(rows) * height, across)
    for number, row in enumerate(rows):
        page[number * height : (number + 1) * height, : row.shape[1]] = row
    return 1 - page[None]


def _glyph(
    model: HierarchicalVae,
    character: str,
    scale: float,
    temperature: float | Sequence[float],
    seed: int,
) -> Float[Tensor, "h w"]:
    """A letter without the empty columns beside it."""
    features = draw(model, 1, temperature, seed, model.classes.index(character))
    picture = next(pictures(model, features, scale)).mean(0).float().clamp(0, 1)
    columns = torch.nonzero(picture.amax(0) > _INK).flatten()
    if not len(columns):
        return picture[:, : max(1, picture.shape[1] // 4)]
    return picture[:, int(columns[0]) : int(columns[-1]) + 1]


def _row(
    line: str, glyphs: dict[str, Float[Tensor, "h _"]], height: int, width: int
) -> Float[Tensor, "h w"]:
    gap = torch.zeros(height, max(1, round(_GAP * width)))
    space = torch.zeros(height, round(_SPACE * width))
    parts = [gap]
    for character in line:
        parts += [glyphs.get(character, space), gap]
    return torch.cat(parts, 1)
