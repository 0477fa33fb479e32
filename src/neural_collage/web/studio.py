"""The pages of the studio, one for each thing that a visitor can do."""

import gradio

from neural_collage.web import compress as pressing
from neural_collage.web import create as creating
from neural_collage.web import restore as restoring
from neural_collage.web.sessions import Sessions

STYLE = """
.gradio-container { max-width: 1100px !important; margin: auto; }
.viewer iframe { width: 100%; height: min(70vh, 640px); border: 0; border-radius: 8px; }
:focus-visible { outline: 2px solid var(--primary-500) !important; outline-offset: 2px; }
"""
_INTRO = """# Collage studio
A picture as the one image that a map of it to itself leaves alone: small to keep, and there at any
size. Everything happens on this machine; what you upload is gone when you close the page."""


def make_theme() -> gradio.Theme:
    """Fonts of the machine, light and dark as the machine is."""
    return gradio.themes.Soft(
        primary_hue="orange",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def make_pages(sessions: Sessions) -> gradio.Blocks:
    """All pages; what they make belongs to the session of the visitor."""
    pages: gradio.Blocks = gradio.Blocks(
        title="Collage studio", analytics_enabled=False, delete_cache=(600, 3600)
    )
    with pages:
        gradio.Markdown(_INTRO)
        with gradio.Tabs():
            with gradio.Tab("Compress", id="compress"):
                pressing.compress_page(sessions)
            with gradio.Tab("Zoom", id="zoom"):
                pressing.zoom_page(sessions)
            with gradio.Tab("Fractalize", id="fractalize"):
                creating.fractalize_page(sessions)
            with gradio.Tab("Stylize", id="stylize"):
                creating.stylize_page(sessions)
            with gradio.Tab("Restore", id="restore"):
                restoring.restore_page(sessions)
            with gradio.Tab("Samples", id="samples"):
                creating.samples_page(sessions)

        def goodbye(request: gradio.Request) -> None:
            sessions.end(request.session_hash or "")

        pages.unload(goodbye)
    return pages
