"""Training of models, and export of the weights that the package ships; no architectures."""

from neural_collage.extras import needs_extra

with needs_extra("train"):
    import jsonargparse  # noqa: F401
    import lightning  # noqa: F401
