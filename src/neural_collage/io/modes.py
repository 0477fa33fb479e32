"""The channel modes of pictures, with Pillow's names: grey or colour, with or without alpha."""

from typing import Literal

Mode = Literal["L", "LA", "RGB", "RGBA"]

MODE_OF_CHANNELS: dict[int, Mode] = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
