"""What the pages of the studio are made of."""

from collections.abc import Callable
from pathlib import Path

import gradio

from neural_collage.web.sessions import Sessions


def picture_input(sessions: Sessions, label: str = "Picture") -> gradio.Image:
    """Where a picture is uploaded, as it is: with its depth and its alpha."""
    place = gradio.Image(
        type="filepath", label=label, sources=["upload", "clipboard"], image_mode=None
    )
    place.upload(_remembering(sessions), place, None, queue=False)
    return place


def file_input(sessions: Sessions, label: str, kinds: list[str]) -> gradio.File:
    """Where a file is uploaded."""
    place = gradio.File(label=label, type="filepath", file_types=kinds)
    place.upload(_remembering(sessions), place, None, queue=False)
    return place


def picture_output(label: str) -> gradio.Image:
    """Where a picture is shown, and from where it can be saved."""
    return gradio.Image(
        label=label,
        type="filepath",
        format="png",
        image_mode=None,
        interactive=False,
        buttons=["download", "fullscreen"],
    )


def comparison(label: str) -> gradio.ImageSlider:
    """Two pictures, and a line between them that can be moved."""
    return gradio.ImageSlider(label=label, type="filepath", format="png", image_mode=None)


def start_and_stop(sessions: Sessions, what: str) -> gradio.Button:
    """The button that begins long work, and beside it one that stops what the session works at."""

    def halt(request: gradio.Request) -> None:
        sessions.stop(request.session_hash or "")

    with gradio.Row():
        start = gradio.Button(what, variant="primary")
        gradio.Button("Stop").click(halt, None, None, queue=False)
    return start


def _remembering(sessions: Sessions) -> Callable[[str | None, gradio.Request], None]:
    """Uploads are removed when their session ends, whether they are used or not."""

    def remember(path: str | None, request: gradio.Request) -> None:
        if path is not None:
            sessions.remember(request.session_hash or "", Path(path))

    return remember


def viewer(token: str) -> str:
    """A frame that shows the scene of a token."""
    return f'<iframe src="/view/{token}" title="Deep zoom viewer"></iframe>'
