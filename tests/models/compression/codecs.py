"""Compressors small enough for every test, with parameters of all kinds of values."""

import torch

from neural_collage.models.compression.compressor import Compressor, CompressorConfig
from neural_collage.models.compression.decoder_model import RANGE

SMALL = CompressorConfig(groups=(4, 12), widths=(8, 8), depths=(1, 1), state=8, side=4, rungs=3)


def orthonormal_blocks(count: int, seed: int = 0) -> torch.Tensor:
    """(count, 3, n, n) random blocks of the size of a range."""
    rng = torch.Generator().manual_seed(seed)
    basis: torch.Tensor = torch.linalg.qr(torch.randn(3 * RANGE**2, count, generator=rng))[0]
    return basis.T.reshape(count, 3, RANGE, RANGE).contiguous()


def lively_compressor(config: CompressorConfig = SMALL, seed: int = 0) -> Compressor:
    """A compressor that does not predict zero, and whose steps differ from each other."""
    torch.manual_seed(seed)
    compressor = Compressor(config)
    with torch.no_grad():
        compressor.patches.normal_(0, 0.05)
        compressor.step_shape.rungs.normal_(0, 0.3)
        compressor.analysis.head.weight.normal_(0, 0.1)
        for prediction in compressor.entropy.predictions:
            prediction.out.weight.mul_(10)  # type: ignore[union-attr, operator]
        compressor.entropy.log_scale.rungs.add_(2)  # so that no symbol is surely 0
        compressor.entropy.side_analysis[-1].weight.mul_(10)  # type: ignore[operator]
    return compressor.eval()
