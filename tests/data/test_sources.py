import time
from pathlib import Path
from unittest.mock import Mock

import datasets
import huggingface_hub
import numpy as np
import pytest
from huggingface_hub.errors import RepositoryNotFoundError
from PIL import Image

from neural_collage.data.catalogue import VARIABLE, find
from neural_collage.data.sources import KNOWN_NAMES, ImageSource, open_images
from neural_collage.errors import CollageError, DataError
from tests.data.pictures import marked, write_folder, write_parquet


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", str(tmp_path / "modules"))


def _first_pixel(images: object, index: int) -> int:
    return int(images[index][0, 0, 0])  # type: ignore[index]


def test_a_folder_is_searched_recursively_and_in_order(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", [(5, 7)] * 4)
    images = open_images(str(tmp_path / "a"))
    assert len(images) == 4
    names = [Path(images.name(i)).name for i in range(4)]
    assert names == ["000.png", "002.png", "001.png", "003.png"]  # the folder's own come first
    assert [_first_pixel(images, i) for i in range(4)] == [0, 2, 1, 3]


def test_a_split_of_a_folder_is_a_subfolder(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", [(5, 7)] * 4)
    assert len(open_images(ImageSource(str(tmp_path / "a"), split="sub"))) == 2
    with pytest.raises(DataError, match="test: no such folder: leave out the split"):
        open_images(ImageSource(str(tmp_path / "a"), split="test"))


def test_several_subfolders_are_joined_in_order(tmp_path: Path) -> None:
    for index, name in enumerate(("test", "train")):
        folder = write_folder(tmp_path / "a" / name, [(5, 7)] * (2 + index))
        assert len(open_images(ImageSource(str(tmp_path / "a"), split=name))) == len(
            open_images(str(folder))
        )
    images = open_images(ImageSource(str(tmp_path / "a"), split="train+test"))
    folders = [Path(images.name(i)).relative_to(tmp_path / "a").parts[0] for i in range(5)]
    assert folders == ["train"] * 3 + ["test"] * 2
    assert [_first_pixel(images, i) for i in range(len(images))] == [0, 2, 1, 0, 1]
    with pytest.raises(DataError, match="a/more: no such folder"):
        open_images(ImageSource(str(tmp_path / "a"), split="train+more"))


def test_part_of_a_source(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", [(5, 7)] * 6)
    images = open_images(ImageSource(str(tmp_path / "a"), start=1, stop=3))
    assert [_first_pixel(images, i) for i in range(len(images))] == [2, 4]
    assert len(open_images(ImageSource(str(tmp_path / "a"), start=4, stop=100))) == 2


def test_a_part_that_is_empty_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", [(5, 7)] * 3)
    with pytest.raises(DataError, match="holds 3 images, none left from 3 on"):
        open_images(ImageSource(str(tmp_path / "a"), start=3))
    with pytest.raises(ValueError, match="0 <= start < stop"):
        ImageSource("x", start=3, stop=3)
    with pytest.raises(ValueError, match="every must be at least 1 and except_every"):
        ImageSource("x", every=0)
    with pytest.raises(ValueError, match="every must be at least 1 and except_every"):
        ImageSource("x", except_every=1)


@pytest.mark.parametrize("count", [1, 7, 30, 31])
def test_every_nth_image_and_the_others_are_a_partition(count: int) -> None:
    some = ImageSource("x", start=2, every=3).chosen(count)
    others = ImageSource("x", start=2, except_every=3).chosen(count)
    assert some == list(range(2, count, 3))
    assert sorted(some + others) == list(range(2, count))


@pytest.mark.parametrize("column", ["image", "img"])
def test_a_parquet_file(tmp_path: Path, column: str) -> None:
    arrays = [marked(i, (6, 4)) for i in range(3)]
    images = open_images(str(write_parquet(tmp_path / "some.parquet", arrays, column)))
    assert len(images) == 3
    assert images.size(2) == (6, 4)
    np.testing.assert_array_equal(images[2], arrays[2].transpose(2, 0, 1))
    assert images.name(2) == f"{tmp_path / 'some.parquet'}, row 2"


def test_several_sets_may_be_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside others in parquet files, which are left alone; what is missing is named."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for name in ("photos", "bsds500/train"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name / "x.png")
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train.parquet").write_bytes(b"not read")
    images = open_images(ImageSource("data", split="photos+bsds500/train"))
    assert len(images) == 2
    with pytest.raises(DataError, match=r"cid22: no such folder: .*cloudinary"):
        open_images(ImageSource("data", split="photos+cid22"))


def test_a_folder_in_hub_layout_has_splits(tmp_path: Path) -> None:
    for name, count in (("train-00000-of-00002", 2), ("train-00001-of-00002", 3), ("test", 1)):
        write_parquet(tmp_path / f"data/{name}.parquet", [marked(count, (4, 4))] * count, "image")
    source = str(tmp_path)
    assert len(open_images(source, use="train")) == 5
    assert len(open_images(source, use="test")) == 1
    assert len(open_images(ImageSource(source, split="test"), use="train")) == 1
    with pytest.raises(DataError, match="no split 'val', only test, train: name one of these"):
        open_images(source, use="val")


def test_a_validation_split_may_have_other_names(tmp_path: Path) -> None:
    for name in ("train", "validation"):
        write_parquet(tmp_path / f"{name}.parquet", [marked(len(name), (4, 4))], "image")
    assert _first_pixel(open_images(str(tmp_path), use="val"), 0) == len("validation")


def test_a_single_parquet_file_of_another_split_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "test-00000.parquet", [marked(0, (4, 4))], "image")
    assert len(open_images(str(path), use="train")) == 1
    with pytest.raises(DataError, match="no split 'train', only test"):
        open_images(ImageSource(str(path), split="train"))


def test_broken_or_foreign_parquet_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"broken.parquet: not a readable parquet file"):
        open_images(str(tmp_path / "broken.parquet"))
    path = write_parquet(tmp_path / "foreign.parquet", [marked(0, (4, 4))], "photo")
    with pytest.raises(DataError, match="no column image or img, only photo, label"):
        open_images(str(path))


def test_empty_and_missing_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError, match=r"holds no images and no parquet files.*\.png"):
        open_images(str(tmp_path))
    with pytest.raises(DataError, match=r"no such folder or file.*ylecun/mnist.*cifar10"):
        open_images(str(tmp_path / "missing" / "folder"))


def _reachable(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    def dataset_info(self: object, name: str, *, timeout: float) -> None:
        assert timeout <= 5
        if error is not None:
            raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)


@pytest.mark.parametrize("name", sorted(KNOWN_NAMES))
def test_without_network_the_error_gives_advice_within_seconds(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _reachable(monkeypatch, ConnectionError("no network"))
    started = time.monotonic()
    with pytest.raises(
        CollageError,
        match=f"{name}: the hub cannot be reached.*load_dataset.*{KNOWN_NAMES[name]}.*local folder",
    ):
        open_images(name)
    assert time.monotonic() - started < 5  # `datasets` alone would take half a minute
    assert not datasets.config.HF_HUB_OFFLINE  # reset afterwards


def test_a_name_that_the_hub_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _reachable(monkeypatch, RepositoryNotFoundError("404", response=Mock()))
    with pytest.raises(DataError, match="someone/nothing: neither a local folder or file nor"):
        open_images("someone/nothing")


def test_a_set_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(name: str) -> datasets.DatasetDict:
        assert name == "uoft-cs/cifar10"
        rows = {"img": [{"bytes": b"", "path": None}] * 3, "label": [0, 1, 2]}
        return datasets.DatasetDict(train=datasets.Dataset.from_dict(rows))

    _reachable(monkeypatch, None)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert len(open_images("cifar10", use="train")) == 3
    with pytest.raises(DataError, match="no split 'test', only train"):
        open_images("cifar10", use="test")


def test_the_error_of_a_failed_download_names_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(name: str) -> None:
        raise OSError("disk full\nmore")

    _reachable(monkeypatch, None)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DataError, match=r"mnist: cannot be loaded \(disk full\)"):
        open_images("mnist")


def test_paths_of_data_are_looked_up_in_the_folder_of_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "sets/aid/train", [(5, 7)] * 3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "sets"))
    images = open_images(ImageSource("data/aid", split="train", stop=2))
    assert Path(images.name(0)) == tmp_path / "sets/aid/train/000.png"
    assert len(images) == 2
    monkeypatch.delenv(VARIABLE)
    write_folder(tmp_path / "data/aid/train", [(5, 7)])
    assert len(open_images("data/aid/train")) == 1


@pytest.mark.parametrize("path", ["data/mnist", "data/aid/train"])
def test_a_missing_set_of_the_catalogue_is_refused_with_its_licence_and_address(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    _reachable(monkeypatch, AssertionError("the hub is not asked"))
    known = find(path)
    assert known is not None
    with pytest.raises(DataError, match=f"{path}: no such folder") as caught:
        open_images(path)
    assert known.licence in str(caught.value)
    assert known.address in str(caught.value)
