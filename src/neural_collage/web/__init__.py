"""The studio: the library in a browser, on this machine alone."""

from neural_collage.extras import needs_extra

with needs_extra("studio"):
    import gradio  # noqa: F401
