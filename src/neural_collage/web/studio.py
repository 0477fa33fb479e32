"""The pages of the studio, their style and theme."""

import gradio

from neural_collage.web import compress, create, restore
from neural_collage.web.sessions import Sessions

STYLE = """
.gradio-container { max-width: 1100px !important; margin: auto; }
.viewer iframe { width: 100%; height: min(70vh, 640px); border: 0; border-radius: 8px; }
:focus-visible { outline: 2px solid var(--primary-500) !important; outline-offset: 2px; }
"""
_INTRO = """# Collage studio
Pictures stored as fixed points of contractive maps: small files, decoded at any size. Everything
is computed on this machine; your uploads are deleted when you close the page."""


def make_theme() -> gradio.Theme:
    """System fonts; light or dark as the system is."""
    return gradio.themes.Soft(
        primary_hue="orange",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def make_pages(sessions: Sessions) -> gradio.Blocks:
    """All pages; their scenes and files belong to the session of the visitor."""
    pages: gradio.Blocks = gradio.Blocks(
        title="Collage studio", analytics_enabled=False, delete_cache=(600, 3600)
    )
    with pages:
        gradio.Markdown(_INTRO)
        with gradio.Tabs():
            with gradio.Tab("Compress", id="compress"):
                compress.compress_page(sessions)
            with gradio.Tab("Zoom", id="zoom"):
                compress.zoom_page(sessions)
            with gradio.Tab("Fractalize", id="fractalize"):
                create.fractalize_page(sessions)
            with gradio.Tab("Stylize", id="stylize"):
                create.stylize_page(sessions)
            with gradio.Tab("Restore", id="restore"):
                restore.restore_page(sessions)
            with gradio.Tab("Samples", id="samples"):
                create.samples_page(sessions)

        def end_session(request: gradio.Request) -> None:
            sessions.end(request.session_hash or "")

        pages.unload(end_session)
    return pages
