"""Imports and loads what all tasks need, in the process from which workers are forked.

One thread computes here: those of a pool would be missing after a fork.
"""

from neural_collage.runtime import use_threads
from neural_collage.web.tasks.worker import warm_up

use_threads(1)
warm_up()
