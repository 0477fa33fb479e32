import itertools

import pytest
import torch

from neural_collage.core import isometry

CODES = range(isometry.N_ISOMETRIES)
BLOCK = torch.arange(9.0).view(3, 3)


def test_all_eight_isometries_are_distinct() -> None:
    images = isometry.all_isometries(BLOCK)
    assert len({tuple(image.flatten().tolist()) for image in images}) == 8


def test_the_identity_does_not_change_a_block() -> None:
    assert torch.equal(isometry.apply(BLOCK, isometry.IDENTITY), BLOCK)


@pytest.mark.parametrize(("outer", "inner"), list(itertools.product(CODES, CODES)))
def test_composition_is_closed_and_agrees_with_apply(outer: int, inner: int) -> None:
    both = isometry.compose(outer, inner)
    assert both in CODES
    in_turn = isometry.apply(isometry.apply(BLOCK, inner), outer)
    assert torch.equal(isometry.apply(BLOCK, both), in_turn)


@pytest.mark.parametrize("code", CODES)
def test_inverse_undoes_on_both_sides(code: int) -> None:
    back = isometry.inverse(code)
    assert torch.equal(isometry.apply(isometry.apply(BLOCK, code), back), BLOCK)
    assert torch.equal(isometry.apply(isometry.apply(BLOCK, back), code), BLOCK)


def test_composition_is_associative() -> None:
    for f, g, h in itertools.product(CODES, repeat=3):
        assert isometry.compose(isometry.compose(f, g), h) == isometry.compose(
            f, isometry.compose(g, h)
        )


def test_leading_dimensions_are_kept() -> None:
    blocks = torch.rand(2, 5, 4, 4)
    images = isometry.all_isometries(blocks)
    assert images.shape == (8, 2, 5, 4, 4)
    for code in CODES:
        assert torch.equal(images[code, 1, 3], isometry.apply(blocks[1, 3], code))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_index_arithmetic_agrees_with_apply(size: int) -> None:
    block = torch.rand(size, size)
    pixel = torch.arange(size)
    codes = torch.tensor(CODES)[:, None, None]
    row, column = isometry.source_index(codes, size, pixel[:, None], pixel)
    assert torch.equal(block[row, column], isometry.all_isometries(block))


def test_index_arithmetic_broadcasts_over_block_sizes() -> None:
    sizes = torch.tensor([2, 3, 7])
    codes = torch.tensor([3, 7, 5])
    corner = torch.zeros(3, dtype=torch.int64)
    together = torch.stack(isometry.source_index(codes, sizes, corner, corner))
    for i, size in enumerate(sizes.tolist()):
        alone = isometry.source_index(codes[i], size, corner[i], corner[i])
        assert together[:, i].tolist() == [int(t) for t in alone]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_strides_agree_with_apply_inside_a_wider_image(size: int) -> None:
    image = torch.rand(size + 2, size + 4)
    y, x, pitch = 1, 3, size + 4
    pixel = torch.arange(size)
    strides = isometry.source_strides(torch.tensor(CODES), size, pitch)
    start, per_row, per_column = (s[:, None, None] for s in strides)
    offsets = start + pixel[:, None] * per_row + pixel * per_column + y * pitch + x
    expected = isometry.all_isometries(image[y : y + size, x : x + size])
    assert torch.equal(image.flatten()[offsets], expected)


@pytest.mark.parametrize("code", [-1, 8])
def test_an_unknown_code_is_refused(code: int) -> None:
    with pytest.raises(ValueError, match=rf"0\.\.7, not {code}"):
        isometry.apply(BLOCK, code)
