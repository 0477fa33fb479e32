import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from jaxtyping import UInt8
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy import ndarray
from torch import Tensor

from neural_collage.data.images import Images
from neural_collage.data.sources import ImageSource
from neural_collage.errors import CheckpointError, ConfigError, DataError, ImageError
from neural_collage.training.data_modules import ImageData
from tests.data.pictures import write_folder

pytestmark = pytest.mark.filterwarnings(  # deprecations inside Lightning
    r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning"
)
SIZES = [(8 + i % 2, 9 + i % 3) for i in range(10)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_folder(tmp_path_factory.mktemp("images") / "a", SIZES))


def _data(folder: str, **options: Any) -> ImageData:
    settings: dict[str, Any] = {"train": folder, "crop": 8, "batch_size": 4, "num_workers": 0}
    return ImageData(**settings | options)


class Recorder(LightningModule):
    """Records its training batches."""

    def __init__(self, *, uses_step_count: bool) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.uses_step_count = uses_step_count
        self.batches: list[Tensor] = []

    def training_step(self, batch: Tensor) -> Tensor:
        self.batches.append(batch)
        return (self.weight - batch.mean()).square()

    def validation_step(self, batch: Tensor) -> None:
        self.log("val", batch.mean())

    def test_step(self, batch: Tensor) -> None:
        self.log("test", batch.mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.uses_step_count:  # as schedules do; makes Lightning set up the loader early
            assert self.trainer.estimated_stepping_batches > 0
        return torch.optim.SGD(self.parameters(), 0.1)


def _trainer(folder: Path, *callbacks: Callback, **options: Any) -> Trainer:
    return Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=list(callbacks),
        **options,
    )


class Saver(Callback):
    """Saves a checkpoint after every training batch, validation and epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.saved: list[tuple[Path, int]] = []

    def _save(self, trainer: Trainer, event: str) -> None:
        if not trainer.sanity_checking:
            path = self.folder / f"{event}{trainer.global_step}.ckpt"
            trainer.save_checkpoint(path)
            self.saved.append((path, trainer.global_step))

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self._save(trainer, "batch")

    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        self._save(trainer, "validation")

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        self._save(trainer, "epoch")


@pytest.mark.parametrize(
    ("options", "workers", "uses_step_count"),
    [
        ({}, 0, False),
        ({}, 2, True),
        ({"limit_train_batches": 3}, 0, True),
        ({"val_check_interval": 2}, 0, False),
        ({"check_val_every_n_epoch": 2}, 1, True),
    ],
)
def test_training_resumes_with_the_next_batch_from_any_checkpoint(
    folder: str, tmp_path: Path, options: dict[str, Any], workers: int, uses_step_count: bool
) -> None:
    def data() -> ImageData:
        return _data(folder, val=folder, crops_per_image=2, num_workers=workers)

    saver, whole = Saver(tmp_path), Recorder(uses_step_count=uses_step_count)
    _trainer(tmp_path, saver, max_epochs=2, **options).fit(whole, data())
    n_batches = options.get("limit_train_batches", 5)
    assert len(whole.batches) == 2 * n_batches
    assert len(saver.saved) > 2 * n_batches + 2

    for path, step in saver.saved:
        resumed = Recorder(uses_step_count=uses_step_count)
        trainer = _trainer(tmp_path, max_epochs=2, **options)
        trainer.fit(resumed, data(), ckpt_path=path, weights_only=True)
        assert len(resumed.batches) == len(whole.batches) - step, path.name
        for batch, expected in zip(resumed.batches, whole.batches[step:], strict=True):
            assert torch.equal(batch, expected), path.name


def test_resuming_in_the_middle_with_other_batches_is_refused(folder: str, tmp_path: Path) -> None:
    saver = Saver(tmp_path)
    module = Recorder(uses_step_count=True)
    _trainer(tmp_path, saver, max_steps=1).fit(module, _data(folder))
    with pytest.raises(CheckpointError, match="resume with the same data, batch_size"):
        _trainer(tmp_path, max_steps=9).fit(
            module,
            _data(folder, batch_size=2),
            ckpt_path=saver.saved[0][0],
            weights_only=True,
        )


def test_evaluating_a_checkpoint_does_not_move_the_training_position(
    folder: str, tmp_path: Path
) -> None:
    saver = Saver(tmp_path)
    module = Recorder(uses_step_count=False)
    data = _data(folder, test=folder)
    _trainer(tmp_path, saver, max_steps=1).fit(module, data)
    fresh, other = Recorder(uses_step_count=False), _data(folder, test=folder)
    _trainer(tmp_path).test(fresh, other, ckpt_path=saver.saved[0][0], weights_only=True)
    _trainer(tmp_path, max_steps=1).fit(fresh, other)
    assert torch.equal(fresh.batches[0], module.batches[0])


def test_overfitting_uses_the_same_batches_in_every_epoch(folder: str, tmp_path: Path) -> None:
    module = Recorder(uses_step_count=False)
    trainer = _trainer(tmp_path, max_epochs=2, overfit_batches=2)
    with pytest.warns(UserWarning, match="requested to overfit"):
        trainer.fit(module, _data(folder))
    assert torch.equal(torch.stack(module.batches[:2]), torch.stack(module.batches[2:]))


def test_two_processes_share_the_batches_of_one(folder: str) -> None:
    def batches(rank: int, world: int) -> list[Tensor]:
        return list(_of_process(_data(folder, crops_per_image=3), rank, world).train_dataloader())

    for whole, first, second in zip(batches(0, 1), batches(0, 2), batches(1, 2), strict=True):
        assert torch.equal(whole[0::2], first)
        assert torch.equal(whole[1::2], second)


def _of_process(data: ImageData, rank: int, world: int) -> ImageData:
    trainer: Any = SimpleNamespace(global_rank=rank, world_size=world, overfit_batches=0)
    data.trainer = trainer
    return data


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The images that are decoded during a test, by number."""
    numbers: list[int] = []
    decode = Images.__getitem__

    def counted(images: Images, index: int) -> UInt8[ndarray, "c h w"]:
        numbers.append(index)
        return decode(images, index)

    monkeypatch.setattr(Images, "__getitem__", counted)
    return numbers


@pytest.mark.parametrize("crops_per_image", [1, 3])
def test_in_an_epoch_each_image_is_decoded_by_one_process_only(
    folder: str, decoded: list[int], crops_per_image: int
) -> None:
    for rank in range(2):
        data = _data(folder, limit=8, memory=0, crops_per_image=crops_per_image)
        list(_of_process(data, rank, 2).train_dataloader())
    assert sorted(decoded) == list(range(8))


def test_a_batch_that_cannot_be_shared_equally_is_refused(folder: str) -> None:
    data = _of_process(_data(folder), 0, 3)
    with pytest.raises(ConfigError, match="batch_size=4 does not divide among 3 processes"):
        data.setup("fit")


def test_batches_are_floats_from_0_to_1(folder: str) -> None:
    data = _data(folder, val=folder, test=folder, val_crops="tiles")
    data.setup("fit")
    train = next(iter(data.train_dataloader()))
    assert (train.shape, train.dtype) == ((4, 3, 8, 8), torch.float32)
    assert 0 <= float(train.min()) <= float(train.max()) <= 1
    n_tiles = sum(-(-h // 8) * -(-w // 8) for h, w in SIZES)
    val = data.val_dataloader()
    assert sum(map(len, val)) == n_tiles
    data.setup("test")
    assert sum(map(len, data.test_dataloader())) == n_tiles


def test_without_memory_tiles_are_still_cut_from_images_decoded_once(
    folder: str, decoded: list[int]
) -> None:
    data = _data(folder, test=folder, val_crops="tiles", memory=0, crop=3, num_workers=2)
    assert sum(map(len, data.test_dataloader())) > 9 * len(SIZES)
    assert sorted(decoded) == list(range(len(SIZES)))


@pytest.mark.parametrize(
    ("augment", "crop", "n_isometries"),
    [("none", 8, 1), ("mirror", 8, 2), ("all", 8, 8), ("all", (8, 9), 4)],
)
def test_augmentation_gives_every_isometry_of_the_crop(
    folder: str, augment: str, crop: int | tuple[int, int], n_isometries: int
) -> None:
    source = ImageSource(folder, stop=1)  # a single image, of 8x9 pixels
    data = _data(folder, train=source, crop=crop, augment=augment, crops_per_image=100)
    # red is the number of the image; green (rows) and blue (columns) determine the isometry
    crops = torch.cat(list(data.train_dataloader()))[:, 1:]
    directions = {
        tuple(
            torch.sign(
                torch.cat([crop[:, 1, 0] - crop[:, 0, 0], crop[:, 0, 1] - crop[:, 0, 0]])
            ).tolist()
        )
        for crop in crops
    }
    assert len(directions) == n_isometries


def test_binarised_digits(folder: str) -> None:
    def epochs(kind: str) -> list[Tensor]:
        data = _data(folder, channels=1, augment="none", binarise=kind, val=folder, batch_size=10)
        data.setup("fit")
        loader, found = data.train_dataloader(), []
        for epoch in range(2):
            loader.set_epoch(epoch)
            (batch,) = loader
            found.append(batch.flatten(1).sum(1).sort().values)
        val = data.val_dataloader()
        assert torch.equal(next(iter(val)), next(iter(val)))
        assert set(next(iter(val)).unique().tolist()) <= {0, 1}
        return found

    first, second = epochs("dynamic")
    assert not torch.equal(first, second)


def test_five_bits_and_limit(folder: str) -> None:
    data = _data(folder, bits=5, limit=3, batch_size=3)
    (batch,) = data.train_dataloader()
    torch.testing.assert_close(batch * 31, (batch * 31).round())
    assert len((batch[:, 0] * 31).unique()) == 1  # images 0, 2 and 4 are all of level 0


def test_a_data_module_can_be_pickled(folder: str) -> None:
    copy = pickle.loads(pickle.dumps(_data(folder)))
    assert torch.equal(next(iter(copy.train_dataloader())), _data_batch(folder))


def _data_batch(folder: str) -> Tensor:
    batch: Tensor = next(iter(_data(folder).train_dataloader()))
    return batch


def _parsed(data: dict[str, Any]) -> ImageData:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(ImageData, "data")
    config = {"class_path": "neural_collage.training.data_modules.ImageData", "init_args": data}
    made = parser.instantiate(parser.parse_object({"data": config})).data
    assert isinstance(made, ImageData)
    return made


def test_a_config_may_name_a_path_or_a_part_of_a_source(folder: str) -> None:
    data = _parsed({"train": {"path": folder, "start": 2}, "val": folder, "crop": [8, 9]})
    assert data.sources == {"train": ImageSource(folder, start=2), "val": folder, "test": None}
    assert data.crop == (8, 9)


def test_an_unknown_key_is_named(folder: str) -> None:
    with pytest.raises(Exception, match="crops_per_picture"):
        _parsed({"train": folder, "crops_per_picture": 2})


def test_all_invalid_arguments_are_reported_at_once() -> None:
    with pytest.raises(ValueError, match=r"batch_size must be at least 1, not 0; .*no images") as e:
        ImageData(batch_size=0, bits=9, resize=5, num_workers=-1)
    for problem in ("bits must be 1 to 8", "resize=5 is smaller", "num_workers must not be"):
        assert problem in str(e.value)
    with pytest.raises(ValueError, match="binarise leaves one bit"):
        ImageData("x", bits=5, binarise="static")


def test_bad_images_are_refused_before_training_begins(folder: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images"):
        _data(str(tmp_path)).setup("fit")
    with pytest.raises(ImageError, match=r"000\.png: 8x9 pixels, smaller than the crop of 9x9"):
        _data(folder, crop=9).setup("fit")
    with pytest.raises(DataError, match="set `test` of the data"):
        _data(folder).setup("test")
    skipping = _data(folder, crop=9, undersized="skip", batch_size=5)
    assert len(skipping.train_dataloader()) == 1
