"""The studio, a local web application; no image processing (`codec`, `art`)."""

from neural_collage.extras import needs_extra

with needs_extra("studio"):
    import fastapi  # noqa: F401
