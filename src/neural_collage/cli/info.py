"""`collage info`: the headers of .clg files, and what they are made of."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from neural_collage.cli.support import options


def info(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help=".clg files; - for standard input.", show_default=False
        ),
    ],
    json: options.Json = False,
) -> None:
    """Show the headers of .clg files and what they are made of, after checking them for damage.

    Shares of pixels: copied and painted ranges of the graphics layer, and what they leave to the
    base.

    collage info photo.clg holiday/*.clg --json
    """
    from neural_collage.cli.support.reports import Reports
    from neural_collage.cli.support.streams import INPUT, STANDARD

    reports = Reports(as_json=json, debug=ctx.obj)
    failed = False
    gap = ""
    for file in dict.fromkeys(files):
        try:
            facts = _facts(file)
        except Exception as error:
            reports.failure(file, INPUT if file == STANDARD else file, error)
            failed = True
        else:
            reports.result(facts, gap + _text(facts))
            gap = "\n"
    if failed:
        raise typer.Exit(1)


def _facts(file: str) -> dict[str, Any]:
    """What the keys of the JSON object say about a file."""
    from pathlib import Path

    from neural_collage.cli.support.streams import STANDARD, standard_input
    from neural_collage.codec.container import read_collage, read_collage_file, unpack_file
    from neural_collage.codec.contents import file_contents
    from neural_collage.codec.ids import codec_name

    is_stream = file == STANDARD
    data = read_collage(standard_input()) if is_stream else read_collage_file(Path(file))
    header, payload = unpack_file(data)
    contents = file_contents(header, payload)
    return {
        "input": file,
        "bytes": len(data),
        "width": header.width,
        "height": header.height,
        "mode": header.mode,
        "bpp": 8 * len(data) / (header.width * header.height),
        "codec": codec_name(header.codec),
        "quality": header.quality,
        "model": None if header.model is None else header.model.name,
        "icc_profile_bytes": len(header.icc_profile or b""),
        "exif_bytes": len(header.metadata.exif or b""),
        "xmp_bytes": len(header.metadata.xmp or b""),
        "payload_bytes": len(payload),
        **asdict(contents),
    }


def _text(facts: dict[str, Any]) -> str:
    """The facts as lines of a table."""
    lines = []
    for name, value in facts.items():
        text = f"{value:.3f}" if isinstance(value, float) else value
        if name == "precision_bytes" and value is None and facts["precision_step"] is not None:
            text = "in one stream with the base"
        lines.append(f"{name.replace('_', ' '):18}{'none' if text is None else text}")
    return "\n".join(lines)
