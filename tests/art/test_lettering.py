"""Words in the letters of a model: layout, one font, and texts that cannot be written."""

import pytest
import torch

from neural_collage.art.lettering import letter, write
from neural_collage.errors import CollageError
from tests.models.generation.generators import SIZE, collage_vae, letters_vae


def test_lines_are_as_high_as_the_pictures_and_letters_repeat() -> None:
    model = letters_vae()
    one, two = write(model, "A"), write(model, "AA\n B")
    assert one.shape[1] == SIZE
    assert two.shape[1] == 2 * SIZE
    assert bool((two >= 0).all())
    assert bool((two <= 1).all())
    gap = write(model, "AA").shape[2] - one.shape[2]
    letter = one[0, :, : one.shape[2]]
    torch.testing.assert_close(write(model, "AA")[0, :, gap:], letter)


def test_the_seed_is_the_font_and_the_scale_the_size() -> None:
    model = letters_vae()
    torch.testing.assert_close(write(model, "AB", seed=3), write(model, "AB", seed=3))
    assert write(model, "AB", 4).shape[1] == 4 * SIZE
    first, other = (write(model, "A", 4, seed=seed) for seed in (0, 1))
    assert first.shape != other.shape or not torch.allclose(first, other)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("AéB", "has no é: its characters are ABC"), ("  \n", "nothing to write")],
)
def test_texts_that_cannot_be_written_are_refused(text: str, problem: str) -> None:
    with pytest.raises(CollageError, match=problem):
        write(letters_vae(), text)


def test_models_without_characters_and_sizes_beyond_the_limit_are_refused() -> None:
    with pytest.raises(CollageError, match="draws no characters"):
        write(collage_vae(), "A")
    with pytest.raises(CollageError, match="above the limit"):
        write(letters_vae(), 100 * "A", 200)


def test_a_text_is_a_scene_whose_windows_are_those_of_its_picture() -> None:
    model = letters_vae()
    scene = letter(model, "AB\nC A", seed=3)
    whole = scene.decode(4)
    assert whole.shape == (1, 4 * scene.height, 4 * scene.width)
    torch.testing.assert_close(whole, write(model, "AB\nC A", 4, seed=3))
    for x, y, width, height in ((0, 0, 9, 7), (5, 4 * SIZE - 3, 17, 8)):
        part = scene.decode(4, (x, y, width, height))
        torch.testing.assert_close(part, whole[:, y : y + height, x : x + width])


def test_a_text_has_one_layout_at_every_scale() -> None:
    scene = letter(letters_vae(), "A B")
    for scale in (0.25, 1, 2, 3):
        height, width = (round(side * scale) for side in (scene.height, scene.width))
        seen = scene.decode(scale)
        assert abs(seen.shape[1] - height) <= 1
        assert abs(seen.shape[2] - width) <= 1
