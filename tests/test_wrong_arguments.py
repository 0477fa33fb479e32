"""Arguments of wrong types, in processes without the type checks that the tests install."""

import json
import re
import subprocess
import sys

import pytest

PROGRAM = """
import io, json, sys, numpy as np, torch, neural_collage as nc
from neural_collage.art.fractalize import Tiling
from neural_collage.core.fixed_point import fixed_point
from neural_collage.models.compression.compressor import CompressorConfig
from neural_collage.models.compression.quantisers import make_quantiser
from neural_collage.models.generation.likelihoods import LikelihoodConfig
from neural_collage.training.callbacks.checkpoints import Checkpoints
from neural_collage.training.data_modules import ImageData
photo = torch.rand(3, 16, 16)
config = nc.OperatorConfig(image_size=(16, 16))
operator = nc.CollageOperator(config)
model = nc.NeuralCollage(config)
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
    "nc.encode(photo, size='1kB')": "CollageError size must be a whole number of bytes, .*'1kB'",
    "nc.encode(photo, size=1.5)": "CollageError size must be a whole number of bytes",
    "nc.encode(photo, psnr='high')": "CollageError psnr must be a number of dB above 0, not 'high'",
    "nc.encode(photo, device=None)": "CollageError device None cannot be used",
    "nc.encode(photo, model=3)": "CheckpointError a model is a name or a path of weights, not 3",
    "nc.encode(photo, codec=[])": r"CollageError unknown codec \[\]: choose one of auto,",
    "nc.encode(photo.to_sparse())": "ImageError the tensor: expected a dense tensor .* sparse_coo",
    "nc.decompress(None)": r"TypeError expected the bytes of a \.clg file, not NoneType:",
    "nc.decompress('a.clg')": r"TypeError expected the bytes of a \.clg file, not str: .*nc\.load",
    "nc.decompress(io.BytesIO())": r"TypeError expected the bytes of a \.clg file, not BytesIO",
    "nc.decompress(5)": r"TypeError expected the bytes of a \.clg file, not int",
    "nc.decompress(5, partial=True)": r"TypeError expected the bytes of a \.clg file, not int",
    "nc.decompress('a.clg', partial=True)": r"TypeError expected the bytes of a \.clg .*nc\.load",
    "nc.encode(photo, device='meta')": "CollageError device 'meta' cannot be used",
    "nc.encode(photo).decode('big')": "ScaleError scale must be a positive number, not 'big'",
    "nc.encode(photo).decode('2')": "ScaleError scale must be a positive number, not '2'",
    "nc.encode(photo).decode(1, 5)": r"ScaleError a region is \(x, y, width, height\) in whole",
    "nc.encode(photo).decode(1, (0.5, 0, 5, 5))": r"ScaleError a region is .* not \(0.5, 0, 5, 5\)",
    "nc.encode(photo).decode(None)": "ScaleError scale must be a positive number, not None",
    "nc.encode(photo).decode(1e6)": "ScaleError .* pixels are above the limit of",
    "nc.encode(photo).decode(2, detail='some')": "ValueError detail must be one of none, links,",
    "nc.encode(photo).decode(2, detail=None)": "ValueError detail must be one of .*, not None",
    "nc.decompress(nc.compress(photo), detail='')": "ValueError detail must be one of .*, not ''",
    "nc.encode(photo).decode(1, (0, 0, 5))": r"ScaleError a region is \(x, y, width, height\)",
    "nc.encode(photo).to_pil().save(io.BytesIO(), 'CLG', quality=7.5)": "CollageError quality .*7",
    "nc.OperatorConfig(mixing='softmx')": "ValueError mixing must be one of bounded, softmax, free",
    "nc.OperatorConfig(patches='lerned')": "ValueError patches must be one of learned, given",
    "nc.OperatorConfig(enlarge='smoth')": "ValueError enlarge must be one of cosine, smooth",
    "nc.OperatorConfig(isometries='rotation')": "ValueError isometries must be one of identity",
    "nc.OperatorConfig(image_size=64)": "ValueError image_size must be 2 whole numbers .*, not 64",
    "nc.OperatorConfig(domain_sizes=16)": "ValueError domain_sizes must be whole numbers .* not 16",
    "nc.OperatorConfig(channels=2.5)": "ValueError channels must be a whole number .*, not 2.5",
    "nc.OperatorConfig(range_size='4')": "ValueError range_size must be a whole number .*, not '4'",
    "nc.OperatorConfig(n_patches=1.5)": "ValueError n_patches must be a whole number .*, not 1.5",
    "nc.OperatorConfig(per_channel='no')": "ValueError per_channel must be True or False, not 'no'",
    "nc.OperatorConfig(bound=None)": "ValueError bound must lie between 0 and 1, not None",
    "nc.OperatorConfig(patch_share='1')": "ValueError patch_share must be in 0..1, not '1'",
    "nc.OperatorConfig(step=float('inf'))": "ValueError step must be positive and finite, not inf",
    "nc.OperatorConfig(channels=0, bound=2)": "ValueError channels must .*; bound must",
    "CompressorConfig(groups=(1.5,))": r"ValueError groups must be whole numbers .* not \(1.5,\)",
    "CompressorConfig(widths=(8,))": "ValueError widths must be 2 whole numbers",
    "CompressorConfig(lapped=1)": "ValueError lapped must be True or False, not 1",
    "LikelihoodConfig('normal')": "ValueError kind must be one of bernoulli, coverage,",
    "make_quantiser('floor', bias)": "ValueError quantisation must be one of noise, round, rdoq,",
    "Tiling(tiles=8.5)": "CollageError tiles across must be a whole number, 2 to 512, not 8.5",
    "Checkpoints(mode='mn')": "ValueError mode must be one of min, max, not 'mn'",
    "ImageData('x', val_crops='tile')": "ValueError val_crops must be one of centre, tiles, not",
    "ImageData('x', undersized='no')": "ValueError undersized must be one of error, skip, not 'no'",
    "ImageData('x', binarise='no')": "ValueError binarise must be one of none, static, dynamic",
    "ImageData('x', augment='', channels=2)": "ValueError augment must .*; channels must be 1 or 3",
    "fixed_point(torch.cos, bias, gradient='none')": "ValueError gradient must be one of",
    "fixed_point(torch.cos, bias, 'picard')": r"ValueError solver must be Picard\(\), Anderson\(\)",
    "nc.CollageOperator(config, gradient='implict')": "ValueError gradient must be one of",
    "nc.CollageOperator(config, gradient='')": "ValueError gradient must be one of implicit,",
    "nc.CollageOperator(config, solver='picard')": r"ValueError solver must be Pyramid\(\),",
    "operator(weights.numpy(), bias)": "TypeError weights must be a tensor, not ndarray",
    "operator(weights[0], bias[0])": "ValueError bias must have 3 dimensions, not 2: add a batch",
    "operator(weights, None)": "TypeError bias must be a tensor, not NoneType",
    "operator(weights, bias, scale='2')": "ScaleError scale must be a positive number, not '2'",
    "operator(weights, bias, scale=1e6)": "ScaleError 16000000 x 16000000 pixels are above the",
    "operator(weights, bias, scale=1e6, region=(0, 0, 4, 4))": "ScaleError 8388608 x 8388608",
    "operator.trajectory(weights, bias, steps=1, scale=1e6)": "ScaleError 16000000 x 16000000 pixe",
    "operator.trajectory(weights, bias.numpy(), steps=1)": "TypeError bias must be a tensor, not",
    "operator.contraction(weights.numpy())": "TypeError weights must be a tensor, not ndarray",
    "operator.contraction(weights[0])": "ValueError weights must have 4 dimensions, not 3",
    "operator.collages(weights.numpy(), bias)": "TypeError weights must be a tensor, not ndarray",
    "nc.NeuralCollage(config, key_width=-1)": "ValueError key_width must be a whole number of",
    "model.encode(photo)": r"ValueError images must have 4 dimensions \(b, c, h, w\), not 3: add",
    "model.encode(photo.numpy())": "TypeError images must be a tensor, not ndarray",
}
ACCEPTED = {
    "nc.encode(photo, quality=np.int64(50)).decode(np.float32(2)).shape[1:]": "(32, 32)",
    "nc.decompress(bytearray(nc.compress(photo)), scale=np.int64(3)).shape[1:]": "(48, 48)",
    "torch.Size(nc.OperatorConfig((np.int64(16), 16)).image_size)": "torch.Size([16, 16])",
}


def run(program: str, given: str = "") -> str:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_wrong_arguments_are_named_and_numbers_of_numpy_are_numbers() -> None:
    expected = REFUSED | {call: re.escape(size) for call, size in ACCEPTED.items()}
    shown = dict(zip(expected, json.loads(run(PROGRAM, json.dumps(list(expected)))), strict=True))
    wrong = {call: shown[call] for call in expected if not re.match(expected[call], shown[call])}
    assert not wrong


SAME_BYTES = """
import hashlib, numpy, torch, neural_collage as nc
noise = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
photos = noise[:, :16, :19], noise[:, :50, :70], noise.lerp(noise.mean((1, 2), keepdim=True), 0.9)
{setting}
for codec in ("auto", "neural", "fractal", "poli2022"):
    for photo in photos:
        data = nc.compress(photo, codec=codec)
        print(codec, hashlib.sha256(data).hexdigest())
        for scale in (0.5, 1, 1.5, 3):
            pixels = nc.decompress(data, scale=scale, region=(1, 2, 5, 6))
            whole = nc.decompress(data, scale=scale)
            print(*(hashlib.sha256(x.tobytes()).hexdigest() for x in (pixels, whole)))
            assert pixels.dtype == whole.dtype == numpy.float32
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
    assert len(usual.splitlines()) == 4 * 3 * 5
    assert run(SAME_BYTES.format(setting=setting)) == usual
