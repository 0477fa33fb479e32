"""Components that the pages of the studio share."""

from collections.abc import Callable
from pathlib import Path

import gradio

from neural_collage.web.sessions import Sessions


def picture_input(sessions: Sessions, label: str = "Picture") -> gradio.Image:
    """An upload of a picture, unconverted, with its bit depth and alpha."""
    component = gradio.Image(
        type="filepath", label=label, sources=["upload", "clipboard"], image_mode=None
    )
    component.upload(_add_file_to(sessions), component, None, queue=False)
    return component


def file_input(sessions: Sessions, label: str, kinds: list[str]) -> gradio.File:
    """An upload of a file."""
    component = gradio.File(label=label, type="filepath", file_types=kinds)
    component.upload(_add_file_to(sessions), component, None, queue=False)
    return component


def picture_output(label: str) -> gradio.Image:
    """A picture with buttons to save and enlarge it."""
    return gradio.Image(
        label=label,
        type="filepath",
        format="png",
        image_mode=None,
        interactive=False,
        buttons=["download", "fullscreen"],
    )


def comparison(label: str) -> gradio.ImageSlider:
    """Two pictures with a movable line between them."""
    return gradio.ImageSlider(label=label, type="filepath", format="png", image_mode=None)


def start_and_stop(sessions: Sessions, what: str) -> gradio.Button:
    """A button to start a job, which is returned, and one to stop the job of the session."""

    def stop(request: gradio.Request) -> None:
        sessions.stop(request.session_hash or "")

    with gradio.Row():
        start = gradio.Button(what, variant="primary")
        gradio.Button("Stop").click(stop, None, None, queue=False)
    return start


def _add_file_to(sessions: Sessions) -> Callable[[str | None, gradio.Request], None]:
    """A handler of uploads, which are then removed when the session ends, used or not."""

    def add(path: str | None, request: gradio.Request) -> None:
        if path is not None:
            sessions.add_file(request.session_hash or "", Path(path))

    return add


def viewer(token: str) -> str:
    """HTML of a frame with the deep zoom viewer of a scene."""
    return f'<iframe src="/view/{token}" title="Deep zoom viewer"></iframe>'
