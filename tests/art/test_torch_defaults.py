"""Pixels do not depend on torch's default dtype, nor on autocast."""

import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, torch, neural_collage as nc
torch.manual_seed(0)
from neural_collage.art import colours, convergence, learned, morph, sample_zoom, samples, stylize
from neural_collage.art.zoom import zoom
from neural_collage.models.autoencoding.range_encoder import EncoderConfig

noise = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
photo, style = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)[:, :30], noise
mask = torch.zeros(30, 32, dtype=torch.float32)
mask[10:20, 12:21] = 1
start = torch.full_like(photo, 0.5)
# models have the default dtype that they are made with
config = nc.OperatorConfig(image_size=(16, 16), n_patches=3)
model = nc.NeuralCollage(config, EncoderConfig(width=16, depth=1))
weights, bias = torch.rand(config.weights_shape)[None] / 100, torch.rand(config.bias_shape)[None]
image = photo[None, :, :16, :16].contiguous()
{setting}

def views(scene):
    return [scene.decode(), scene.decode(1.5), scene.decode(2, (3, 4, 20, 10))]

def sample():
    mnist = samples.load_generator("mnist")
    features = samples.draw(mnist, 1, seed=1)
    scene = sample_zoom.Sample(mnist, features)
    frames = zoom(scene, centre=sample_zoom.edge(scene), frames=2, size=(8, 8), factor=3)
    return [*samples.pictures(mnist, features, 1.5), *frames]

def neural_collage():
    with torch.no_grad(), torch.autocast("cpu", enabled=False):  # autocast applies to models
        code = model.encode(image)
        return [code.weights, code.bias, model.decode(code), model.operator(weights, bias)]

tiling = nc.Tiling(tiles=8, domains=9, adaptive=True, isometries=True, strength=0.7)
pair = morph.fractal_pair(photo, style)
results = dict(
    fractalize=views(nc.fractalize(photo, tiling)),
    zoom=zoom(nc.fractalize(photo, nc.Tiling(tiles=8)), frames=2, size=(16, 16), factor=5),
    zoom_of_a_file=zoom(pair[0], frames=2, size=(16, 16), factor=5),
    stylize=views(nc.stylize(photo, style)),
    own_domains=views(nc.stylize(photo, style, nc.Style(own=0.5, colours="style"))),
    transfer_colours=[stylize.transfer_colours(photo, style)],
    learn_fractal=views(learned.learn_fractal(photo, tiles=4, steps=2)),
    learn_style=views(learned.learn_style(photo, style, ranges=4, patches=6, steps=2)),
    inpaint=[nc.inpaint(photo, mask)],
    denoise=[nc.denoise(photo), nc.denoise(photo[:1], 0.1)],
    enlarge=[nc.enlarge(photo, 1.5)],
    morph=[nc.morph(*pair, 0.3), *morph.morph_frames(*pair, 2)],
    convergence=convergence.crossfade_frames(convergence.iterates(pair[0], start, 2), 2),
    colours=[colours.luma(photo), colours.resized(photo, 20, 20)],
    sample=sample(),
    neural_collage=neural_collage(),
)
for name, images in results.items():
    for image in images:
        assert image.dtype == torch.float32, (name, image.dtype)
        print(name, hashlib.sha256(image.detach().numpy().tobytes()).hexdigest())
"""


def hashes(setting: str) -> list[str]:
    """Hashes of the pixels that every function returns, in a process with a setting."""
    program = PROGRAM.replace("{setting}", setting)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def usual() -> list[str]:
    return hashes("")


@pytest.mark.parametrize(
    "setting",
    [
        "torch.set_default_dtype(torch.float64)",
        "torch.autocast('cpu', torch.bfloat16).__enter__()",
    ],
)
def test_the_defaults_of_torch_change_no_pixels(setting: str, usual: list[str]) -> None:
    assert len(usual) == 44
    assert hashes(setting) == usual
