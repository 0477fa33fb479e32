"""Manifests survive interrupted runs, on local disks and on stores that cannot append."""

import math
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from neural_collage.batch.manifest import Manifest, ManifestEntry
from neural_collage.errors import OutputError

DONE = ManifestEntry("a.png", "a.clg", "1", "s", width=4, height=2, bytes=5, bpp=5.0, psnr=30.5)
FAILED = ManifestEntry(
    "b/ö.png", "b/ö.clg", "2", "s", attempts=3, error="broken", warnings=("one", "two")
)


@pytest.fixture(params=["local", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "deep/manifest.jsonl")
    else:
        yield "memory://manifests/manifest.jsonl"
        fsspec.filesystem("memory").rm("/manifests", recursive=True)


@pytest.mark.parametrize(
    "entry",
    [
        DONE,
        FAILED,
        ManifestEntry("c", None, "3", "s", psnr=math.inf),
        ManifestEntry("d", None, "", ""),
    ],
)
def test_entries_round_trip_through_a_line(entry: ManifestEntry) -> None:
    line = entry.to_json()
    assert "\n" not in line
    assert "Infinity" not in line
    assert ManifestEntry.from_json(line) == entry


def test_the_last_entry_of_an_input_is_valid(url: str) -> None:
    with Manifest(url) as manifest:
        manifest.append(FAILED)
        manifest.append(DONE)
    later = ManifestEntry("b/ö.png", "b/ö.clg", "2", "s", bytes=9)
    with Manifest(url) as manifest:
        assert manifest.entries == {"a.png": DONE, "b/ö.png": FAILED}
        manifest.append(later)
    assert Manifest(url).entries == {"a.png": DONE, "b/ö.png": later}
    with fsspec.open(url, "rt", encoding="utf-8") as file:
        assert len(file.readlines()) == 3


@pytest.mark.parametrize("torn", ['{"input": "z", "outp', "null", "[1]", '{"output": "z"}', "\xff"])
def test_a_truncated_line_leaves_all_others_valid(url: str, torn: str) -> None:
    with fsspec.open(url, "wb", auto_mkdir=True) as file:
        file.write(DONE.to_json().encode() + b"\n" + torn.encode("latin-1"))
    with Manifest(url) as manifest:
        assert manifest.entries == {"a.png": DONE}
        assert manifest.damaged == 1
        manifest.append(FAILED)
    assert Manifest(url).entries == {"a.png": DONE, "b/ö.png": FAILED}


def test_unknown_keys_are_ignored() -> None:
    assert ManifestEntry.from_json(DONE.to_json()[:-1] + ', "unknown": 3}') == DONE


def test_every_line_is_flushed(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    with Manifest(str(path)) as manifest:
        manifest.append(DONE)
        assert path.read_text() == DONE.to_json() + "\n"


def test_the_error_names_an_unwritable_manifest(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    manifest = Manifest(str(tmp_path / "file/manifest.jsonl"))
    with pytest.raises(OutputError, match=r"manifest\.jsonl: the manifest cannot be written"):
        manifest.__enter__()
