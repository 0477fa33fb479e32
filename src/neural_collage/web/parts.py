"""What the pages of the studio are made of."""

import gradio


def picture_input(label: str = "Picture") -> gradio.Image:
    """Where a picture is uploaded, as it is: with its depth and its alpha."""
    return gradio.Image(
        type="filepath", label=label, sources=["upload", "clipboard"], image_mode=None
    )


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


def start_and_stop(what: str) -> tuple[gradio.Button, gradio.Button]:
    """Buttons that begin long work, and end it."""
    with gradio.Row():
        return gradio.Button(what, variant="primary"), gradio.Button("Stop")


def viewer(token: str) -> str:
    """A frame that shows the scene of a token."""
    return f'<iframe src="/view/{token}" title="Deep zoom viewer"></iframe>'
