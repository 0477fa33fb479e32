"""Pages on which pictures are made: of themselves, of others, of nothing."""

from dataclasses import replace
from typing import Literal

import gradio
from gradio.components import Component

from neural_collage.art.fractalize import Tiling, fractalize
from neural_collage.art.learned import learn_fractal, learn_style
from neural_collage.art.movie import movie
from neural_collage.art.samples import (
    GENERATORS,
    draw,
    grid,
    load_generator,
    picture_size,
    pictures,
)
from neural_collage.art.stylize import Style, stylize
from neural_collage.art.zoom import Scene, path
from neural_collage.errors import CheckpointError
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.web.jobs import explained, telling, uploaded
from neural_collage.web.sessions import Sessions
from neural_collage.web.widgets import picture_input, picture_output, start_and_stop, viewer

_SECONDS, _FPS, _DEPTH, _SIDE = 4, 24, 4096, 360  # of movies


def fractalize_page(sessions: Sessions) -> None:
    """A picture made of small copies of itself."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            image = picture_input(sessions)
            tiles = gradio.Slider(4, 128, 64, step=4, label="Tiles across")
            contrast = gradio.Slider(0, 0.9, 0.5, step=0.05, label="Contrast of copies")
            strength = gradio.Slider(0, 1, 1, step=0.05, label="From photo to fractal")
            with gradio.Accordion("More", open=False):
                domains = gradio.Radio([1, 9, 49], value=1, label="What copies show (1: the whole)")
                turned = gradio.Checkbox(label="Turned and mirrored copies")
                adaptive = gradio.Checkbox(label="Larger tiles where it is plain")
                network = gradio.Checkbox(label="By a network (32 tiles, slower)")
            go = start_and_stop(sessions, "Fractalize")
        shown = _outputs(sessions, "Fractal")

    @explained
    def make(
        path: str | None,
        tiles: int,
        contrast: float,
        strength: float,
        domains: int,
        turned: bool,
        adaptive: bool,
        network: bool,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - gradio's way
    ) -> tuple[object, ...]:
        owner = request.session_hash or ""
        file = uploaded(sessions, owner, path)
        told = telling(sessions, owner, progress, "fitting copies")
        if network:
            scene = learn_fractal(
                file,
                32,
                min(contrast, 0.8),
                progress=lambda now: told(now.step, now.steps),
            )
            scene = replace(scene, strength=strength)
        else:
            tiling = Tiling(int(tiles), int(domains), turned, adaptive, contrast, strength)
            scene = fractalize(file, tiling, told)
        return _shown(sessions, owner, scene, f"{file.stem}-fractal.png")

    values = [image, tiles, contrast, strength, domains, turned, adaptive, network]
    go.click(make, values, shown)


def stylize_page(sessions: Sessions) -> None:
    """A picture painted with the patches of another one."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            image = picture_input(sessions)
            style = picture_input(sessions, "Style")
            size = gradio.Radio([4, 8, 16, 32], value=8, label="Pixels across a stroke")
            strength = gradio.Slider(0, 1, 0.5, step=0.05, label="Strength of the style")
            own = gradio.Slider(0, 0.9, 0, step=0.05, label="Weight of its own domains")
            colours = gradio.Radio(["content", "style"], value="content", label="Colours of")
            network = gradio.Checkbox(label="By a network (slower)")
            go = start_and_stop(sessions, "Stylize")
        shown = _outputs(sessions, "Painted")

    @explained
    def make(
        path: str | None,
        style_path: str | None,
        size: int,
        strength: float,
        own: float,
        colours: str,
        network: bool,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - gradio's way
    ) -> tuple[object, ...]:
        owner = request.session_hash or ""
        file = uploaded(sessions, owner, path)
        painted = uploaded(sessions, owner, style_path, "a style")
        told = telling(sessions, owner, progress, "painting")
        if network:
            scene = learn_style(file, painted, progress=lambda now: told(now.step, now.steps))
        else:
            whose: Literal["content", "style"] = "style" if colours == "style" else "content"
            how = Style(int(size), strength=strength, own=own, colours=whose)
            scene = stylize(file, painted, how, told)
        return _shown(sessions, owner, scene, f"{file.stem}-painted.png")

    values = [image, style, size, strength, own, colours, network]
    go.click(make, values, shown)


def samples_page(sessions: Sessions) -> None:
    """Pictures that a generative model draws."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            count = gradio.Slider(1, 100, 36, step=1, label="Samples")
            scale = gradio.Slider(1, 20, 4, step=1, label="Size")
            temperature = gradio.Slider(0.1, 1.2, 0.9, step=0.05, label="Temperature")
            seed = gradio.Number(0, precision=0, label="Seed")
            go = gradio.Button("Draw", variant="primary")
        with gradio.Column(scale=2, min_width=320):
            picture = picture_output("Samples")

    @explained
    def make(count: int, scale: int, temperature: float, seed: int, request: gradio.Request) -> str:
        try:
            model = load_generator(GENERATORS[0])
        except CheckpointError as error:
            raise CheckpointError(f"There are no generative weights here: {error}") from error
        features = draw(model, int(count), float(temperature), int(seed or 0))
        drawn = pictures(model, features, float(scale))
        image = grid(drawn, int(count), picture_size(model, float(scale)))
        return sessions.file(request.session_hash or "", "samples.png", image_bytes(image, ".png"))

    go.click(make, [count, scale, temperature, seed], picture)


def _shown(sessions: Sessions, owner: str, scene: Scene, name: str) -> tuple[object, ...]:
    data = image_bytes(to_pil(scene.decode()), ".png")
    token = sessions.add(owner, scene)
    return sessions.file(owner, name, data), viewer(token), token


def _outputs(sessions: Sessions, label: str) -> list[Component]:
    """Where what `_shown` returns goes: the picture, the viewer, the token; and a movie of it."""
    with gradio.Column(scale=2, min_width=320):
        picture = picture_output(label)
        look = gradio.HTML(elem_classes="viewer")
        film = gradio.Button("Make a movie of a zoom")
        made = gradio.Video(
            label="Zoom", interactive=False, autoplay=True, loop=True, buttons=["download"]
        )
    token = gradio.State("")

    @explained
    def shoot(
        token: str,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - gradio's way
    ) -> str:
        owner = request.session_hash or ""
        told = telling(sessions, owner, progress, "zooming")
        shown = sessions.get(token)
        frames = []
        views = path(shown.scene, None, _DEPTH, _SECONDS * _FPS, (_SIDE, _SIDE))
        for number, view in enumerate(views):
            told(number, len(views))
            frames.append(shown.look(view, _SIDE, _SIDE))
        return sessions.file(owner, "zoom.mp4", movie(frames, ".mp4", _FPS))

    film.click(shoot, token, made)
    return [picture, look, token]
