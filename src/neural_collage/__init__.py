"""Images as fixed points of contractive maps: compress, decode at any size, make art.

    >>> import neural_collage as nc
    >>> collage = nc.encode("photo.jpg", quality=50)
    >>> nc.save(collage, "photo.clg")
    >>> enlarged = nc.load("photo.clg").decode(scale=4)

Importing this package registers the .clg format with Pillow and is quick: torch is imported with
the first name that needs it.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from neural_collage.codec import pillow_plugin

if TYPE_CHECKING:
    from neural_collage.art.fractalize import Tiling, fractalize
    from neural_collage.art.morph import morph
    from neural_collage.art.movie import movie
    from neural_collage.art.restore import denoise, enlarge, inpaint
    from neural_collage.art.stylize import Style, stylize
    from neural_collage.art.zoom import zoom
    from neural_collage.codec.api import compress, decompress, encode, load, save
    from neural_collage.codec.image import CollageImage
    from neural_collage.core.collage import Collage
    from neural_collage.core.errors import (
        CheckpointError,
        CollageError,
        CollageFormatError,
        ConfigError,
        DataError,
        ImageError,
        MissingExtraError,
        NotContractiveError,
        NotConvergedError,
        OutputError,
        TrainingError,
    )
    from neural_collage.models.neural_collage import NeuralCollage
    from neural_collage.models.operator import CollageOperator
    from neural_collage.models.operator_config import OperatorConfig

__version__ = version("neural-collage")

__all__ = [
    "CheckpointError",
    "Collage",
    "CollageError",
    "CollageFormatError",
    "CollageImage",
    "CollageOperator",
    "ConfigError",
    "DataError",
    "ImageError",
    "MissingExtraError",
    "NeuralCollage",
    "NotContractiveError",
    "NotConvergedError",
    "OperatorConfig",
    "OutputError",
    "Style",
    "Tiling",
    "TrainingError",
    "compress",
    "decompress",
    "denoise",
    "encode",
    "enlarge",
    "fractalize",
    "inpaint",
    "load",
    "morph",
    "movie",
    "save",
    "stylize",
    "zoom",
]

_HOME = {
    "neural_collage.art.fractalize": ("Tiling", "fractalize"),
    "neural_collage.art.morph": ("morph",),
    "neural_collage.art.movie": ("movie",),
    "neural_collage.art.restore": ("denoise", "enlarge", "inpaint"),
    "neural_collage.art.stylize": ("Style", "stylize"),
    "neural_collage.art.zoom": ("zoom",),
    "neural_collage.codec.api": ("compress", "decompress", "encode", "load", "save"),
    "neural_collage.codec.image": ("CollageImage",),
    "neural_collage.core.collage": ("Collage",),
    "neural_collage.models.neural_collage": ("NeuralCollage",),
    "neural_collage.models.operator": ("CollageOperator",),
    "neural_collage.models.operator_config": ("OperatorConfig",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562); the errors are the default home."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_MODULE_OF.get(name, "neural_collage.core.errors"))
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


pillow_plugin.register()
