"""The page on which pictures are filled, cleaned, morphed and enlarged."""

from pathlib import Path

import gradio
import torch

from neural_collage.art import restore
from neural_collage.art.colours import luma, read_colours
from neural_collage.art.morph import fractal_pair, morph
from neural_collage.errors import ImageError
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.web.jobs import explained, telling, uploaded
from neural_collage.web.sessions import Sessions
from neural_collage.web.widgets import comparison, picture_input, start_and_stop

_KINDS = ("Fill what I paint over", "Take noise away", "Enlarge", "Morph into another picture")


def restore_page(sessions: Sessions) -> None:
    """One picture in, a restored one out, beside what it was."""
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
                0, 100, 0, step=1, label="Noise in levels (0: estimate it)", visible=False
            )
            scale = gradio.Slider(1, 8, 2, step=0.5, label="Enlarge by", visible=False)
            with gradio.Group(visible=False) as pair:
                other = picture_input(sessions, "Other picture")
                share = gradio.Slider(0, 1, 0.5, step=0.05, label="How far towards it")
            go = start_and_stop(sessions, "Restore")
        with gradio.Column(scale=2, min_width=320):
            both = comparison("Before | after")
            facts = gradio.Markdown()

    def choose(kind: str) -> list[gradio.Slider | gradio.Group]:
        return [
            gradio.Slider(visible=kind == _KINDS[1]),
            gradio.Slider(visible=kind == _KINDS[2]),
            gradio.Group(visible=kind == _KINDS[3]),
        ]

    kind.change(choose, kind, [noise, scale, pair], queue=False, show_progress="hidden")

    @explained
    def make(
        edited: dict[str, object] | None,
        kind: str,
        noise: float,
        scale: float,
        other: str | None,
        share: float,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - gradio's way
    ) -> tuple[object, ...]:
        owner = request.session_hash or ""
        for path in _files(edited or {}):
            sessions.remember(owner, path)
        background = (edited or {}).get("background")
        file = uploaded(sessions, owner, background if isinstance(background, str) else None)
        told = telling(sessions, owner, progress, "restoring")
        pixels = read_colours(file)
        text = ""
        if kind == _KINDS[0]:
            result = restore.inpaint(file, _painted(edited or {}, pixels), told)
        elif kind == _KINDS[1]:
            result = restore.denoise(file, noise / 255 if noise else None, told)
        elif kind == _KINDS[2]:
            result = restore.enlarge(file, scale)
            text = f"{result.shape[2]} x {result.shape[1]} pixels"
        else:
            codes = fractal_pair(file, uploaded(sessions, owner, other, "the other picture"))
            told(1, 2)
            result = morph(*codes, float(share))
        before, after = (
            sessions.file(owner, f"{name}.png", image_bytes(to_pil(shown), ".png"))
            for name, shown in (("before", pixels), ("after", result))
        )
        return (before, after), text

    go.click(make, [image, kind, noise, scale, other, share], [both, facts])


def _files(edited: dict[str, object]) -> list[Path]:
    """What an editor sends: the picture, its layers and both together."""
    layers = edited.get("layers")
    parts = [edited.get("background"), edited.get("composite")]
    parts += layers if isinstance(layers, list) else []
    return [Path(part) for part in parts if isinstance(part, str)]


def _painted(edited: dict[str, object], pixels: torch.Tensor) -> torch.Tensor:
    """Where an editor's layers cover the picture."""
    unknown = torch.zeros(pixels.shape[1:], dtype=torch.bool)
    layers = edited.get("layers")
    for layer in layers if isinstance(layers, list) else []:
        drawn = read_picture(Path(str(layer))).pixels
        covers = drawn[-1] > 0.1 if len(drawn) in (2, 4) else luma(drawn) > 0
        if covers.shape == unknown.shape:
            unknown |= covers
    if not bool(unknown.any()):
        raise ImageError("Paint over what is to be filled first.")
    return unknown[None].float()
