"""Images as fixed points of contractive maps: compress, decode at any size, make art.

    >>> import neural_collage as nc
    >>> collage = nc.encode("photo.jpg", quality=50)
    >>> nc.save(collage, "photo.clg")
    >>> enlarged = nc.load("photo.clg").decode(scale=4)

Importing this package registers the .clg format with Pillow and is quick: torch is imported with
the first name that needs it, and decoding does not. The public names, and where they are, stand in
`__init__.pyi`.
"""

from typing import Any

import lazy_loader

from neural_collage import moved
from neural_collage.codec import pillow_plugin
from neural_collage.extras import needs_extra

_find, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # a fifth of what importing this package takes

        return version("neural-collage")
    with needs_extra("encode"):
        return _find(name)


moved.install()
pillow_plugin.register()
