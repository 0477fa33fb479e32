"""Pages on which pictures become small files, and are looked into."""

import io
from pathlib import Path

import gradio
from PIL import Image

from neural_collage.art.fractalize import Tiling, fractalize
from neural_collage.art.zoom import Scene
from neural_collage.codec import api
from neural_collage.codec.container import SUFFIX
from neural_collage.core.metrics import psnr_of
from neural_collage.errors import CollageError
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.web.jobs import explained, telling, uploaded
from neural_collage.web.sessions import Sessions
from neural_collage.web.widgets import comparison, file_input, picture_input, picture_output, viewer


def compress_page(sessions: Sessions) -> None:
    """Upload, quality, sizes; original and decode beside each other; a JPEG of the same size."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            image = picture_input(sessions)
            quality = gradio.Slider(1, 100, 50, step=1, label="Quality")
            codec = gradio.Radio(["neural", "fractal"], value="neural", label="Codec")
            go = gradio.Button("Compress", variant="primary")
        with gradio.Column(scale=2, min_width=320):
            both = comparison("Original | decoded")
            facts = gradio.Markdown()
            with gradio.Row():
                clg = gradio.DownloadButton("Download .clg", interactive=False)
                png = gradio.DownloadButton("Download PNG", interactive=False)
            jpeg = picture_output("JPEG of the same size")
            look = gradio.HTML(elem_classes="viewer")

    @explained
    def compress(
        path: str | None, quality: int, codec: str, request: gradio.Request
    ) -> tuple[object, ...]:
        owner = request.session_hash or ""
        file = uploaded(sessions, owner, path)
        collage = api.encode(file, codec=codec, quality=int(quality))
        data = collage.to_bytes()
        decoded = collage.to_pil()
        original = read_picture(file)
        rival, rivals_quality = _jpeg_within(to_pil(original.pixels).convert("RGB"), len(data))
        pixels = collage.width * collage.height
        text = (
            f"**{len(data):,} bytes**, {8 * len(data) / pixels:.3f} bits per pixel; the upload has "
            f"{file.stat().st_size:,} bytes. PSNR {_psnr(to_pil(original.pixels), decoded):.2f} dB"
        )
        if rival is None:
            text += "; no JPEG is as small."
        else:
            shown = Image.open(io.BytesIO(rival))
            text += (
                f"; JPEG of {len(rival):,} bytes (quality {rivals_quality}) "
                f"{_psnr(to_pil(original.pixels), shown):.2f} dB."
            )
        stem = file.stem or "picture"
        decoded_png = sessions.file(owner, f"{stem}-decoded.png", image_bytes(decoded, ".png"))
        before = sessions.file(owner, f"{stem}.png", image_bytes(to_pil(original.pixels), ".png"))
        as_jpeg = None if rival is None else sessions.file(owner, f"{stem}-jpeg.jpg", rival)
        token = sessions.add(owner, collage)
        return (
            (before, decoded_png),
            text,
            gradio.DownloadButton(
                value=sessions.file(owner, stem + SUFFIX, data), interactive=True
            ),
            gradio.DownloadButton(value=decoded_png, interactive=True),
            as_jpeg,
            viewer(token),
        )

    go.click(compress, [image, quality, codec], [both, facts, clg, png, jpeg, look])


def zoom_page(sessions: Sessions) -> None:
    """A picture or a .clg file, without end."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            file = file_input(sessions, "Picture or .clg file", ["image", SUFFIX])
            kind = gradio.Radio(
                ["copies of itself", "neural", "fractal"],
                value="copies of itself",
                label="A picture becomes",
            )
            go = gradio.Button("Look", variant="primary")
        with gradio.Column(scale=2, min_width=320):
            look = gradio.HTML(
                "Upload a picture; then plus, minus, the wheel or two fingers zoom.",
                elem_classes="viewer",
            )

    @explained
    def show(
        path: str | None,
        kind: str,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - gradio's way
    ) -> str:
        owner = request.session_hash or ""
        scene: Scene
        if path is not None and Path(path).suffix.lower() == SUFFIX:
            sessions.remember(owner, Path(path))
            try:
                scene = api.load(path)
            except CollageError as error:
                raise CollageError(str(error).replace(path, Path(path).name)) from error
        else:
            picture = uploaded(sessions, owner, path, "a picture or a .clg file")
            told = telling(sessions, owner, progress, "fitting copies")
            if kind == "copies of itself":
                scene = fractalize(picture, Tiling(), told)
            else:
                scene = api.encode(picture, codec=kind, quality=75)
        return viewer(sessions.add(owner, scene))

    go.click(show, [file, kind], look)


def _jpeg_within(image: Image.Image, size: int) -> tuple[bytes | None, int]:
    """The best JPEG of at most so many bytes, and its quality; None if even the worst is larger."""
    best, quality, low, high = None, 0, 1, 96
    while low < high:
        middle = (low + high) // 2
        file = io.BytesIO()
        image.save(file, "JPEG", quality=middle, optimize=True)
        if file.tell() <= size:
            best, quality, low = file.getvalue(), middle, middle + 1
        else:
            high = middle
    return best, quality


def _psnr(first: Image.Image, second: Image.Image) -> float:
    """Of 8-bit colours, in dB."""
    one, two = (read_picture(image.convert("RGB")).pixels for image in (first, second))
    return float(psnr_of((one - two).square().mean().double()))
