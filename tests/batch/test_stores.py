"""Folders on local disks and in other stores: listing, reading, writing, and their errors."""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from neural_collage.batch.stores import STAGING, Folder, open_store, stem
from neural_collage.errors import CollageError, DataError, ImageError, OutputError


@pytest.fixture(params=["local", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "store")
    else:
        yield "memory://store"
        files = fsspec.filesystem("memory")
        if files.exists("/store"):
            files.rm("/store", recursive=True)


def test_written_items_are_listed_and_read(url: str) -> None:
    folder = Folder(url)
    folder.prepare()
    folder.write("b.bin", b"bb")
    folder.write("deep/er/a.bin", b"a")
    folder.write("b.bin", b"bbb")
    folder.finish([])
    assert folder.sizes() == {"b.bin": 3, "deep/er/a.bin": 1}
    assert [name for name, _ in folder.items()] == ["b.bin", "deep/er/a.bin"]
    assert folder.read("deep/er/a.bin") == b"a"


def test_only_visible_files_with_the_suffixes_are_items(url: str) -> None:
    folder = Folder(url)
    for name in ("a.PNG", "b.jpg", "c.txt", ".d.png", ".e/f.png", "g.png/h.png", "png"):
        folder.write(name, b"x")
    assert {name for name, _ in Folder(url, (".png", ".jpg")).items()} == {
        "a.PNG",
        "b.jpg",
        "g.png/h.png",
    }


def test_an_excluded_subfolder_is_not_listed(url: str) -> None:
    Folder(url).write("a.png", b"x")
    Folder(url).write("out/b.png", b"x")
    Folder(url).write("out2/c.png", b"x")
    found = Folder(url, excluded=Folder(f"{url}/out"))
    assert [name for name, _ in found.items()] == ["a.png", "out2/c.png"]


def test_fingerprints_change_with_the_content(url: str) -> None:
    folder = Folder(url)
    folder.write("a", b"x")
    folder.write("b", b"x")
    before = dict(folder.items())
    assert dict(folder.items()) == before
    folder.write("b", b"yy")
    after = dict(folder.items())
    assert after["a"] == before["a"]
    assert after["b"] != before["b"]


def test_a_new_modification_time_changes_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    before = dict(Folder(str(tmp_path)).items())
    os.utime(tmp_path / "a", (1, 1))
    assert dict(Folder(str(tmp_path)).items()) != before


def test_errors_name_a_missing_folder_or_file(url: str) -> None:
    with pytest.raises(DataError, match="no such folder"):
        list(Folder(url).items())
    assert Folder(url).sizes() == {}
    with pytest.raises(ImageError, match=r"x\.png: no such file"):
        Folder(url).read("x.png")


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert [name for name, _ in Folder(str(tmp_path)).items()] == ["a.png"]


def test_unfinished_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    left = tmp_path / STAGING / ".1234.part"
    left.parent.mkdir()
    left.write_bytes(b"half")
    Folder(str(tmp_path)).prepare()
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_a_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match="not a regular file"):
        Folder(str(tmp_path)).write("a", b"x")
    (tmp_path / "b").write_bytes(b"")
    with pytest.raises(OutputError, match="b/c: cannot be written"):
        Folder(str(tmp_path)).write("b/c", b"x")


def test_folders_can_be_pickled(tmp_path: Path) -> None:
    Folder(str(tmp_path)).write("a", b"x")
    assert pickle.loads(pickle.dumps(Folder(str(tmp_path)))).read("a") == b"x"


@pytest.mark.parametrize("url", ["nonsense://a/b", "s3://bucket/x"])
def test_an_unsupported_url_is_a_one_line_error(url: str) -> None:
    if url.startswith("s3"):
        pytest.importorskip("fsspec")
        try:
            import s3fs  # type: ignore[import-not-found] # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("s3fs is installed")
    with pytest.raises(CollageError, match=url) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", "a"),
        ("a.b/c", "a.b/c"),
        ("a/.png", "a/.png"),
        ("x.tar.gz", "x.tar"),
    ],
)
def test_stems(name: str, expected: str) -> None:
    assert stem(name) == expected
