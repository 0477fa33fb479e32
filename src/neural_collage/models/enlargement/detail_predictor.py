"""The network that predicts detail, as a torch module that learns; see `detail_network`."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.arguments import check, whole_problems
from neural_collage.core.arrays.interpolation import REACH
from neural_collage.core.interpolation import enlarge
from neural_collage.models.enlargement.detail_network import BOUND, CENTRE, COLOURS, PATCHES
from neural_collage.models.pretrained import Pretrained


@dataclass(frozen=True)
class DetailConfig:
    """Size of the network.

    Raises ValueError, naming every problem.

    Attributes:
        width: Features of a pixel.
        depth: Convolutions between the first and the last.
    """

    width: int = 40
    depth: int = 4

    def __post_init__(self) -> None:
        check([*whole_problems("width", self.width), *whole_problems("depth", self.depth)])


class DetailPredictor(Pretrained):
    """Pictures to pictures of twice the size, whose averages are the pictures.

        >>> model = DetailPredictor()
        >>> enlarged = model(torch.rand(2, 3, 32, 48), torch.tensor([0.5, 1.0]))

    Its tensors are those of `detail_network.DetailNetwork`.
    """

    patches: Tensor

    def __init__(self, config: DetailConfig | None = None) -> None:
        config = config or DetailConfig()
        super().__init__(config=config)
        self.config = config
        width = config.width
        self.first = nn.Conv2d(COLOURS + 1, width, 3)
        self.middle = nn.ModuleList(nn.Conv2d(width, width, 3) for _ in range(config.depth))
        self.last = nn.Conv2d(width, COLOURS * len(PATCHES), 3)
        self.register_buffer("patches", torch.from_numpy(PATCHES), persistent=False)
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            self.last.bias.zero_()  # type: ignore[union-attr]
            for layer in self.middle:
                layer.weight.mul_(0.5)  # type: ignore[operator]

    def forward(
        self, images: Float[Tensor, "b 3 h w"], level: Float[Tensor, " b"]
    ) -> Float[Tensor, "b 3 H W"]:
        """The pictures one octave up, not clipped.

        images: in [0, 1]. level: how good they are, quality / 100, or 1 if they are exact.
        """
        # level of each picture as one more colour; pixels beyond the edge repeat it
        marks = level[:, None, None, None].expand(-1, 1, *images.shape[2:])
        colours = images.clamp(0, 1)
        pixels = torch.cat([colours - CENTRE, marks], 1)
        reach = self.config.depth + 2
        state = functional.pad(pixels, (reach,) * 4, mode="replicate")
        state = functional.relu(self.first(state))
        for layer in self.middle:
            state = state[..., 1:-1, 1:-1] + functional.relu(layer(state))
        amplitudes = self.last(state).unflatten(1, (COLOURS, len(PATCHES)))
        near = functional.pad(colours, (1, 1, 1, 1), mode="replicate")
        contrasts = functional.max_pool2d(near, 3, 1) + functional.max_pool2d(-near, 3, 1)
        bounds = BOUND * contrasts[:, :, None]
        amplitudes = torch.minimum(torch.maximum(amplitudes, -bounds), bounds)
        detail = torch.einsum("bckhw,kyx->bchywx", amplitudes, self.patches)
        framed = functional.pad(images, (REACH,) * 4, mode="replicate")
        smooth = enlarge(framed.flatten(0, 1)).unflatten(0, images.shape[:2])
        enlarged: Tensor = smooth + detail.flatten(4, 5).flatten(2, 3)
        return enlarged
