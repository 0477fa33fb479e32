import subprocess
import sys
from pathlib import Path

import pytest

from neural_collage.data.catalogue import (
    CATALOGUE,
    VARIABLE,
    data_folder,
    find,
    how_to_get,
    image_folder,
    missing,
    resolve,
)
from neural_collage.errors import CollageError

NAMES = [each.name for each in CATALOGUE]


@pytest.fixture(autouse=True)
def _variable_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_rows_are_complete_and_names_unique() -> None:
    assert len(set(NAMES)) == len(NAMES) == 12
    assert all(all(vars(each).values()) for each in CATALOGUE)


def test_paths_of_data_are_looked_up_in_the_folder_of_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve("data/aid/train") == Path("data/aid/train")
    assert data_folder() == Path("data")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert resolve("data/aid/train") == tmp_path / "aid/train"
    assert resolve(Path("./data/kodak")) == tmp_path / "kodak"
    for other in ("photos/data/x", "/data/x", "data", "database/x", "mnist", ""):
        assert resolve(other) == Path(other)
    monkeypatch.setenv(VARIABLE, "~/images")
    assert resolve("data/aid") == Path.home() / "images/aid"
    monkeypatch.setenv(VARIABLE, "")
    assert resolve("data/aid") == Path("data/aid")
    assert resolve("~/x") == Path.home() / "x"


def test_a_path_belongs_to_the_set_of_its_folder() -> None:
    found = find("data/aid/train")
    assert found is not None
    assert found.name == "aid"
    assert found.path == "data/aid"
    for other in ("data", "data/unknown/train", "aid/train", "photos/data/aid"):
        assert find(other) is None


def test_a_missing_data_set_is_refused_with_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CollageError, match=r"data/dota is not a folder: dota .*captain-whu"):
        image_folder(Path("data/dota"))
    with pytest.raises(CollageError, match="holiday is not a folder: give one"):
        image_folder(Path("holiday"))
    (tmp_path / "dota").mkdir()
    assert image_folder(Path("data/dota")) == tmp_path / "dota"


def test_absent_folders_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kodak", "mnist"):
        (tmp_path / name).mkdir()
    (tmp_path / "aid").write_text("not a folder")
    absent = [each.name for each in missing(tmp_path)]
    assert absent == [name for name in NAMES if name not in ("kodak", "mnist")]
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert missing() == missing(tmp_path)


def test_advice_names_licence_address_and_folder() -> None:
    for each in CATALOGUE:
        advice = how_to_get(each)
        for text in (each.licence, each.address, str(Path(each.path)), VARIABLE):
            assert text in advice


def test_importing_the_catalogue_loads_no_large_library() -> None:
    heavy = ("torch", "numpy", "datasets", "pyarrow")
    script = (
        "import sys, neural_collage.data.catalogue;"
        f"assert not [name for name in {heavy} if name in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
