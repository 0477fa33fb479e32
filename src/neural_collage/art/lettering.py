"""Words in the letters that a generative model of characters draws.

All letters of a text share the random numbers of their latents, so that they are of one font as far
as the model tells style from character.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.art.sample_zoom import Sample
from neural_collage.art.samples import draw, picture_size
from neural_collage.core.arrays.averages import PixelArray, area_average
from neural_collage.core.arrays.octaves import is_octave
from neural_collage.core.scales import Region, ScaleGrid, Window, output_window, render_at_scale
from neural_collage.errors import CollageError
from neural_collage.io.limits import check_decoded_size, check_output_size
from neural_collage.models.generation.hierarchical_vae import Features, HierarchicalVae
from neural_collage.runtime import cached_property

_INK = 0.1  # coverage from which a column belongs to a letter
_GAP, _SPACE = 0.06, 0.25  # between letters, and of a space, in sides of a picture


@dataclass(frozen=True, eq=False)
class Lettering:
    """A text as a scene for `art.zoom`, black on white; a line is as high as a training picture.

    letters: the features of one picture of each character.
    """

    model: HierarchicalVae
    letters: Mapping[str, Features]
    lines: tuple[str, ...]

    @property
    def width(self) -> int:
        """Width in pixels at scale 1."""
        return max(self._width(line) for line in self.lines)

    @property
    def height(self) -> int:
        """Height in pixels at scale 1."""
        return len(self.lines) * self._side

    def decode(self, scale: float = 1, region: Region | None = None) -> Float[Tensor, "1 h w"]:
        """Pixels in [0, 1]; region: (x, y, width, height) in pixels at that scale.

        Raises:
            ScaleError: a scale or a region without pixels, or with too many.
        """
        size = self.height, self.width
        window = output_window(size, scale, region)
        check_decoded_size((window.width, window.height), (self.width, self.height))
        grid = ScaleGrid(Fraction(1), 2, is_octave)
        pixels = render_at_scale(size, scale, region, grid, self._render, area_average)
        return torch.from_numpy(1 - pixels)

    def _render(self, scale: Fraction, window: Window) -> PixelArray:
        """The ink of a window, (1, h, w), at a scale that is a power of two of at least 1."""
        page = np.zeros((1, window.height, window.width), np.float32)
        factor = int(scale)
        for character, left, top in self._placed():
            first, count = self._columns[character]
            x, y = left * factor - window.left, top * factor - window.top  # of the letter
            from_x, to_x = max(0, x), min(window.width, x + count * factor)
            from_y, to_y = max(0, y), min(window.height, y + self._side * factor)
            if from_x >= to_x or from_y >= to_y:
                continue
            part = first * factor + from_x - x, from_y - y, to_x - from_x, to_y - from_y
            letter = Sample(self.model, self.letters[character]).decode(factor, part)
            page[0, from_y:to_y, from_x:to_x] = letter.mean(0).float().clamp(0, 1).cpu().numpy()
        return page

    def _placed(self) -> Iterator[tuple[str, int, int]]:
        """The letters with the left and the top of each, in pixels at scale 1."""
        for number, line in enumerate(self.lines):
            left = self._gap
            for character in line:
                if character != " ":
                    yield character, left, number * self._side
                left += self._advance(character)

    def _width(self, line: str) -> int:
        return self._gap + sum(map(self._advance, line))

    def _advance(self, character: str) -> int:
        space = round(_SPACE * picture_size(self.model, 1)[1])
        return self._gap + (space if character == " " else self._columns[character][1])

    @property
    def _side(self) -> int:
        return picture_size(self.model, 1)[0]

    @property
    def _gap(self) -> int:
        return max(1, round(_GAP * picture_size(self.model, 1)[1]))

    @cached_property
    def _columns(self) -> dict[str, tuple[int, int]]:
        """The first column of each letter with ink, and how many there are up to the last."""
        found = {}
        for character, features in self.letters.items():
            picture = Sample(self.model, features).decode().mean(0)
            columns = torch.nonzero(picture.amax(0) > _INK).flatten()
            if len(columns):
                found[character] = int(columns[0]), int(columns[-1] - columns[0]) + 1
            else:
                found[character] = 0, max(1, picture.shape[1] // 4)
        return found


def letter(
    model: HierarchicalVae,
    text: str,
    temperature: float | Sequence[float] = 1.0,
    seed: int = 0,
) -> Lettering:
    """A text in the font of a seed; lines are separated by newlines, on a common left edge.

    temperature: as in `HierarchicalVae.sample`.

    Raises:
        CollageError: the model has no classes, or none for a character of the text; or no text.
        ValueError: as `HierarchicalVae.sample`.
    """
    if not model.classes:
        raise CollageError("this model draws no characters: give one that does, such as letters")
    lines = tuple(text.splitlines())
    characters = sorted(set("".join(lines)) - {" "})
    if missing := [character for character in characters if character not in model.classes]:
        raise CollageError(
            f"the model has no {' '.join(missing)}: its characters are {model.classes} and spaces"
        )
    if not text.strip():
        raise CollageError("there is nothing to write: give a text with a character in it")
    letters = {
        character: draw(model, 1, temperature, seed, model.classes.index(character))
        for character in characters
    }
    return Lettering(model, letters, lines)


def write(
    model: HierarchicalVae,
    text: str,
    scale: float = 1,
    temperature: float | Sequence[float] = 1.0,
    seed: int = 0,
) -> Float[Tensor, "1 h w"]:
    """The text of `letter` as a picture, black on white, in [0, 1].

    scale: output pixels per pixel of the training pictures; a line is as high as one of these.

    Raises:
        CollageError: as `letter`; or a text that would exceed Pillow's limit on pixels.
        ValueError: as `letter`.
    """
    height, width = picture_size(model, scale)
    lines = text.splitlines()
    longest = max(map(len, lines), default=0)
    check_output_size(longest * width, len(lines) * height, "write less, or at a smaller scale")
    return letter(model, text, temperature, seed).decode(scale)
