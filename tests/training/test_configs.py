"""The image sets that the committed configs train, validate and test on."""

from itertools import combinations
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pytest
import yaml

from neural_collage.data.catalogue import FOLDER, find
from neural_collage.data.sources import KNOWN_NAMES, ImageSource
from tests.root import ROOT

CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
IN_HUB_LAYOUT = {*KNOWN_NAMES, "data/mnist", "data/letters"}
"""Sets with splits of their own; without a split, that of the use is read."""


LARGEST = 100_000  # images of a set, for comparing which are used


class Part(NamedTuple):
    """Some images of a folder, by their indices."""

    folder: PurePosixPath
    indices: frozenset[int]

    def overlaps(self, other: "Part") -> bool:
        if self.folder == other.folder:
            return bool(self.indices & other.indices)
        return self.folder in other.folder.parents or other.folder in self.folder.parents


def sources_of(config: Path) -> dict[str, dict[str, Any]]:
    """By use: the path, split, start and stop of a config's images."""
    given = yaml.safe_load(config.read_text(encoding="utf-8"))["data"]["init_args"]
    sources = {use: given[use] for use in ("train", "val", "test") if use in given}
    return {use: {"path": s} if isinstance(s, str) else s for use, s in sources.items()}


def parts_of(source: dict[str, Any], use: str) -> list[Part]:
    """A source as parts of folders; splits are subfolders."""
    split = source.get("split", use if source["path"] in IN_HUB_LAYOUT else "")
    folder, indices = PurePosixPath(source["path"]), ImageSource(**source).chosen(LARGEST)
    return [Part(folder / name, frozenset(indices)) for name in split.split("+")]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_train_val_and_test_images_do_not_overlap(config: Path) -> None:
    parts = {use: parts_of(source, use) for use, source in sources_of(config).items()}
    assert {"train", "val"} <= parts.keys()
    for (use, own), (other_use, others) in combinations(parts.items(), 2):
        for part in own:
            assert not any(part.overlaps(other) for other in others), (use, other_use)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_no_config_validates_on_a_test_split(config: Path) -> None:
    """The best checkpoint is selected by validation."""
    for part in parts_of(sources_of(config)["val"], "val"):
        assert "test" not in part.folder.parts


def test_overlaps_are_found() -> None:
    aid = {"path": "data/aid/train"}
    whole, head, tail = (
        parts_of(source, "val")[0]
        for source in (aid, {**aid, "stop": 2900}, {**aid, "start": 2900})
    )
    assert whole.overlaps(head)
    assert tail.overlaps(whole)
    assert not head.overlaps(tail)
    assert whole.overlaps(parts_of({"path": "data/aid"}, "train")[0])
    assert not whole.overlaps(parts_of({"path": "data/aid/test"}, "test")[0])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_local_images_are_those_of_the_catalogue(config: Path) -> None:
    for source in sources_of(config).values():
        paths = [source["path"]]
        if paths == [FOLDER]:  # several sets together
            paths = [f"{FOLDER}/{part}" for part in source["split"].split("+")]
        assert all(path in KNOWN_NAMES or find(path) is not None for path in paths)
