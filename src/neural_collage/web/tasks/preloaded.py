"""Imports and loads what all tasks need, so that the first one does not wait.

Workers are forked from a process that has imported this module. One thread computes here: those of
a pool would be missing after a fork.
"""

import importlib

from PIL import Image

from neural_collage.runtime import use_threads
from neural_collage.web.tasks.encoding import warm_up

for _module in ("reading", "images", "scenes", "art", "restoring", "drawing"):
    importlib.import_module(f"neural_collage.web.tasks.{_module}")
Image.init()
use_threads(1)
warm_up()
