"""The modes of pictures, with Pillow's names, and the endings of their files."""

from typing import Literal

Mode = Literal["L", "LA", "RGB", "RGBA"]

MODE_OF_CHANNELS: dict[int, Mode] = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".avif", ".jp2"),
    *(".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm"),
)
"""What counts as a picture in a folder; a file that is named is tried whatever it is called."""
READ_SUFFIXES = (
    *PICTURE_SUFFIXES,
    *(".heic", ".heif", ".jxl", ".jfif", ".jpe", ".pbm", ".pnm", ".tga"),
)
"""What `collage compress` looks for in a folder: some is read, with a plugin, but not written."""
