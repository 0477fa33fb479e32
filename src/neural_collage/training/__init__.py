"""Fitting what ships with the library to data."""

from neural_collage.extras import needs_extra

with needs_extra("train"):
    import jsonargparse  # noqa: F401
    import lightning  # noqa: F401
