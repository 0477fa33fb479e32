"""`collage info`: the header of a .clg file, and what it is made of."""

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from neural_collage.cli.support import options


def info(
    file: Annotated[Path, typer.Argument(help="A .clg file.", show_default=False)],
    json: options.Json = False,
) -> None:
    """Show the header of a .clg file and what it is made of, after checking it for damage.

    Shares of pixels: copied and painted ranges of the graphics layer, and what they leave to the
    base.
    """
    from neural_collage.codec.container import read_collage_file, unpack_file
    from neural_collage.codec.contents import file_contents
    from neural_collage.codec.ids import codec_name
    from neural_collage.errors import CollageFormatError

    data = read_collage_file(file)
    try:
        header, payload = unpack_file(data)
        contents = file_contents(header)
    except CollageFormatError as error:
        raise CollageFormatError(f"{file}: {error}") from error
    facts: dict[str, Any] = {
        "input": str(file),
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
    if json:
        typer.echo(json_format.dumps(facts))
        return
    for name, value in facts.items():
        text = f"{value:.3f}" if isinstance(value, float) else value
        typer.echo(f"{name.replace('_', ' '):18}{'none' if text is None else text}")
