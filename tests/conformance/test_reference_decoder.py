"""A decoder that follows the text of the format makes the same pixels of a file as the package."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import neural_collage as nc
from neural_collage.codec.container import Header, pack_file
from neural_collage.codec.entropy import SymbolWriter
from neural_collage.codec.image import CollageImage
from neural_collage.codec.streams.fractal import FractalEncoder, Parameters
from neural_collage.fractal.statistics import KINDS, prior_counts
from neural_collage.fractal.syntax import code_plane
from neural_collage.io.modes import Mode
from neural_collage.io.picture import Picture
from tests.codec import make_golden
from tests.conformance.decode import FOLDER
from tests.conformance.drawings import carpet, triangle
from tests.conformance.reference_decoder import decode, samples
from tests.fractal.codes import CodeRecipe
from tests.pictures import photo_crop, texture

SIZES = [(1, 1), (1, 7), (17, 33), (64, 48), (96, 80)]
QUALITIES = (5, 50, 95)
NOISE = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(0))
PRECISION = 1e-3
"""Of single precision, in grey levels: sums of some 100 terms of up to 255."""


def assert_agreement(data: bytes) -> None:
    """Each sample of the package is that of the reference, rounded.

    The package adds in single precision, the reference in double: where the reference is within
    `PRECISION` of a half, the package may round to either side of it.
    """
    exact, decoded = samples(data), np.asarray(CollageImage.from_bytes(data).to_pil())
    assert exact.shape == decoded.shape
    assert decoded.dtype == np.uint8
    assert np.abs(exact - decoded).max() <= 0.5 + PRECISION


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_mode_and_size_is_decoded_alike(size: tuple[int, int], channels: int) -> None:
    quality = QUALITIES[(SIZES.index(size) + channels) % 3]
    assert_agreement(
        nc.compress(texture(*size, channels), codec="fractal", graphics=False, quality=quality)
    )


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize(
    "picture",
    [photo_crop(80), NOISE, torch.full((1, 40, 90), 0.3)],
    ids=["photo", "noise", "constant"],
)
def test_every_kind_of_picture_is_decoded_alike(picture: Tensor, quality: int) -> None:
    assert_agreement(
        nc.compress(picture, codec="fractal", graphics=False, quality=quality, effort=9)
    )


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_halved_steps_are_decoded_alike(halvings: int) -> None:
    encoder = FractalEncoder(halvings)
    payload = encoder.encode(Picture(photo_crop(48), "RGB"), quality=90, effort=5, device="cpu")
    header = Header(codec=1, width=48, height=48, mode="RGB", quality=90)
    assert_agreement(pack_file(header, payload))


def test_the_golden_file_is_decoded_alike() -> None:
    assert_agreement(make_golden.COLLAGE.read_bytes())


def test_the_golden_plane_is_decoded_alike() -> None:
    """It holds everything that may occur in a plane."""
    code = make_golden.plane_code()
    height, width = code.geometry.height, code.geometry.width
    header = Header(1, width, height, mode="L", quality=50, icc_profile=b"a profile")
    parameters = Parameters(code.geometry.lattice, make_golden.N_SOURCES, 1)
    writer = SymbolWriter()
    writer.counts = prior_counts("luma")
    code_plane(writer, code.geometry, make_golden.N_SOURCES, code)
    assert_agreement(pack_file(header, parameters.to_byte() + writer.finish()))


RECIPES: list[tuple[CodeRecipe, Mode, int]] = [
    (CodeRecipe(70, 50, lattice=4, domains_per_range=3, matched=0.9), "RGBA", 1),
    (CodeRecipe(70, 90, lattice=8, domains_per_range=2, matched=0.7), "RGB", 2),
    (CodeRecipe(33, 600, lattice=16, domains_per_range=2), "L", 1),
    (CodeRecipe(700, 3, lattice=4), "LA", 1),
    (CodeRecipe(110, 290, lattice=12, domains_per_range=2), "RGBA", 2),
    (CodeRecipe(90, 100, lattice=8, wide=True), "RGBA", 2),
    (CodeRecipe(70, 530, lattice=12, domains_per_range=2, wide=True), "L", 1),
]


@pytest.mark.parametrize(("recipe", "mode", "reduction"), RECIPES, ids=str)
def test_what_no_encoder_writes_is_decoded_alike(
    recipe: CodeRecipe, mode: Mode, reduction: int, rng: np.random.Generator
) -> None:
    """Random symbols: domains in every plane, far tiles, coefficients of thousands."""
    height, width = (-(-side // reduction) for side in (recipe.height, recipe.width))
    chroma = replace(recipe, height=height, width=width)
    parameters = Parameters(recipe.lattice, recipe.domains_per_range, reduction, wide=recipe.wide)
    writer, statistics = SymbolWriter(), {kind: prior_counts(kind) for kind in KINDS}
    for spec in parameters.planes(len(mode), 90):
        code = (recipe if spec.kind == "luma" else chroma).make(rng)
        writer.counts = statistics[spec.kind]
        code_plane(writer, code.geometry, recipe.domains_per_range, code)
    header = Header(codec=1, width=recipe.width, height=recipe.height, mode=mode, quality=90)
    assert_agreement(pack_file(header, parameters.to_byte() + writer.finish()))


@pytest.mark.parametrize("drawing", [triangle, carpet])
def test_self_similar_pictures_are_decoded_alike(drawing: Callable[[], Image.Image]) -> None:
    """Of contrasts of 4/3, and of 9/8 with domains reduced by 3."""
    data = nc.compress(drawing(), codec="fractal", graphics=False)
    parameters = Parameters.from_payload(CollageImage.from_bytes(data).payload)
    assert parameters.wide
    assert (parameters.lattice == 12) == (drawing is carpet)
    assert_agreement(data)


def test_damage_and_other_files_are_refused() -> None:
    data = bytearray(make_golden.COLLAGE.read_bytes())
    for position in (0, 4, 30, len(data) - 1):
        damaged = data.copy()
        damaged[position] ^= 1
        with pytest.raises(ValueError, match="damaged"):
            decode(bytes(damaged))
    image = CollageImage.from_bytes(bytes(data))
    with pytest.raises(ValueError, match="bytes behind its end"):
        decode(pack_file(image.header, image.payload + b"more"))
    with pytest.raises(ValueError, match="neither a file of the fractal codec"):
        decode((FOLDER / "poli2022-photo.clg").read_bytes())
