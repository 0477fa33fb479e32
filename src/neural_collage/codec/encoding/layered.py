"""Encoding a picture as a graphics layer over a base: which base, and whether the layer pays."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from neural_collage.codec.base import FractionalEncoder, Layer, LayeredEncoder, PictureEncoder
from neural_collage.codec.container import Header
from neural_collage.codec.encoding.promises import (
    TOLERANCE,
    finer,
    next_depth,
    promised_psnr,
    surplus_of,
)
from neural_collage.codec.graphics.base_costs import bits_alone, least_bits_alone
from neural_collage.codec.graphics.copying import BASE
from neural_collage.codec.graphics.encoder import EXACT_COLOURS, find_layer
from neural_collage.codec.graphics.filling import fill_hidden
from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.codec.graphics.syntax import write_layer
from neural_collage.codec.ids import codec_number
from neural_collage.codec.image import CollageImage
from neural_collage.codec.planes import to_planes
from neural_collage.codec.precision.steps import precise_bits_per_squared_error
from neural_collage.codec.registry import AUTO, FALLBACK, PREFERRED, codec_entry, get_encoder
from neural_collage.codec.streams.fractal import FractalEncoder
from neural_collage.core.blocks import pad_to_multiple, pool
from neural_collage.core.scales import Region
from neural_collage.io.picture import Picture
from neural_collage.models.compression.compressor import bits_per_squared_error
from neural_collage.runtime import in_threads

_SPARSE = 0.9
"""What a layer of at least this share of a picture leaves costs the search-based codec less, and is
little enough to need no search; a smaller one is compared with the preferred base alone."""
_SMOOTH_RATE, _SMOOTH_QUALITY = 0.003, 25
"""Bits per pixel for each unit of quality above one, below which a picture is smoother than
photographs are."""
_DEAR = 0.7
"""Of the estimated cost of a base alone, above which that is tried, too."""
_SURELY_NOT = 0.99
"""Of the least that this estimate can be, below which it need not be made."""
_SAMPLE_SIDE = 64
"""Of the window whose error is measured before that of the whole picture."""
_STRIP_ROWS, _MOST_SKIPPED, _CLEARLY = 256, 4, 0.8
"""Errors are summed over strips of so many rows; one of so many strips is enough to say that they
are below this share of a limit everywhere."""
_FINE_CHROMA = 0.25
"""Of the promised error, what chroma of half the size may take."""
_MOST_ATTEMPTS = 5


@dataclass(frozen=True)
class Settings:
    """What a picture is encoded with; as the arguments of `api.encode`.

    fraction: of a quality, by which a file is finer than those of its quality, or coarser.
    """

    codec: str
    quality: int
    effort: int
    model: str | None = None
    device: str = "cpu"
    graphics: bool = True
    fraction: float = 0.0


def encode_picture(
    picture: Picture, settings: Settings, kept: dict[Hashable, Any] | None = None
) -> CollageImage:
    """The file of a picture; raises as `api.encode` does.

    kept: what is computed of it that other fractions need, too; hand over the same for each.
    """
    job = _Job(picture, settings, kept)
    codec = PREFERRED if settings.codec == AUTO else settings.codec
    encoder = get_encoder(codec, settings.model)
    layer = None
    if settings.graphics and codec_entry(codec).takes_graphics:
        layer = job.find_layer()
    attempts = []
    if layer is None:
        attempts.append(job.encode(codec, encoder, None))
        if settings.codec == AUTO and job.is_smooth(attempts[0]):
            attempts.append(job.encode(FALLBACK, get_encoder(FALLBACK), None))
    else:
        is_sparse = layer.owned_share() >= _SPARSE
        if settings.codec != AUTO or not is_sparse:
            attempts.append(job.encode(codec, encoder, layer))
        if settings.codec == AUTO:
            effort = 0 if is_sparse else settings.effort
            attempts.append(job.encode(FALLBACK, get_encoder(FALLBACK), layer, effort=effort))
        if _owns_all_exactly(layer, settings.quality):
            return attempts[0]
        if not is_sparse or job.is_dear(attempts[0]):
            attempts.append(job.encode(codec, encoder, None))
    image = min(attempts, key=job.cost) if len(attempts) > 1 else attempts[0]
    if settings.codec == AUTO and not job.keeps_promise(image):
        return job.fall_back(image)
    return image


def _owns_all_exactly(layer: GraphicsLayer, quality: int) -> bool:
    """Whether a layer is exact for a whole picture of few colours, as quality 100 promises."""
    return quality == 100 and layer.owned_share() == 1 and len(layer.palette) <= EXACT_COLOURS


class _Job:
    """One picture and its settings."""

    def __init__(
        self, picture: Picture, settings: Settings, kept: dict[Hashable, Any] | None = None
    ) -> None:
        self._picture = picture
        self._settings = settings
        self._kept: dict[Hashable, Any] = {} if kept is None else kept
        self._searches = kept is not None or settings.fraction != 0
        self._measured: tuple[CollageImage, float] | None = None
        self._invisible = None
        if picture.mode in ("LA", "RGBA"):
            self._invisible = picture.samples[-1] == 0
            self._picture = replace(picture, samples=picture.samples * ~self._invisible)

    @property
    def _quality(self) -> float:
        """The quality with its fraction."""
        return self._settings.quality + self._settings.fraction

    @property
    def _slope(self) -> float:
        """Bits that a squared error of 1 in one sample is worth."""
        if self._settings.codec in (PREFERRED, AUTO):
            return precise_bits_per_squared_error(self._quality)
        return bits_per_squared_error(self._quality)

    def find_layer(self) -> GraphicsLayer | None:
        """The layer that lowers the cost, if there is one."""
        return find_layer(self._picture.levels, self._quality, self._slope / 255**2)

    def encode(
        self,
        codec: str,
        encoder: PictureEncoder,
        layer: GraphicsLayer | None,
        quality: int | None = None,
        effort: int | None = None,
    ) -> CollageImage:
        """The file with a base of a codec under a layer.

        quality, effort: of the base, if they are others than those of the settings.
        """
        settings, picture = self._settings, self._picture
        quality = settings.quality if quality is None else quality
        effort = settings.effort if effort is None else effort
        payload = b""
        layers: tuple[Layer, ...] = ()
        if has_base := layer is None or bool((layer.modes == BASE).any()):
            seen = self._seen_by_base(layer)
            if self._searches and isinstance(encoder, FractionalEncoder):
                encoder = encoder.shifted(settings.fraction, self._kept.setdefault(codec, {}))
            if isinstance(encoder, LayeredEncoder):
                payload, layers = encoder.encode_layers(
                    seen, quality=quality, effort=effort, device=settings.device
                )
            else:
                payload = encoder.encode(
                    seen, quality=quality, effort=effort, device=settings.device
                )
        if layer is None and quality != settings.quality:
            layer = GraphicsLayer.empty(picture.height, picture.width, len(picture.mode))
        header = Header(
            codec=codec_number(codec),
            width=picture.width,
            height=picture.height,
            mode=picture.mode,
            quality=settings.quality,
            colour_space=codec_entry(codec).colour_space,
            model=encoder.model if has_base else None,
            icc_profile=picture.icc_profile,
            graphics=None if layer is None else self._stream(layer, quality * has_base),
            metadata=picture.metadata,
        )
        return CollageImage.of_layers(header, payload, layers, layer)

    def is_smooth(self, image: CollageImage) -> bool:
        """Whether a file is so small that the larger ranges of the search-based codec may pay."""
        rate = 8 * len(image.payload) / (image.width * image.height)
        return rate < _SMOOTH_RATE * (self._settings.quality - _SMOOTH_QUALITY)

    def is_dear(self, image: CollageImage) -> bool:
        """Whether a file costs so much that a base alone may cost less."""
        cost = self.cost(image)
        if cost < _SURELY_NOT * _DEAR * least_bits_alone(*self._picture.samples.shape):
            return False
        return cost > _DEAR * bits_alone(self._picture.levels, self._slope / 255**2)

    def cost(self, image: CollageImage) -> float:
        """Bits of a file, and its error in bits."""
        samples = self._picture.samples.numel()
        return 8 * len(image.to_bytes()) + self._slope * self._error_of(image) * samples

    def keeps_promise(self, image: CollageImage) -> bool:
        """Whether a file reaches `promised_psnr`.

        Most photographs do, even where they have most detail, or clearly in a part of their strips;
        then the rest is not looked at.
        """
        limit = 10 ** (-promised_psnr(self._quality) / 10)
        if image.graphics is None:
            region = self._most_detailed_region()
            samples = region[2] * region[3] * image.channels
            if self._squared_error(image, region) <= limit * samples:
                return True
            every = min(image.height // _STRIP_ROWS, _MOST_SKIPPED)
            if every > 1 and self._mean_error(image, every) <= _CLEARLY * limit:
                return True
        return self._error_of(image) <= limit

    def fall_back(self, image: CollageImage) -> CollageImage:
        """The file of the search-based codec that reaches `promised_psnr`.

        image: the best of the attempts at the quality of the settings.

        If none of a few finer steps reaches it, the file of the least error.
        """
        layer = image.graphics if image.payload else None  # if it owns all, its colours are few
        kept, error = image, self._error_of(image)
        full_chroma = self._has_fine_chroma(layer)
        tried: list[tuple[float, float]] = []
        depth = self._kept.get("depth", 0.0)
        for _ in range(_MOST_ATTEMPTS):
            quality, halvings = finer(self._quality, depth)
            encoder = FractalEncoder(halvings, full_chroma)
            attempt = self.encode(FALLBACK, encoder, layer, quality, effort=0)
            error_of_attempt = self._mean_error(attempt)
            surplus = surplus_of(error_of_attempt, self._quality)
            is_better = error_of_attempt < error
            if surplus_of(error, self._quality) >= 0 <= surplus:
                is_better = len(attempt.to_bytes()) < len(kept.to_bytes())
            if is_better:
                kept, error, self._kept["depth"] = attempt, error_of_attempt, depth
            tried.append((depth, surplus))
            if surplus >= 0 and (depth == 0 or surplus < TOLERANCE):
                break
            depth = next_depth(tried)
        return kept

    def _has_fine_chroma(self, layer: GraphicsLayer | None) -> bool:
        """Whether chroma of half the size alone takes much of the error that is promised."""
        seen = self._seen_by_base(layer).pixels
        if len(seen) < 3:
            return False
        colours = seen[:3]
        luma = to_planes(colours)[:1]  # what is left of colours keeps its luma when it is averaged
        chroma = pad_to_multiple(colours - luma, 2)
        coarse = pool(chroma, 2).repeat_interleave(2, 1).repeat_interleave(2, 2)
        lost = (chroma - coarse).square().sum().item() / self._picture.samples.numel()
        return lost > _FINE_CHROMA * 10 ** (-promised_psnr(self._quality) / 10)

    def _stream(self, layer: GraphicsLayer, base_quality: int) -> bytes:
        """The stream of a layer, which is written once for all bases."""
        written, stream = self._kept.get("layer", (None, b""))
        if written is None or not written.equals(layer):
            stream = write_layer(layer, base_quality)
            self._kept["layer"] = layer, stream
        return bytes([base_quality]) + bytes(stream[1:])

    def _seen_by_base(self, layer: GraphicsLayer | None) -> Picture:
        """The part of the picture that its base shows; what is hidden in it is filled smoothly."""
        picture, invisible = self._picture, self._invisible
        owned = None
        if layer is not None:
            top, left, height, width = layer.base_window
            part = slice(top, top + height), slice(left, left + width)
            picture = replace(picture, samples=picture.samples[(..., *part)])
            invisible = None if invisible is None else invisible[part]
            owned = torch.from_numpy(layer.pixel_modes[part] != BASE)
        if owned is None and invisible is None:
            return picture
        pixels = picture.pixels
        if owned is None:
            owned = torch.zeros(pixels.shape[1:], dtype=torch.bool)
        if invisible is None:
            return replace(picture, samples=fill_hidden(pixels, owned))
        colours = fill_hidden(pixels[:-1], owned | invisible)
        return replace(picture, samples=torch.cat([colours, fill_hidden(pixels[-1:], owned)]))

    def _error_of(self, image: CollageImage) -> float:
        """The mean squared error of samples, kept for the image that it was measured of last."""
        if self._measured is None or self._measured[0] is not image:
            self._measured = image, self._mean_error(image)
        return self._measured[1]

    def _mean_error(self, image: CollageImage, every: int = 1) -> float:
        """The mean squared error of samples, by every n-th strip of rows."""
        strips = range(0, image.height, _STRIP_ROWS)[::every]
        regions = [(0, top, image.width, min(_STRIP_ROWS, image.height - top)) for top in strips]
        pixels = sum(width * height for _, _, width, height in regions)
        error_of = partial(self._squared_error, image)
        # one after the other where the first makes the picture that all are cut from
        errors = map(error_of, regions) if image.graphics else in_threads(error_of, regions)
        return sum(errors) / (pixels * image.channels)

    def _squared_error(self, image: CollageImage, region: Region) -> float:
        """The sum of the squared errors of samples, which is 0 for invisible ones."""
        x, y, width, height = region
        window = slice(y, y + height), slice(x, x + width)
        decoded = torch.from_numpy(image.decode(1, region))
        errors = (decoded - self._picture.window(*window)).square_()
        if self._invisible is not None:
            errors[:-1] *= ~self._invisible[window]
        return errors.sum(dtype=torch.float64).item()

    def _most_detailed_region(self) -> Region:
        """The square window with most variation between neighbouring pixels."""
        height, width = self._picture.height, self._picture.width
        rows, columns = max(height // _SAMPLE_SIDE, 1), max(width // _SAMPLE_SIDE, 1)
        side = min(_SAMPLE_SIDE, height), min(_SAMPLE_SIDE, width)

        def energies(top: int) -> Tensor:
            inside = self._picture.window(slice(top, top + side[0]), slice(columns * side[1]))
            across = functional.pad(inside.diff(dim=2), (0, 1)).abs().sum(0)
            down = functional.pad(inside.diff(dim=1), (0, 0, 0, 1)).abs().sum(0)
            return (across + down).view(side[0], columns, side[1]).mean((0, 2))

        found = torch.cat(in_threads(energies, range(0, rows * side[0], side[0])))
        row, column = divmod(int(found.argmax()), columns)
        return column * side[1], row * side[0], side[1], side[0]
