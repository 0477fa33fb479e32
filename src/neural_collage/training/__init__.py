"""Training of models, and export of the weights and tables that the package ships."""

from neural_collage.extras import needs_extra

with needs_extra("train"):
    import jsonargparse  # noqa: F401
    import lightning  # noqa: F401
