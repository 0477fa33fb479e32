"""The studio: a local web application with the codec, the art and the restoration."""

from neural_collage.extras import needs_extra

with needs_extra("studio"):
    import gradio  # noqa: F401
