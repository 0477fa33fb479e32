"""`collage info`: the header, and what a file is made of."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from neural_collage.codec.container import ModelId, pack_file
from neural_collage.codec.contents import file_contents
from neural_collage.codec.graphics.syntax import write_layer
from neural_collage.codec.precision.steps import level_of_quality
from neural_collage.io.writing import to_pil
from tests.cli.conftest import Photo, Run
from tests.codec.test_contents import PLAIN, layer
from tests.conformance.decode import FOLDER


def shown(collage: Run, path: str) -> dict[str, Any]:
    result = collage("info", path, "--json")
    assert result.exit_code == 0
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def test_the_header_is_shown(collage: Run, photo: Photo, tmp_path: Path) -> None:
    photo("x.png", mode="LA")
    collage("compress", "x.png", "-q", 33, "--effort", 0, "--codec", "neural", "--no-graphics")
    facts = shown(collage, "x.clg")
    size = (tmp_path / "x.clg").stat().st_size
    assert facts == {
        "input": "x.clg",
        "bytes": size,
        "bpp": 8 * size / 96,
        "width": 12,
        "height": 8,
        "mode": "LA",
        "codec": "neural",
        "quality": 33,
        "model": "natural",
        "icc_profile_bytes": 0,
        "exif_bytes": 0,
        "xmp_bytes": 0,
        "payload_bytes": facts["payload_bytes"],
        "base": "neural",
        "copied_percent": 0,
        "painted_percent": 0,
        "base_percent": 100,
        "copies": 0,
        "colours": 0,
        "graphics_bytes": 0,
        "precision_step": None,
        "precision_bytes": None,
    }
    text = collage("info", "x.clg").stdout
    assert "width             12\nheight            8\nmode              LA\nbpp" in text


def test_the_layer_is_shown_without_the_weights_of_the_base(collage: Run, tmp_path: Path) -> None:
    header = replace(
        PLAIN, codec=2, model=ModelId("gone", bytes(8)), graphics=write_layer(layer(), 40)
    )
    (tmp_path / "x.clg").write_bytes(pack_file(header, b"payload"))
    facts = shown(collage, "x.clg")
    assert asdict(file_contents(header)).items() <= facts.items()
    assert (facts["base"], facts["model"], facts["base_percent"]) == ("neural", "gone", 30)
    assert "base percent      30.000\ncopies            2\n" in collage("info", "x.clg").stdout


def test_what_is_owned_by_the_layer_alone_has_no_base(collage: Run, tmp_path: Path) -> None:
    glyph = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5
    to_pil(glyph.float().repeat(3, 8, 8)).save(tmp_path / "x.png")
    assert collage("compress", "x.png").exit_code == 0
    facts = shown(collage, "x.clg")
    assert (facts["base"], facts["model"], facts["payload_bytes"]) == (None, None, 0)
    assert facts["copied_percent"] + facts["painted_percent"] == 100
    text = collage("info", "x.clg").stdout
    assert "base              none\n" in text
    assert "base percent      0.000\n" in text
    assert collage("compress", "x.png", "-o", "y.clg", "--no-graphics").exit_code == 0
    assert shown(collage, "y.clg")["base_percent"] == 100


def test_a_precision_layer_is_shown_with_its_bytes(collage: Run) -> None:
    facts = shown(collage, str(FOLDER / "neural-precise-tiles.clg"))
    assert facts["precision_step"] == pytest.approx(level_of_quality(facts["quality"]), rel=1e-3)
    assert 0 < facts["precision_bytes"] < facts["payload_bytes"]
    small = str(FOLDER / "neural-precise-grey.clg")
    assert shown(collage, small)["precision_bytes"] is None
    assert "precision bytes   in one stream with the base\n" in collage("info", small).stdout


@pytest.mark.parametrize("stream", [b"", b"\x65"], ids=repr)
def test_the_error_of_a_damaged_layer_names_the_file(
    collage: Run, stream: bytes, tmp_path: Path
) -> None:
    (tmp_path / "x.clg").write_bytes(pack_file(replace(PLAIN, graphics=stream), b"payload"))
    result = collage("info", "x.clg")
    assert result.exit_code == 1
    assert result.stderr.startswith("collage: x.clg: the ")
    assert len(result.stderr.splitlines()) == 1
