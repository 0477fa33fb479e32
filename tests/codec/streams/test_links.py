"""Links to domains: found where pictures repeat themselves, refused where they make no sense."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.codec.streams.linked import find_links, linked_collage
from neural_collage.codec.streams.links import (
    DENOMINATOR,
    OFFSETS,
    Links,
    code_links,
    domains_fit,
    initial_counts,
)
from neural_collage.core import isometry
from neural_collage.core.arrays.lapped import PatchBank, Texture
from neural_collage.core.blocks import pool
from neural_collage.core.isometry import N_ISOMETRIES
from neural_collage.core.scales import Window
from neural_collage.errors import CollageFormatError, NotConvergedError
from neural_collage.fractal.geometry import BoolArray

SIZE, CENTRE, UNIT = 16, 0.5, 2.0**-14
GRIDS = [(1, 1), (1, 9), (9, 1), (2, 2), (5, 7)]


def texture_of(
    rows: int, columns: int, bare: BoolArray | None = None, *, smooth: bool = False, seed: int = 0
) -> Texture:
    """Each range with content of its own, except the bare ones; smooth ones overlap."""
    rng = torch.Generator().manual_seed(seed)
    count = 12
    blocks = torch.rand(count, 3, SIZE // 2, SIZE // 2, generator=rng) - 0.5
    blocks = blocks.repeat_interleave(2, 2).repeat_interleave(2, 3)
    blocks = blocks - blocks.mean((2, 3), keepdim=True)
    patches = torch.zeros(count, 3, 2 * SIZE, 2 * SIZE)
    inside = slice(SIZE // 2, 3 * SIZE // 2)
    patches[..., inside, inside] = blocks
    if smooth:
        patches = torch.rand(count, 3, 2 * SIZE, 2 * SIZE, generator=rng) - 0.5
    chosen = torch.randint(-20, 21, (count, rows, columns), generator=rng).short().numpy()
    if bare is not None:
        chosen[:, bare] = 0
    return Texture(chosen, PatchBank((patches * 128).round().short().numpy()), UNIT)


def canvas(texture: Texture, scale: Fraction = Fraction(1)) -> Tensor:
    """The whole texture."""
    return torch.from_numpy(texture.window(scale, Window(0, 0, *texture.size(scale))))


def random_links(
    rows: int, columns: int, rng: np.random.Generator, share: float = 0.4, strongest: int = 7
) -> Links:
    contrast = rng.integers(-strongest, strongest + 1, (rows, columns))
    contrast = np.where(rng.random((rows, columns)) < share, contrast, 0)
    domain, turn = (rng.integers(0, n, (rows, columns)) for n in (len(OFFSETS), N_ISOMETRIES))
    choices = [np.where(contrast != 0, values, 0) for values in (domain, turn)]
    return Links(contrast, *choices)


def assert_equal(found: Links, expected: Links) -> None:
    for name in ("contrast", "domain", "isometry"):
        np.testing.assert_array_equal(
            getattr(found, name), getattr(expected, name), name, strict=True
        )


def squared_error(a: Tensor, b: Tensor) -> float:
    return float((a - b).square().sum())


def test_a_domain_is_at_most_a_range_and_a_half_away() -> None:
    """Which domain an index stands for is part of the format."""
    assert list(OFFSETS) == [(y, x) for y in (-24, -8, 8) for x in (-24, -8, 8)]
    assert DENOMINATOR == 8


@pytest.mark.parametrize("turn", range(N_ISOMETRIES))
def test_a_reduced_copy_of_the_surroundings_is_found(turn: int) -> None:
    rows = columns = 5
    contrast = (-5, 3, 6)[turn % 3]
    bare = np.zeros((rows, columns), bool)
    bare[2, 2] = True
    texture = texture_of(rows, columns, bare)
    plain = canvas(texture) + CENTRE
    for domain, (y, x) in enumerate(OFFSETS):
        top, left = 2 * SIZE + y, 2 * SIZE + x
        block = pool(plain[:, top : top + 2 * SIZE, left : left + 2 * SIZE], 2)
        block = isometry.apply(block[None], turn)[0]
        copy = contrast / 8 * (block - block.mean((1, 2), keepdim=True))
        picture = plain.clone()
        picture[:, 2 * SIZE : 3 * SIZE, 2 * SIZE : 3 * SIZE] += copy
        links = find_links(picture, texture, CENTRE, bits_per_error=100.0)
        expected = Links.none(rows, columns)
        expected.contrast[2, 2] = contrast
        expected.domain[2, 2], expected.isometry[2, 2] = domain, turn
        assert_equal(links, expected)
        collage = linked_collage(texture, links, rows * SIZE, columns * SIZE, CENTRE)
        before, after = squared_error(plain, picture), squared_error(collage.decode(), picture)
        # some domains cover a part of their range, whose copy they then hold as well
        assert after < 0.3 * before


def test_many_copies_are_found_at_once(rng: np.random.Generator) -> None:
    """Each of a range that is bare, at whatever edge; domains are moved into the canvas."""
    rows, columns = 8, 9
    bare = np.zeros((rows, columns), bool)
    bare[::3, ::4] = True
    texture = texture_of(rows, columns, bare)
    links = random_links(rows, columns, rng, share=1.0)
    links = Links(*(np.where(bare, part, 0) for part in vars(links).values()))
    height, width = rows * SIZE, columns * SIZE
    picture = linked_collage(texture, links, height, width, CENTRE).decode()
    plain = canvas(texture) + CENTRE
    found = find_links(picture, texture, CENTRE, bits_per_error=100.0)
    assert bool((found.contrast != 0)[bare & (np.abs(links.contrast) > 2)].all())
    again = linked_collage(texture, found, height, width, CENTRE).decode()
    assert squared_error(again, picture) < 0.3 * squared_error(plain, picture)


def test_links_that_cost_more_than_they_save_are_left_out(rng: np.random.Generator) -> None:
    texture = texture_of(4, 6)
    plain = canvas(texture) + CENTRE
    assert not find_links(plain, texture, CENTRE, bits_per_error=1e4)  # nothing is missing
    picture = plain + 0.05 * torch.randn_like(plain)
    counts = [
        int((find_links(picture, texture, CENTRE, bits_per_error).contrast != 0).sum())
        for bits_per_error in (0.0, 10.0, 1e3, 1e6)
    ]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] > 0


def test_flat_surroundings_have_no_links() -> None:
    patches = PatchBank(np.ones((1, 3, 2 * SIZE, 2 * SIZE), np.int16))
    texture = Texture(np.zeros((1, 4, 4), np.int16), patches, UNIT)
    picture = CENTRE + 1e-3 * torch.randn(3, 4 * SIZE, 4 * SIZE)
    assert not find_links(picture, texture, CENTRE, bits_per_error=1.0)
    noise = torch.rand(3, 4 * SIZE, 4 * SIZE)
    found = find_links(noise, texture, CENTRE, bits_per_error=1e6)
    again = linked_collage(texture, found, 4 * SIZE, 4 * SIZE, CENTRE).decode()
    assert bool(again.isfinite().all())


@pytest.mark.parametrize("grid", [(1, 1), (1, 6), (6, 1)], ids=str)
def test_a_picture_smaller_than_a_domain_has_no_links(grid: tuple[int, int]) -> None:
    texture = texture_of(*grid)
    assert not domains_fit(*grid)
    links = find_links(
        torch.rand(3, *texture.size(Fraction(1))), texture, CENTRE, bits_per_error=1e9
    )
    assert not links
    assert links.contrast.shape == grid
    assert domains_fit(2, 2)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_links_come_back_from_their_symbols(
    grid: tuple[int, int], share: float, rng: np.random.Generator
) -> None:
    links = random_links(*grid, rng, share)
    writer = SymbolWriter()
    for _ in range(2):  # one after the other, with tables that start anew
        writer.counts = initial_counts()
        assert_equal(code_links(writer, *grid, links), links)
    reader = SymbolReader(writer.finish())
    for _ in range(2):
        reader.counts = initial_counts()
        assert_equal(code_links(reader, *grid, None), links)
    reader.finish()


def test_no_links_take_almost_no_bytes() -> None:
    writer = SymbolWriter()
    writer.counts = initial_counts()
    code_links(writer, 40, 50, Links.none(40, 50))
    assert len(writer.finish()) < 60


def test_all_symbols_of_links_are_valid(rng: np.random.Generator) -> None:
    outcomes = set()
    for _ in range(60):
        reader = SymbolReader(rng.bytes(int(rng.integers(0, 80))))
        reader.counts = initial_counts()
        try:
            links = code_links(reader, 6, 7, None)
        except CollageFormatError:
            outcomes.add("refused")
            continue
        outcomes.add("read")
        linked = links.contrast != 0
        assert int(np.abs(links.contrast).max()) < DENOMINATOR
        for part, count in ((links.domain, len(OFFSETS)), (links.isometry, N_ISOMETRIES)):
            assert bool(((part >= 0) & (part < count)).all())
            assert bool((part[~linked] == 0).all())
    assert "read" in outcomes


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("size", [(80, 112), (67, 99), (32, 32)], ids=str)
def test_ranges_keep_the_brightness_of_their_texture(
    size: tuple[int, int], smooth: bool, rng: np.random.Generator
) -> None:
    rows, columns = (-(-side // SIZE) for side in size)
    texture = texture_of(rows, columns, smooth=smooth)
    links = random_links(rows, columns, rng, share=0.6)
    collage = linked_collage(texture, links, *size, CENTRE)
    assert (collage.height, collage.width) == size
    assert collage.domains_per_range == 1
    assert 0 < collage.contraction() <= (DENOMINATOR - 1) / DENOMINATOR
    whole = size[0] // SIZE * SIZE, size[1] // SIZE * SIZE
    for scale in (1, 2):
        decoded = collage.decode(scale)[:, : scale * whole[0], : scale * whole[1]]
        means = pool(decoded, scale * SIZE)
        expected = canvas(texture, Fraction(1, SIZE)) + CENTRE
        torch.testing.assert_close(
            means, expected[:, : means.shape[1], : means.shape[2]], atol=2e-3, rtol=0
        )


def test_without_links_the_texture_is_the_picture() -> None:
    texture = texture_of(3, 4, smooth=True)
    collage = linked_collage(texture, Links.none(3, 4), 41, 55, CENTRE)
    assert collage.domains_per_range == 0
    assert collage.contraction() == 0
    expected = canvas(texture)[:, :41, :55] + CENTRE
    torch.testing.assert_close(collage.decode(), expected, atol=1e-6, rtol=0)


def test_links_add_detail_where_the_texture_has_none(rng: np.random.Generator) -> None:
    """Above the original size they go on."""
    texture = texture_of(4, 4)
    links = random_links(4, 4, rng, share=1.0)
    linked = linked_collage(texture, links, 64, 64, CENTRE).decode(4)
    plain = linked_collage(texture, Links.none(4, 4), 64, 64, CENTRE).decode(4)
    detail, smoothness = (
        float((p - pool(p, 2).repeat_interleave(2, 1).repeat_interleave(2, 2)).square().mean())
        for p in (linked, plain)
    )
    assert detail > 1.1 * smoothness


def test_all_scales_are_one_image(rng: np.random.Generator) -> None:
    texture = texture_of(4, 5, smooth=True)
    collage = linked_collage(texture, random_links(4, 5, rng, 0.7), 60, 80, CENTRE)
    once = collage.decode()
    for scale in (2, 3, 4):
        average = pool(collage.decode(scale), scale)
        torch.testing.assert_close(average, once, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        collage.decode(3, (31, 17, 40, 50)), collage.decode(3)[:, 17:67, 31:71], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("strength", [1, 1000])
def test_forged_links_make_a_picture_or_are_refused(strength: int) -> None:
    """All strongest, on textures of any size; brighter ones than any picture needs."""
    outcomes = set()
    for seed in range(25):
        rng = np.random.default_rng(seed)
        rows, columns = (int(n) for n in rng.integers(1, 6, 2))
        texture = texture_of(rows, columns, seed=seed, smooth=True)
        texture = Texture(texture.coefficients, texture.bank, UNIT * strength)
        links = random_links(rows, columns, rng, share=1.0)
        signs = np.sign(links.contrast)
        links = Links(signs * (DENOMINATOR - 1), links.domain, links.isometry)
        try:
            collage = linked_collage(texture, links, rows * SIZE, columns * SIZE - 3, CENTRE)
        except (NotConvergedError, ValueError) as error:
            assert isinstance(error, NotConvergedError) or not domains_fit(rows, columns)  # noqa: PT017
            outcomes.add("refused")
            continue
        outcomes.add("decoded")
        assert domains_fit(rows, columns) or not links
        assert bool(collage.decode().isfinite().all())
    assert outcomes == {"refused", "decoded"}
