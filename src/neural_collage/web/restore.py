"""The page for inpainting, denoising, enlarging and morphing."""

from pathlib import Path

import gradio
import torch

from neural_collage.art import restore
from neural_collage.art.colours import luma, read_colours
from neural_collage.art.morph import fractal_pair, morph
from neural_collage.errors import ImageError
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.web.jobs import checked_upload, report_errors, start_job
from neural_collage.web.sessions import Sessions
from neural_collage.web.widgets import comparison, picture_input, start_and_stop

_KINDS = ("Fill painted areas", "Remove noise", "Enlarge", "Morph into another picture")


def restore_page(sessions: Sessions) -> None:
    """An editor for the picture, the operation and its options; the picture before and after."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            image = gradio.ImageEditor(
                type="filepath",
                format="png",
                label="Picture",
                sources=["upload", "clipboard"],
                brush=gradio.Brush(colors=["#ff2020"], color_mode="fixed"),
                layers=False,
                transforms=(),
                buttons=["fullscreen"],
            )
            kind = gradio.Radio(list(_KINDS), value=_KINDS[0], label="What to do")
            noise = gradio.Slider(
                0, 100, 0, step=1, label="Noise in grey levels (0: estimate it)", visible=False
            )
            scale = gradio.Slider(1, 8, 2, step=0.5, label="Enlarge by", visible=False)
            with gradio.Group(visible=False) as pair:
                other = picture_input(sessions, "Other picture")
                share = gradio.Slider(0, 1, 0.5, step=0.05, label="Weight of the other picture")
            start = start_and_stop(sessions, "Restore")
        with gradio.Column(scale=2, min_width=320):
            before_after = comparison("Before | after")
            size = gradio.Markdown()

    def choose(kind: str) -> list[gradio.Slider | gradio.Group]:
        return [
            gradio.Slider(visible=kind == _KINDS[1]),
            gradio.Slider(visible=kind == _KINDS[2]),
            gradio.Group(visible=kind == _KINDS[3]),
        ]

    kind.change(choose, kind, [noise, scale, pair], queue=False, show_progress="hidden")

    @report_errors
    def make(
        edited: dict[str, object] | None,
        kind: str,
        noise: float,
        scale: float,
        other: str | None,
        share: float,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - how Gradio passes it
    ) -> tuple[object, ...]:
        owner = request.session_hash or ""
        for path in _files(edited or {}):
            sessions.add_file(owner, path)
        background = (edited or {}).get("background")
        file = checked_upload(sessions, owner, background if isinstance(background, str) else None)
        report = start_job(sessions, owner, progress, "restoring")
        pixels = read_colours(file)
        text = ""
        if kind == _KINDS[0]:
            result = restore.inpaint(file, _mask(edited or {}, pixels), report)
        elif kind == _KINDS[1]:
            result = restore.denoise(file, noise / 255 if noise else None, report)
        elif kind == _KINDS[2]:
            result = restore.enlarge(file, scale)
            text = f"{result.shape[2]} x {result.shape[1]} pixels"
        else:
            collages = fractal_pair(
                file, checked_upload(sessions, owner, other, "the other picture")
            )
            report(1, 2)
            result = morph(*collages, float(share))
        before, after = (
            sessions.write_file(owner, f"{name}.png", image_bytes(to_pil(each), ".png"))
            for name, each in (("before", pixels), ("after", result))
        )
        return (before, after), text

    start.click(make, [image, kind, noise, scale, other, share], [before_after, size])


def _files(edited: dict[str, object]) -> list[Path]:
    """The files of an editor's value: the picture, its layers and their composite."""
    layers = edited.get("layers")
    parts = [edited.get("background"), edited.get("composite")]
    parts += layers if isinstance(layers, list) else []
    return [Path(part) for part in parts if isinstance(part, str)]


def _mask(edited: dict[str, object], pixels: torch.Tensor) -> torch.Tensor:
    """The mask (1, h, w) of the pixels that an editor's layers cover."""
    unknown = torch.zeros(pixels.shape[1:], dtype=torch.bool)
    layers = edited.get("layers")
    for layer in layers if isinstance(layers, list) else []:
        layer_pixels = read_picture(Path(str(layer))).pixels
        has_alpha = len(layer_pixels) in (2, 4)
        covered = layer_pixels[-1] > 0.1 if has_alpha else luma(layer_pixels) > 0
        if covered.shape == unknown.shape:
            unknown |= covered
    if not bool(unknown.any()):
        raise ImageError("Paint over the part to be filled first.")
    return unknown[None].float()
