"""Pages agree with the code that they describe."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import neural_collage as nc
from neural_collage.data.catalogue import CATALOGUE
from tests.root import ROOT
from tests.test_imports import MODULES, TIERS

DOCS = ROOT / "docs"
CARDS = ROOT / "src/neural_collage/weights"
PACKAGES = {name for tier in TIERS for name in tier}
NAME = re.compile(r"`(?:neural_collage\.)?(\w+(?:\.\w+)+)(?<!\.py)`")
SOURCE_FILE = re.compile(r"`((?:\w+/)+\w+\.(?:py|npz|md|yaml))`")


def pages() -> list[Path]:
    return sorted([*DOCS.glob("*.md"), *CARDS.glob("*.md"), ROOT / "CONTRIBUTING.md"])


def names_in(page: Path) -> Iterator[str]:
    for name in NAME.findall(page.read_text(encoding="utf-8")):
        if name.partition(".")[0] in PACKAGES and not name.startswith("data.init_args"):
            yield name


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_names_of_the_package_exist(page: Path) -> None:
    missing = []
    for name in names_in(page):
        module = name
        while module not in MODULES:
            module = module.rpartition(".")[0]
        inner = name.removeprefix(module).removeprefix(".").partition(".")[0]
        source = MODULES[module].read_text(encoding="utf-8")
        if inner and not re.search(
            rf"^(?:class|def) {inner}\b|^{inner}\b.*=", source, re.MULTILINE
        ):
            missing.append(name)
    assert not missing


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = SOURCE_FILE.findall(page.read_text(encoding="utf-8"))
    folders = (ROOT, ROOT / "src/neural_collage")
    assert not [path for path in named if not any((root / path).exists() for root in folders)]


def test_the_drawing_of_the_packages_is_that_of_the_imports() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    drawn = re.search(r"```mermaid\n(.*?)```", text, flags=re.DOTALL)
    assert drawn
    arrows = [line.strip() for line in drawn[1].splitlines() if "-->" in line]
    tiers = [" & ".join(tier) for tier in reversed(TIERS)]
    assert arrows == [f"{upper} --> {lower}" for upper, lower in pairwise(tiers)]
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"} - {""}
    for package in packages:
        if "." not in package:
            assert f"**{package}**" in text


def test_a_word_of_the_glossary_has_one_meaning() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    words = [word for row in rows for word in row[0].removeprefix("| ").split(", ")]
    words = [word for word in words if word != "word"]
    assert len(words) == len(set(words)) > 50


def test_the_table_of_data_sets_is_the_catalogue() -> None:
    text = (DOCS / "data.md").read_text(encoding="utf-8")
    for each in CATALOGUE:
        cells = (each.name, f"`{each.path}`", each.content, each.licence, each.address)
        assert f"| {' | '.join((*cells, each.used_for))} |" in text
    assert len(re.findall(r"\| `data/\w+` \|", text)) == len(CATALOGUE)


def test_sets_are_in_a_folder_that_everybody_can_have() -> None:
    for page in pages():
        assert not re.search(r"\.\./\S*\bdata/", page.read_text(encoding="utf-8")), page.name


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == "neural-collage"
    assert str(citation["version"]) == nc.__version__
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'license = "{citation["license"]}"' in project
    assert f'name = "{citation["authors"][0]["name"]}"' in project
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] in (nc.__version__, "Unreleased")


def test_ci_calls_targets_that_make_has_and_helps_with() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[0].split()
    helped = re.findall(r"^([a-z]+):.*## ", makefile, flags=re.MULTILINE)
    assert sorted(phony) == sorted(helped)
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    called = {step["run"].removeprefix("make ") for step in steps if "run" in step}
    assert called == {"test", "docs", "wheel"}
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook.get("entry", "") for repo in hooks["repos"] for hook in repo["hooks"]]
    assert {entry.removeprefix("make ") for entry in entries if entry.startswith("make")} <= set(
        phony
    )
    classifiers = tuple(workflow["jobs"]["test"]["strategy"]["matrix"]["python"])
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert classifiers == tuple(re.findall(r"Python :: (3\.\d+)", project))
