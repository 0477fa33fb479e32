"""The study of letters above their size, on small models and one font."""

from pathlib import Path

import pytest
import torch
from matplotlib import font_manager
from PIL import Image

from benchmarks.letters.study import batches, main, near_outlines
from neural_collage.data.letters import CHARACTERS, render, split_of
from neural_collage.errors import CollageError
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.hierarchy_config import (
    DecoderStage,
    EncoderStage,
    HierarchyConfig,
)
from neural_collage.models.generation.likelihoods import LikelihoodConfig
from neural_collage.models.generation.vdvae import Vdvae
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.detail_links import DetailLinksConfig
from neural_collage.training.export.generator_weights import generator_to_bytes

HIERARCHY = HierarchyConfig(
    width=4,
    bottom_up=(EncoderStage(16, 0), EncoderStage(1, 1, 4)),
    top_down=(DecoderStage(1, 1, 2, 4), DecoderStage(16, 1, 1, 4)),
    bias_resolution=1,
    classes=CHARACTERS,
)
OPERATOR = OperatorConfig((32, 32), 1, 2, (), n_patches=3, enlarge="smooth")
COVERAGE = LikelihoodConfig("coverage")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The letters of one font, and weights of all three models."""
    folder = tmp_path_factory.mktemp("letters")
    family = folder / "fonts" / next(f for f in map(str, range(999)) if split_of(f) == "test")
    family.mkdir(parents=True)
    font = Path(font_manager.findfont("DejaVu Sans"))
    (family / font.name).write_bytes(font.read_bytes())
    render(folder / "fonts", folder / "fine", 512, ["test"])
    torch.manual_seed(0)
    for name, model in {
        "collage": CollageVae(OPERATOR, COVERAGE, HIERARCHY, detail=DetailLinksConfig()),
        "smooth": CollageVae(OPERATOR, COVERAGE, HIERARCHY),
        "vdvae": Vdvae(32, COVERAGE, HIERARCHY),
    }.items():
        (folder / f"{name}.safetensors").write_bytes(generator_to_bytes(model))
    return folder


def test_the_study_compares_all_ways_to_enlarge(folder: Path, tmp_path: Path) -> None:
    weights = {name: str(folder / f"{name}.safetensors") for name in ("collage", "smooth", "vdvae")}
    main(
        str(folder / "fine"),
        weights["collage"],
        weights["smooth"],
        weights["vdvae"],
        limit=8,
        output=tmp_path,
    )
    page = (tmp_path / "letters.md").read_text()
    for row in ("collage: links", "trained without links: reconstruction", "VDVAE: reconstruction"):
        assert row in page
    assert "8 letters" in page
    assert str(folder) not in page
    for name in ("letters_enlarged", "letters_fonts", "letters_serif"):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert min(image.size) > 100


def test_pixels_near_outlines_are_partly_covered_ones_and_their_neighbours() -> None:
    small = torch.zeros(1, 1, 7, 7)
    small[..., 3, 3] = 0.5
    small[..., 0, 0] = 1.0
    expected = torch.zeros(1, 1, 7, 7, dtype=torch.bool)
    expected[..., 2:5, 2:5] = True
    assert torch.equal(near_outlines(small), expected)


def test_missing_letters_and_models_without_links_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="no such folder"):
        next(batches("data/no_such_letters/x", 1))
    with pytest.raises(CollageError, match="no detail links"):
        main(str(folder / "fine"), str(folder / "smooth.safetensors"), limit=4, output=tmp_path)
