"""`NeuralCollage`: encodes an image as a collage in one forward pass, decodes at any resolution.

Poli et al. 2022, arXiv 2204.07673: an encoder predicts the parameters of a contractive map whose
fixed point is the image. The parameters do not depend on the resolution.
"""

from collections.abc import Mapping
from typing import Any, Literal, overload

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neural_collage.core.scales import Region
from neural_collage.models.autoencoding.range_encoder import (
    DEFAULT_ENCODER,
    EncoderConfig,
    RangeEncoder,
)
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.heads import CollageCode, Heads, range_averages
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.models.pretrained import Pretrained


class NeuralCollage(Pretrained):
    """An autoencoder whose code is a collage: encoder and heads, then the collage operator.

        image --+--> encoder --> features of ranges --+
                |                                     v
                +--> averages of ranges ----------> heads
                                                      |
                            code: weights, bias, patches (if "given")
                                                      v
        image at any scale <--- fixed point <----- operator

        >>> model = NeuralCollage(OperatorConfig(image_size=(64, 64), n_patches=8))
        >>> image = torch.rand(1, 3, 64, 64)
        >>> model(image, scale=2).shape
        torch.Size([1, 3, 128, 128])

    operator: configuration of the map whose parameters are predicted.
    encoder: the configuration of a `RangeEncoder`, or any module from images (b, c, h, w) to
        features (b, f, rows, columns), one vector for each range of `operator.grid`. The length f
        is determined by a forward pass of a grey image.
    key_width: length of the queries and keys of domain weights (see `Heads`).
    style: (c, h, w) the image that patches are cut from, for `patches="style"` only.

    Images have the size and channels of the operator and values of about [0, 1]. The output of an
    untrained model is the average of each range.

    `save_pretrained(folder)` writes config.json and model.safetensors; `from_pretrained` reads them
    from a folder or from the hub. A custom encoder is not described by config.json: to load, pass
    a module of the same architecture, `from_pretrained(folder, encoder=module)`.

    Raises ValueError if the encoder's output has another shape, and as `CollageOperator` does.
    """

    def __init__(
        self,
        operator: OperatorConfig,
        encoder: EncoderConfig | nn.Module = DEFAULT_ENCODER,
        key_width: int = 32,
        style: Float[Tensor, "c h w"] | None = None,
    ) -> None:
        super().__init__(operator=operator, encoder=encoder, key_width=key_width)
        if isinstance(encoder, EncoderConfig):
            encoder = RangeEncoder(operator.channels, operator.range_size, encoder)
        self.encoder = encoder
        self.operator = CollageOperator(operator, style=style)
        dtype = next((p.dtype for p in encoder.parameters()), None)
        self.heads = Heads(feature_length(encoder, operator), operator, key_width, dtype=dtype)

    @overload
    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        *,
        scale: float = 1,
        region: Region | None = None,
        return_code: Literal[False] = False,
    ) -> Float[Tensor, "b c H W"]: ...

    @overload
    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        *,
        scale: float = 1,
        region: Region | None = None,
        return_code: Literal[True],
    ) -> tuple[Float[Tensor, "b c H W"], CollageCode]: ...

    def forward(
        self,
        image: Float[Tensor, "b c h w"],
        *,
        scale: float = 1,
        region: Region | None = None,
        return_code: bool = False,
    ) -> Float[Tensor, "b c H W"] | tuple[Float[Tensor, "b c H W"], CollageCode]:
        """The reconstruction at any scale; with `return_code`, (reconstruction, code).

        scale, region: as in `CollageOperator.forward`. Raises as `encode` and `decode` do.
        """
        code = self.encode(image)
        decoded = self.decode(code, scale, region)
        return (decoded, code) if return_code else decoded

    def encode(self, image: Float[Tensor, "b c h w"]) -> CollageCode:
        """The parameters of the collages of images.

        Raises TypeError for no tensor, ValueError for images without a batch dimension, of another
        size or number of channels, or with values that are not finite, and NotContractiveError for
        weights of mixing="free" that do not contract.
        """
        config = self.operator.config
        if not isinstance(image, Tensor):
            raise TypeError(f"images must be a tensor, not {type(image).__name__}")
        if image.ndim != 4:
            raise ValueError(
                f"images must have 4 dimensions (b, c, h, w), not {image.ndim}: add a batch "
                "dimension, image[None]"
            )
        if image.shape[1:] != (config.channels, *config.image_size):
            height, width = config.image_size
            raise ValueError(
                f"images must be {width}x{height} with {config.channels} channels, not "
                f"{image.shape[3]}x{image.shape[2]} with {image.shape[1]}: cut or resize them"
            )
        features = self.encoder(image)
        return self.heads(features, range_averages(image, config), self.operator)  # type: ignore[no-any-return]

    def decode(
        self, code: CollageCode, scale: float = 1, region: Region | None = None
    ) -> Float[Tensor, "b c H W"]:
        """The images of codes; scale, region and errors as in `CollageOperator.forward`."""
        return code.decode(self.operator, scale, region)

    @classmethod
    def arguments_of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        arguments = super().arguments_of(config)
        operator = arguments.get("operator")
        if isinstance(operator, OperatorConfig) and operator.patches == "style":
            # a placeholder of the right shape: the patches are saved with the weights
            count, channels, size, _ = operator.patches_shape
            arguments["style"] = torch.zeros(channels, size, size * count)
        return arguments


def feature_length(encoder: nn.Module, operator: OperatorConfig) -> int:
    """Length of the feature vectors of an encoder, by a forward pass of a grey image.

    Raises ValueError unless its output has one vector for each range of the operator.
    """
    parameter = next(encoder.parameters(), torch.zeros(()))
    grey = torch.full((1, operator.channels, *operator.image_size), 0.5).to(parameter)
    was_training = encoder.training
    with torch.no_grad():
        features = encoder.eval()(grey)
    encoder.train(was_training)
    rows, columns = operator.grid
    shape = tuple(getattr(features, "shape", ()))
    if len(shape) != 4 or shape[0] != 1 or shape[2:] != (rows, columns):
        raise ValueError(
            f"the encoder must map images {tuple(grey.shape)} to features (1, f, {rows}, "
            f"{columns}), one vector per range, not to {shape or type(features).__name__}"
        )
    return int(shape[1])
