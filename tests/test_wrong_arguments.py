"""Arguments of wrong types, in processes without the type checks that the tests install."""

import json
import re
import subprocess
import sys

import pytest

PROGRAM = """
import io, json, sys, numpy as np, torch, neural_collage as nc
photo = torch.rand(3, 16, 16)
config = nc.OperatorConfig(image_size=(16, 16))
operator = nc.CollageOperator(config)
weights, bias = torch.zeros(1, *config.weights_shape), torch.zeros(1, *config.bias_shape)
shown = []
for call in json.load(sys.stdin):
    try:
        shown.append(str(eval(call)))
    except (nc.CollageError, TypeError, ValueError) as error:
        shown.append(f"{type(error).__name__} {error}")
print(json.dumps(shown))
"""
REFUSED = {
    "nc.encode(None)": "ImageError expected a path, .*, not NoneType",
    "nc.encode([[0, 1]])": "ImageError expected a path, .*, not list",
    "nc.encode(io.StringIO('text'))": "ImageError the file: gives str: .* 'rb'",
    "nc.encode(b'')": "ImageError the picture: the file is empty",
    "nc.encode(photo, quality='high')": "CollageError quality must be a whole number",
    "nc.encode(photo, quality=True)": "CollageError quality must be a whole number",
    "nc.encode(photo, device='meta')": "CollageError device 'meta' cannot be used",
    "nc.encode(photo).decode('big')": "ScaleError scale must be a positive number, not 'big'",
    "nc.encode(photo).decode(None)": "ScaleError scale must be a positive number, not None",
    "nc.encode(photo).decode(1e6)": "ScaleError .* pixels are above the limit of",
    "nc.encode(photo).decode(1, (0, 0, 5))": r"ScaleError a region is \(x, y, width, height\)",
    "nc.OperatorConfig(mixing='softmx')": "ValueError mixing must be one of bounded, softmax, free",
    "nc.OperatorConfig(patches='lerned')": "ValueError patches must be one of learned, given",
    "nc.OperatorConfig(enlarge='smoth')": "ValueError enlarge must be one of cosine, smooth",
    "nc.OperatorConfig(isometries='rotation')": "ValueError isometries must be one of identity",
    "nc.OperatorConfig(image_size=64)": "ValueError image_size must be two whole numbers, not 64",
    "nc.OperatorConfig(domain_sizes=16)": "ValueError domain_sizes must be whole numbers, not 16",
    "operator(weights.numpy(), bias)": "TypeError weights must be a tensor, not ndarray",
    "operator(weights[0], bias[0])": "ValueError bias must have 3 dimensions, not 2: add a batch",
}
ACCEPTED = {
    "nc.encode(photo, quality=np.int64(50)).decode(np.float32(2)).shape[1:]": "[32, 32]",
    "nc.decompress(bytearray(nc.compress(photo)), scale=np.int64(3)).shape[1:]": "[48, 48]",
}


def run(program: str, given: str = "") -> str:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_wrong_arguments_are_named_and_numbers_of_numpy_are_numbers() -> None:
    expected = REFUSED | {call: re.escape(f"torch.Size({size})") for call, size in ACCEPTED.items()}
    shown = dict(zip(expected, json.loads(run(PROGRAM, json.dumps(list(expected)))), strict=True))
    wrong = {call: shown[call] for call in expected if not re.match(expected[call], shown[call])}
    assert not wrong


SAME_BYTES = """
import hashlib, torch, neural_collage as nc
noise = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
photos = noise[:, :16, :19], noise[:, :50, :70], noise.lerp(noise.mean((1, 2), keepdim=True), 0.9)
{setting}
for codec in ("neural", "fractal", "poli2022"):
    for photo in photos:
        data = nc.compress(photo, codec=codec)
        print(codec, hashlib.sha256(data).hexdigest())
        for scale in (0.5, 1, 1.5, 3):
            pixels = nc.decompress(data, scale=scale, region=(1, 2, 5, 6))
            whole = nc.decompress(data, scale=scale)
            print(*(hashlib.sha256(x.numpy().tobytes()).hexdigest() for x in (pixels, whole)))
            assert pixels.dtype == whole.dtype == torch.float32
"""


@pytest.mark.parametrize(
    "setting",
    [
        "torch.set_default_dtype(torch.float64)",
        "torch.autocast('cpu', torch.bfloat16).__enter__()",
    ],
)
def test_the_defaults_of_torch_change_neither_bytes_nor_pixels(setting: str) -> None:
    usual = run(SAME_BYTES.format(setting=""))
    assert len(usual.splitlines()) == 3 * 3 * 5
    assert run(SAME_BYTES.format(setting=setting)) == usual
