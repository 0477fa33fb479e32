"""Train a small neural collage on a few photos, in about a minute, and decode it at 1x and 8x.

    python examples/tutorial.py [--seconds 60] [--out tutorial]

A *collage operator* maps weights and biases to the fixed point of the affine map that they define:
an image. A *neural collage* is a network that predicts weights and biases. Below are the operator,
the network, a training loop, and decoding of one code at two resolutions.

Writes tutorial.png and the trained model (config.json, model.safetensors) into the folder.
"""

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import torch
from jaxtyping import Float
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image
from skimage import data
from torch import Tensor

import neural_collage as nc
from neural_collage.core import isometry
from neural_collage.io.reading import read_picture
from neural_collage.models.autoencoding.range_encoder import EncoderConfig

SIDE = 64


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train a small neural collage on a few photos.")
    parser.add_argument("--seconds", type=float, default=60, help="how long to train")
    parser.add_argument("--out", type=Path, default=Path("tutorial"), help="folder for the results")
    options = parser.parse_args()

    photos = load_photos()
    model = make_model()
    train(model, photos, options.seconds)
    model.save_pretrained(options.out)

    # From here on, the saved files alone are used.
    model = nc.NeuralCollage.from_pretrained(options.out)
    with torch.no_grad():
        code = model.encode(photos)
        decoded, enlarged = model.decode(code), model.decode(code, scale=8)
    bound = model.operator.contraction(code.weights).max()
    print(f"contraction factor of these maps: at most {bound:.2f}")
    print(f"PSNR at 1x: {psnr(decoded, photos):.2f} dB")
    show(photos, decoded, enlarged).savefig(options.out / "tutorial.png")
    print(f"see {options.out / 'tutorial.png'}")


def load_photos() -> Float[Tensor, "b 3 h w"]:
    """Photos that scikit-image ships, cropped to squares and reduced."""
    photos = []
    for array in (data.astronaut(), data.chelsea(), data.coffee(), data.rocket()):
        image = Image.fromarray(array)
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side))
        photos.append(read_picture(square.resize((SIDE, SIDE), Image.Resampling.BOX)).pixels)
    return torch.stack(photos)


def make_model() -> nc.NeuralCollage:
    """An operator, and an encoder that predicts its weights and biases.

    Each of the 16 x 16 ranges of 4 x 4 pixels is a weighted sum of all 64 domains of 8 x 8 pixels,
    reduced by two, of 12 learned patches, and of a constant. The operator's default mixing scales
    weights down where the map would not be contractive, so every code has a fixed point.
    """
    operator = nc.OperatorConfig(
        image_size=(SIDE, SIDE), range_size=4, domain_sizes=(8,), n_patches=12
    )
    return nc.NeuralCollage(operator, EncoderConfig(width=64, depth=2))


def train(model: nc.NeuralCollage, photos: Float[Tensor, "b c h w"], seconds: float) -> None:
    """Minimise the squared error on randomly rotated and mirrored photos."""
    torch.manual_seed(0)
    optimiser = torch.optim.AdamW(model.parameters())
    started = time.perf_counter()
    step = 0
    while (elapsed := (time.perf_counter() - started) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 50) * (1 - elapsed)  # warm up, then decay
        target = isometry.apply(photos, int(torch.randint(isometry.N_ISOMETRIES, ()))).contiguous()
        reconstruction = model(target)  # encoder, then the exact fixed point of the predicted map
        loss = (reconstruction - target).square().mean()
        optimiser.zero_grad()
        loss.backward()  # through the fixed point, without storing its iterations
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 0:
            print(f"step {step:5}  {psnr(reconstruction.detach(), target):6.2f} dB", flush=True)
        step += 1
    model.eval()


def psnr(image: Tensor, reference: Tensor) -> float:
    """PSNR in dB of images in [0, 1]."""
    return float(-10 * (image.clamp(0, 1) - reference).square().mean().log10())


def show(photos: Tensor, decoded: Tensor, enlarged: Tensor) -> Figure:
    """Rows of photos, their collages at 1x, and the same collages at 8x."""
    mpl.use("Agg")
    count = len(photos)
    figure, axes = plt.subplots(3, count, figsize=(3.2 * count, 10), dpi=160, layout="constrained")
    rows = {
        f"Photo, {SIDE} x {SIDE} pixels": photos,
        "Collage, decoded at 1x": decoded,
        f"The same collage, decoded at 8x: {8 * SIDE} x {8 * SIDE}": enlarged,
    }
    for row, (title, images) in zip(axes, rows.items(), strict=True):
        row[0].set_title(title, fontsize=11, loc="left")
        for axis, image in zip(row, images, strict=True):
            axis.imshow(image.clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="nearest")
            axis.set_axis_off()
    return figure


if __name__ == "__main__":
    main()
