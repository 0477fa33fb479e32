from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image

from neural_collage.training.callbacks.ema import Ema
from neural_collage.training.callbacks.pictures import PictureGrids, picture_grid
from tests.training.toy import Ramps
from tests.training.toy_runs import Record, fit, lightning_noise, make_task, weights

pytestmark = lightning_noise


def test_a_grid_is_padded_and_about_square() -> None:
    pictures = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 2, 3, 4) / 10
    grid = picture_grid(pictures, padding=1)
    assert grid.shape == (2, 2 * 4 + 1, 3 * 5 + 1)
    for n, (row, column) in enumerate([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]):
        cell = grid[:, 4 * row : 4 * row + 5, 5 * column : 5 * column + 6]
        assert torch.equal(cell[:, 1:-1, 1:-1], pictures[n])
        edge = cell.clone()
        edge[:, 1:-1, 1:-1] = 1
        assert bool((edge == 1).all())
    assert bool((grid[:, 5:, 11:] == 1).all())  # no sixth picture


@pytest.mark.parametrize(("columns", "shape"), [(1, (17, 7)), (9, (7, 17)), (None, (12, 12))])
def test_a_grid_has_the_columns_asked_for(columns: int | None, shape: tuple[int, int]) -> None:
    assert picture_grid(torch.zeros(3, 1, 3, 3), columns).shape[1:] == shape


def grids(folder: Path) -> dict[str, list[str]]:
    return {
        each.name: sorted(path.name for path in each.iterdir())
        for each in sorted((folder / "pictures").iterdir())
    }


def test_grids_of_the_validation_pictures_are_written_periodically(tmp_path: Path) -> None:
    fit(tmp_path, PictureGrids(every_n_steps=4, count=3), max_steps=10)
    names = ["step-0000004.png", "step-0000008.png", "step-0000010.png"]
    assert grids(tmp_path) == {"original": names, "restored": names}
    shown = np.asarray(Image.open(tmp_path / "pictures/original/step-0000004.png")) / 255
    expected = picture_grid(Ramps(val=16).val[:3])[0]
    assert np.abs(shown - expected.clamp(0, 1).numpy()).max() < 1 / 255


def test_without_validation_the_first_batch_is_shown(tmp_path: Path) -> None:
    fit(tmp_path, PictureGrids(every_n_steps=2), max_steps=4, val=0)
    files = [tmp_path / f"pictures/original/step-000000{step}.png" for step in (2, 4)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_pictures_show_the_averaged_weights_in_eval_mode(tmp_path: Path) -> None:
    used: list[dict[str, torch.Tensor]] = []
    task = make_task()
    original = task.pictures

    def spy(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        assert not task.training
        assert not torch.is_grad_enabled()
        used.append(weights(task))
        return original(batch)

    task.pictures = spy  # type: ignore[method-assign]
    ema = Ema(0.9)
    fit(tmp_path, ema, PictureGrids(every_n_steps=4), task=task, max_steps=4)
    assert len(used) == 1
    assert task.training
    with ema.applied(task):
        assert all(torch.equal(used[0][name], value) for name, value in weights(task).items())


def test_pictures_do_not_change_the_training(tmp_path: Path) -> None:
    plain, shown = Record(), Record()
    fit(tmp_path, plain, task=make_task(noise=0.1), max_steps=6)
    fit(tmp_path, shown, PictureGrids(1), task=make_task(noise=0.1), max_steps=6)
    assert plain.losses == shown.losses


def test_the_same_noise_is_shown_each_time(tmp_path: Path) -> None:
    class Frozen(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
            for parameter in pl_module.parameters():
                parameter.data.fill_(0.1)

    fit(tmp_path, Frozen(), PictureGrids(1), task=make_task(noise=0.5), max_steps=2)
    files = [tmp_path / f"pictures/restored/step-000000{step}.png" for step in (1, 2)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_no_grids_are_written_if_disabled_or_in_a_trial_run(tmp_path: Path) -> None:
    fit(tmp_path, PictureGrids(every_n_steps=None), max_steps=2)
    fit(tmp_path, PictureGrids(every_n_steps=1), fast_dev_run=True)
    assert not (tmp_path / "pictures").exists()


@pytest.mark.parametrize("settings", [{"every_n_steps": 0}, {"count": 0}])
def test_invalid_settings_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        PictureGrids(**settings)
