"""Modules that have moved: their old names go on working, with a warning that says the new one.

Configs and checkpoints of earlier versions name classes by where they were.
"""

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_PACKAGE = "neural_collage"

NEW_NAMES = {
    "codec.files": "io.files",
    "codec.fractal_stream": "codec.streams.fractal",
    "codec.neural_stream": "codec.streams.neural",
    "codec.picture": "io.reading",
    "codec.poli2022_stream": "codec.streams.poli2022",
    "core.errors": "errors",
    "core.extras": "extras",
    "models.autoencoder": "models.autoencoding.autoencoder",
    "models.collage_vae": "models.generation.collage_vae",
    "models.compressor": "models.compression.compressor",
    "models.encoder": "models.autoencoding.range_encoder",
    "models.hierarchical_vae": "models.generation.hierarchical_vae",
    "models.hierarchy_config": "models.generation.hierarchy_config",
    "models.likelihoods": "models.generation.likelihoods",
    "models.mlp": "models.autoencoding.mlp",
    "models.neural_collage": "models.autoencoding.neural_collage",
    "models.operator_config": "models.operator.config",
    "models.vdvae": "models.generation.vdvae",
    "training.autoencoding": "training.tasks.autoencoding",
    "training.compression": "training.tasks.tile_compression",
    "training.experiment": "training.run.experiment",
    "training.generation": "training.tasks.generation",
    "training.optimiser": "training.tasks.optimiser",
    "training.rate_distortion": "training.tasks.compression",
    "training.task": "training.tasks.task",
}
"""Modules that configs, checkpoints, the documentation or error messages have named."""

_NEW_CLASSES = {
    "models.autoencoding.range_encoder": {"Encoder": "RangeEncoder"},
    "models.compression.compressor": {"CodecConfig": "CompressorConfig"},
    "training.tasks.autoencoding": {"Autoencoding": "AutoencodingTask"},
    "training.tasks.compression": {"RateDistortion": "CompressionTask"},
    "training.tasks.generation": {"Generation": "GenerationTask"},
    "training.tasks.tile_compression": {"Compression": "TileCompressionTask"},
}
"""Classes of these modules that have other names now."""


def current_name(path: str) -> str:
    """The dotted name that a class or module has now, given one that it has or had."""
    for old, new in NEW_NAMES.items():
        rest = path.removeprefix(f"{_PACKAGE}.{old}.")
        if rest != path:
            return f"{_PACKAGE}.{new}.{_NEW_CLASSES.get(new, {}).get(rest, rest)}"
    return path


class _MovedLoader(Loader):
    def __init__(self, new: str) -> None:
        self._new = new

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module of the old name with everything that the new one holds."""
        target = importlib.import_module(f"{_PACKAGE}.{self._new}")
        warnings.warn(
            f"{spec.name} has moved to {target.__name__}", DeprecationWarning, stacklevel=2
        )
        module = ModuleType(spec.name, target.__doc__)
        module.__dict__.update(
            {name: value for name, value in vars(target).items() if not name.startswith("__")}
        )
        for old, new in _NEW_CLASSES.get(self._new, {}).items():
            module.__dict__[old] = getattr(target, new)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: the module is complete."""


class _MovedFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, old = fullname.partition(".")
        if package != _PACKAGE or old not in NEW_NAMES:
            return None
        return ModuleSpec(fullname, _MovedLoader(NEW_NAMES[old]))


def install() -> None:
    """Let the old names be imported."""
    if not any(isinstance(finder, _MovedFinder) for finder in sys.meta_path):
        sys.meta_path.append(_MovedFinder())
