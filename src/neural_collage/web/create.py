"""Pages that create pictures: Fractalize, Stylize and Samples."""

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
from neural_collage.web.jobs import checked_upload, report_errors, start_job
from neural_collage.web.sessions import Sessions
from neural_collage.web.widgets import picture_input, picture_output, start_and_stop, viewer

_SECONDS, _FPS, _FACTOR, _SIDE = 4, 24, 4096, 360  # of movies


def fractalize_page(sessions: Sessions) -> None:
    """A picture from small copies of itself."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            image = picture_input(sessions)
            tiles = gradio.Slider(4, 128, 64, step=4, label="Tiles across")
            contrast = gradio.Slider(0, 0.9, 0.5, step=0.05, label="Contrast of copies")
            strength = gradio.Slider(0, 1, 1, step=0.05, label="From photo to fractal")
            with gradio.Accordion("More", open=False):
                domains = gradio.Radio([1, 9, 49], value=1, label="Domains (1: the whole picture)")
                isometries = gradio.Checkbox(label="Rotated and mirrored copies")
                adaptive = gradio.Checkbox(label="Larger tiles in plain areas")
                network = gradio.Checkbox(label="By a network (32 tiles, slower)")
            start = start_and_stop(sessions, "Fractalize")
        outputs = _outputs(sessions, "Fractal")

    @report_errors
    def make(
        path: str | None,
        tiles: int,
        contrast: float,
        strength: float,
        domains: int,
        isometries: bool,
        adaptive: bool,
        network: bool,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - how Gradio passes it
    ) -> tuple[object, ...]:
        owner = request.session_hash or ""
        file = checked_upload(sessions, owner, path)
        report = start_job(sessions, owner, progress, "fitting copies")
        if network:
            scene = learn_fractal(
                file,
                32,
                min(contrast, 0.8),
                progress=lambda fit: report(fit.step, fit.steps),
                isometries=isometries,
            )
            scene = replace(scene, strength=strength)
        else:
            tiling = Tiling(int(tiles), int(domains), isometries, adaptive, contrast, strength)
            scene = fractalize(file, tiling, report)
        return _results(sessions, owner, scene, f"{file.stem}-fractal.png")

    values = [image, tiles, contrast, strength, domains, isometries, adaptive, network]
    start.click(make, values, outputs)


def stylize_page(sessions: Sessions) -> None:
    """A picture from the patches of another one."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            image = picture_input(sessions)
            style = picture_input(sessions, "Style")
            size = gradio.Radio([4, 8, 16, 32], value=8, label="Pixels across a stroke")
            strength = gradio.Slider(0, 1, 0.5, step=0.05, label="Strength of the style")
            own = gradio.Slider(0, 0.9, 0, step=0.05, label="Weight of its own domains")
            colours = gradio.Radio(["content", "style"], value="content", label="Colours of")
            network = gradio.Checkbox(label="By a network (slower)")
            start = start_and_stop(sessions, "Stylize")
        outputs = _outputs(sessions, "Painted")

    @report_errors
    def make(
        path: str | None,
        style_path: str | None,
        size: int,
        strength: float,
        own: float,
        colours: str,
        network: bool,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - how Gradio passes it
    ) -> tuple[object, ...]:
        owner = request.session_hash or ""
        file = checked_upload(sessions, owner, path)
        style_file = checked_upload(sessions, owner, style_path, "a style")
        report = start_job(sessions, owner, progress, "painting")
        if network:
            scene = learn_style(file, style_file, progress=lambda fit: report(fit.step, fit.steps))
        else:
            colours_of: Literal["content", "style"] = "style" if colours == "style" else "content"
            how = Style(int(size), strength=strength, own=own, colours=colours_of)
            scene = stylize(file, style_file, how, report)
        return _results(sessions, owner, scene, f"{file.stem}-painted.png")

    values = [image, style, size, strength, own, colours, network]
    start.click(make, values, outputs)


def samples_page(sessions: Sessions) -> None:
    """Samples of a generative model."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            count = gradio.Slider(1, 100, 36, step=1, label="Samples")
            scale = gradio.Slider(1, 20, 4, step=1, label="Size")
            temperature = gradio.Slider(0.1, 1.2, 0.9, step=0.05, label="Temperature")
            seed = gradio.Number(0, precision=0, label="Seed")
            start = gradio.Button("Draw", variant="primary")
        with gradio.Column(scale=2, min_width=320):
            picture = picture_output("Samples")

    @report_errors
    def make(count: int, scale: int, temperature: float, seed: int, request: gradio.Request) -> str:
        try:
            model = load_generator(GENERATORS[0])
        except CheckpointError as error:
            raise CheckpointError(
                f"The weights of the generative model are missing: {error}"
            ) from error
        features = draw(model, int(count), float(temperature), int(seed or 0))
        samples = pictures(model, features, float(scale))
        image = grid(samples, int(count), picture_size(model, float(scale)))
        return sessions.write_file(
            request.session_hash or "", "samples.png", image_bytes(image, ".png")
        )

    start.click(make, [count, scale, temperature, seed], picture)


def _results(sessions: Sessions, owner: str, scene: Scene, name: str) -> tuple[object, ...]:
    """Values of the components of `_outputs` for a scene."""
    data = image_bytes(to_pil(scene.decode()), ".png")
    token = sessions.add(owner, scene)
    return sessions.write_file(owner, name, data), viewer(token), token


def _outputs(sessions: Sessions, label: str) -> list[Component]:
    """Components for the picture, the viewer and the token of a scene, and for a movie of it."""
    with gradio.Column(scale=2, min_width=320):
        picture = picture_output(label)
        frame = gradio.HTML(elem_classes="viewer")
        make_movie = gradio.Button("Make a movie of a zoom")
        video = gradio.Video(
            label="Zoom", interactive=False, autoplay=True, loop=True, buttons=["download"]
        )
    token = gradio.State("")

    @report_errors
    def zoom_movie(
        token: str,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - how Gradio passes it
    ) -> str:
        owner = request.session_hash or ""
        report = start_job(sessions, owner, progress, "zooming")
        entry = sessions.get(token)
        frames = []
        views = path(entry.scene, None, _FACTOR, _SECONDS * _FPS, (_SIDE, _SIDE))
        for number, view in enumerate(views):
            report(number, len(views))
            frames.append(entry.look(view, _SIDE, _SIDE))
        return sessions.write_file(owner, "zoom.mp4", movie(frames, ".mp4", _FPS))

    make_movie.click(zoom_movie, token, video)
    return [picture, frame, token]
