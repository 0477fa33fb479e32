"""Imports point down: between the packages, between the parts of a package, and between files.

Read from the source, so that imports inside functions and for type checkers alone count, too, and
nothing has to be installed.
"""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.root import ROOT

PACKAGE = "neural_collage"
SOURCE = ROOT / "src" / PACKAGE

TIERS = (
    ("errors",),
    ("arguments", "extras", "runtime", "moved"),
    ("core", "io"),
    ("fractal", "models"),
    ("codec",),
    ("art", "data", "evaluation", "viewer"),
    ("batch", "training"),
    ("web",),
    ("cli",),
    ("__main__",),
)
"""From the bottom up. Packages of one tier do not import each other."""
PARTS = {
    "core": ("scales", "arrays", "*"),
    "models": ("arrays_file", "weights_file", "packing", "pretrained", "operator", "*"),
    "codec": (
        "ids",
        "varints",
        "chunks",
        "container",
        "base",
        "collage_layer",
        "colour",
        "planes",
        "entropy",
        "graphics",
        "weights",
        "precision",
        "streams",
        "*",
    ),
    "training": (
        "checkpoint_io",
        "processes",
        "data_modules",
        "finished",
        "tasks",
        "callbacks",
        "run",
        "*",
    ),
    "cli": ("support", "*", "main"),
}
"""Of packages with packages in them, from the bottom up; the star stands for all others."""
WITHOUT_TORCH = (
    "cli.decompress",
    "cli.info",
    "cli.main",
    "cli.view",
    "codec.api",
    "codec.chunks",
    "codec.colour",
    "codec.entropy",
    "codec.graphics.composition",
    "codec.graphics.index_map",
    "codec.graphics.layer",
    "codec.graphics.mixing",
    "codec.graphics.syntax",
    "codec.image",
    "codec.pillow_plugin",
    "codec.precision.numbers",
    "codec.precision.patches",
    "codec.precision.syntax",
    "codec.registry",
    "codec.streams.links",
    "codec.streams.neural",
    "codec.streams.neural_symbols",
    "codec.streams.precise",
    "codec.streams.segments",
    "codec.streams.tiles",
    "codec.weights",
    "core.arrays.averages",
    "core.arrays.detail_links",
    "core.arrays.domain_pool",
    "core.arrays.interpolation",
    "core.arrays.lapped",
    "core.arrays.octaves",
    "core.copies",
    "core.scales",
    "fractal.contexts",
    "fractal.geometry",
    "fractal.statistics",
    "fractal.symbols",
    "io.metadata",
    "io.modes",
    "io.writing",
    "models.arrays_file",
    "models.compression.checkerboard",
    "models.compression.decoder_model",
    "models.compression.integer_entropy",
    "models.enlargement.detail_network",
    "runtime",
    "viewer.decoder_weights",
    "viewer.page",
    "viewer.text_packing",
)
"""What decodes neural files and graphics layers, all that it imports included."""


def module_name(path: Path) -> str:
    """The dotted name of a file, without that of the package."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def imported(name: str) -> Iterator[str]:
    """The modules of the package that a module imports, wherever it does so."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for full in found:
            inner = full.removeprefix(f"{PACKAGE}.")
            if full.startswith(f"{PACKAGE}."):
                yield inner if inner in MODULES else inner.rpartition(".")[0]


IMPORTS = {name: sorted(set(imported(name)) - {name}) for name in MODULES}


def test_no_module_is_in_a_circle() -> None:
    try:
        TopologicalSorter({n: [i for i in of if i] for n, of in IMPORTS.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"imports go round: {' > '.join(error.args[1])}")


def test_every_package_has_a_tier() -> None:
    tops = {name.partition(".")[0] for name in MODULES} - {""}
    listed = [name for tier in TIERS for name in tier]
    assert sorted(listed) == sorted(tops)


def test_imports_between_packages_go_down() -> None:
    tier_of = {name: number for number, tier in enumerate(TIERS) for name in tier}
    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if name and other
        for own, theirs in [(name.partition(".")[0], other.partition(".")[0])]
        if own != theirs and tier_of[own] <= tier_of[theirs]
    ]
    assert not wrong


@pytest.mark.parametrize("package", PARTS)
def test_imports_between_the_parts_of_a_package_go_down(package: str) -> None:
    order = PARTS[package]

    def rank(name: str) -> int:
        part = name.split(".")[1] if "." in name else "*"
        return order.index(part if part in order else "*")

    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if name.startswith(f"{package}.") and other.startswith(f"{package}.")
        if rank(name) < rank(other)
    ]
    assert not wrong


def imported_at_the_top(name: str) -> set[str]:
    """What a module imports itself when it is imported; of our modules the names within ours."""
    found = {name.rpartition(".")[0]} if name else set()
    for node in ast.parse(MODULES[name].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.partition(".")[0] != PACKAGE:
                found.add(module)
                continue
            for alias in node.names:
                inner = f"{module}.{alias.name}".removeprefix(f"{PACKAGE}.")
                found.add(inner if inner in MODULES else inner.rpartition(".")[0])
    return found


def test_what_must_stay_light_imports_no_numpy_at_the_top() -> None:
    heavy = {"torch", "numpy", "constriction"}
    for name in ("", "moved", "runtime", "codec.ids", "codec.container", "codec.pillow_plugin"):
        assert not [n for n in imported_at_the_top(name) if n.partition(".")[0] in heavy], name


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_what_decodes_needs_no_torch(name: str) -> None:
    reached, waiting = {name: name}, [name]
    while waiting:
        module = waiting.pop()
        for other in sorted(imported_at_the_top(module) - reached.keys()):
            reached[other] = f"{reached[module]} > {other}"
            if other in MODULES:
                waiting.append(other)
    heavy = {"torch", "jaxtyping", "huggingface_hub", "lightning"}  # safetensors.torch, too
    assert not [path for other, path in reached.items() if heavy & set(other.split("."))]


def test_folders_and_files_stay_small() -> None:
    trees = [SOURCE, ROOT / "tests", ROOT / "benchmarks", ROOT / "examples"]
    files = [path for tree in trees for path in tree.rglob("*.py")]
    long = {str(p.relative_to(ROOT)): n for p in files if (n := _lines(p)) > 350}
    assert not long
    folders = {path.parent for path in files}
    modules = {
        str(folder.relative_to(ROOT)): sum(p.name != "__init__.py" for p in folder.glob("*.py"))
        for folder in folders
    }
    assert not {folder: n for folder, n in modules.items() if n > 16}


def test_every_package_says_what_belongs_in_it_and_what_does_not() -> None:
    for path in SOURCE.rglob("*/__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert re.search(r";.* (no|not|nothing)\b|; (no|not|nothing)\b", text.splitlines()[0]), path


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
