"""Export of a checkpoint as the weights of detail."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from neural_collage.core.arrays.octaves import DetailTerm
from neural_collage.models.arrays_file import read_config
from neural_collage.models.enlargement.detail_network import DetailNetwork, network_of
from neural_collage.models.enlargement.detail_predictor import DetailPredictor
from neural_collage.training.export import detail_weights
from neural_collage.training.export.detail_weights import detail_to_bytes
from tests.core.arrays.test_octaves import octaves_of, whole
from tests.models.enlargement.test_detail_network import predictor
from tests.pictures import photo_crop
from tests.training.finished import save_checkpoint

SIZE = 48, 48


def larger(term: DetailTerm) -> np.ndarray:
    return whole(octaves_of(photo_crop(48).numpy(), term), SIZE, 1)


def test_a_checkpoint_becomes_weights_of_the_same_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = predictor(8, 2)
    with torch.no_grad():  # to what half precision represents
        for value in trained.parameters():
            value.copy_(value.half().float())
    path = save_checkpoint(tmp_path / "last.ckpt", trained)
    output = tmp_path / "detail.safetensors"
    monkeypatch.setattr(sys, "argv", ["detail_weights", str(path), "-o", str(output)])
    detail_weights.main()
    data = output.read_bytes()
    assert read_config(data) == {"config": {"width": 8, "depth": 2}}
    assert len(data) < 3 * sum(value.numel() for value in trained.parameters()) + 2000
    with torch.no_grad():
        (expected,) = trained(photo_crop(48)[None], torch.tensor([0.7]))
    np.testing.assert_allclose(
        larger(network_of(data).at(0.7)), expected.numpy(), atol=1e-5, rtol=0
    )


def test_half_precision_changes_less_than_a_level() -> None:
    trained = predictor(8, 2)
    precise = DetailNetwork({name: value.numpy() for name, value in trained.state_dict().items()})
    rounded = network_of(detail_to_bytes(trained))
    assert np.abs(larger(precise.at(1.0)) - larger(rounded.at(1.0))).max() < 0.5 / 255


@pytest.mark.parametrize("value", [float("nan"), 1e6])
def test_weights_that_half_precision_cannot_represent_are_refused(value: float) -> None:
    model = DetailPredictor()
    with torch.no_grad():
        model.last.weight[0, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"last\.weight"):
        detail_to_bytes(model)
