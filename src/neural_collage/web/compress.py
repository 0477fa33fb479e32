"""The Compress page, and the Zoom page for a picture or a .clg file."""

import io
from pathlib import Path

import gradio
from PIL import Image

from neural_collage.art.fractalize import Tiling, fractalize
from neural_collage.art.zoom import Scene
from neural_collage.codec import api
from neural_collage.codec.container import SUFFIX
from neural_collage.errors import CollageError
from neural_collage.evaluation.metrics import psnr, rgb_samples
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.web.jobs import checked_upload, report_errors, start_job
from neural_collage.web.sessions import Sessions
from neural_collage.web.widgets import comparison, file_input, picture_input, picture_output, viewer


def compress_page(sessions: Sessions) -> None:
    """Upload, quality and codec; original and decoded picture, and a JPEG of the same size."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            image = picture_input(sessions)
            quality = gradio.Slider(1, 100, 50, step=1, label="Quality")
            codec = gradio.Radio(["auto", "neural", "fractal"], value="auto", label="Codec")
            start = gradio.Button("Compress", variant="primary")
        with gradio.Column(scale=2, min_width=320):
            original_decoded = comparison("Original | decoded")
            summary = gradio.Markdown()
            with gradio.Row():
                clg = gradio.DownloadButton("Download .clg", interactive=False)
                png = gradio.DownloadButton("Download PNG", interactive=False)
            jpeg = picture_output("JPEG of the same size")
            frame = gradio.HTML(elem_classes="viewer")

    @report_errors
    def compress(
        path: str | None, quality: int, codec: str, request: gradio.Request
    ) -> tuple[object, ...]:
        owner = request.session_hash or ""
        file = checked_upload(sessions, owner, path)
        collage = api.encode(file, codec=codec, quality=int(quality))
        data = collage.to_bytes()
        decoded = collage.to_pil()
        original = to_pil(read_picture(file).pixels)
        jpeg_data, jpeg_quality = _jpeg_within(original.convert("RGB"), len(data))
        pixels = collage.width * collage.height
        samples = rgb_samples(original)
        text = (
            f"**{len(data):,} bytes**, {8 * len(data) / pixels:.3f} bits per pixel; the upload has "
            f"{file.stat().st_size:,} bytes. PSNR {psnr(samples, rgb_samples(decoded)):.2f} dB"
        )
        if jpeg_data is None:
            text += "; no JPEG is as small."
        else:
            decoded_jpeg = Image.open(io.BytesIO(jpeg_data))
            text += (
                f"; JPEG of {len(jpeg_data):,} bytes (quality {jpeg_quality}) "
                f"{psnr(samples, rgb_samples(decoded_jpeg)):.2f} dB."
            )
        stem = file.stem or "picture"
        before, after = (
            sessions.write_file(owner, name, image_bytes(shown, ".png"))
            for name, shown in ((f"{stem}.png", original), (f"{stem}-decoded.png", decoded))
        )
        jpeg_file = (
            None if jpeg_data is None else sessions.write_file(owner, f"{stem}-jpeg.jpg", jpeg_data)
        )
        token = sessions.add(owner, collage)
        return (
            (before, after),
            text,
            gradio.DownloadButton(
                value=sessions.write_file(owner, stem + SUFFIX, data), interactive=True
            ),
            gradio.DownloadButton(value=after, interactive=True),
            jpeg_file,
            viewer(token),
        )

    outputs = [original_decoded, summary, clg, png, jpeg, frame]
    start.click(compress, [image, quality, codec], outputs)


def zoom_page(sessions: Sessions) -> None:
    """Deep zoom into a picture or a .clg file."""
    with gradio.Row():
        with gradio.Column(scale=1, min_width=280):
            file = file_input(sessions, "Picture or .clg file", ["image", SUFFIX])
            kind = gradio.Radio(
                ["copies of itself", "neural", "fractal"],
                value="copies of itself",
                label="A picture becomes",
            )
            start = gradio.Button("Look", variant="primary")
        with gradio.Column(scale=2, min_width=320):
            frame = gradio.HTML(
                "Upload a picture, then zoom with plus, minus, the wheel or two fingers.",
                elem_classes="viewer",
            )

    @report_errors
    def show(
        path: str | None,
        kind: str,
        request: gradio.Request,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - how Gradio passes it
    ) -> str:
        owner = request.session_hash or ""
        scene: Scene
        if path is not None and Path(path).suffix.lower() == SUFFIX:
            sessions.add_file(owner, Path(path))
            try:
                scene = api.load(path)
            except CollageError as error:
                raise CollageError(str(error).replace(path, Path(path).name)) from error
        else:
            picture = checked_upload(sessions, owner, path, "a picture or a .clg file")
            report = start_job(sessions, owner, progress, "fitting copies")
            if kind == "copies of itself":
                scene = fractalize(picture, Tiling(), report)
            else:
                scene = api.encode(picture, codec=kind, quality=75, graphics=False)
        return viewer(sessions.add(owner, scene))

    start.click(show, [file, kind], frame)


def _jpeg_within(image: Image.Image, size: int) -> tuple[bytes | None, int]:
    """The best JPEG of at most `size` bytes and its quality; None if the smallest is larger."""
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
