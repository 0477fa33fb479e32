"""Makes .clg one of Pillow's formats: `Image.open("x.clg")`, `image.save("x.clg", quality=60)`.

`import neural_collage` registers it. Opening reads size, mode and ICC profile; the pixels are
decoded when they are first needed. `draft`, and so `thumbnail`, decodes at a smaller scale, and
`ImageFile.LOAD_TRUNCATED_IMAGES` accepts files that break off, as for Pillow's own formats.
"""

from dataclasses import replace
from io import BytesIO
from typing import IO, Any

from PIL import Image, ImageFile

from neural_collage.codec.container import MAGIC, SUFFIX, Header, unpack_file, unpack_start
from neural_collage.core.scales import output_length
from neural_collage.errors import CollageError
from neural_collage.extras import needs_extra
from neural_collage.io.limits import MAX_PROFILE_BYTES

FORMAT = "CLG"
_SMALLEST_DRAFT = 1 / 16

_SAVE_OPTIONS = {
    *("codec", "quality", "effort", "model", "tune", "graphics", "device"),
    "icc_profile",
}
_OPTIONS_OF_OTHERS = {
    *("comment", "compress_level", "dpi", "exif", "method", "optimize"),
    *("pnginfo", "progressive", "speed", "subsampling", "xmp"),
}
"""Options of other formats that have no meaning here, which programs give whatever the format."""


class CollageImageFile(ImageFile.ImageFile):
    """A .clg file, decoded at its own size."""

    format = FORMAT
    format_description = "Collage"

    def _open(self) -> None:
        """Raises CollageFormatError if the file is damaged or cannot be read by this program."""
        assert self.fp is not None
        self._data = self.fp.read()
        header = self._unpack()
        self._size = header.width, header.height
        self._scale = 1.0
        self._mode = header.mode
        if header.icc_profile is not None:
            self.info["icc_profile"] = header.icc_profile

    def _unpack(self) -> Header:
        if ImageFile.LOAD_TRUNCATED_IMAGES:
            return unpack_start(self._data)[0]
        return unpack_file(self._data)[0]

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Decode at the smallest power of two that has at least this size, once it is decoded.

        size: width and height; the mode stays as it is. Returns the mode and the box of the whole
        picture, in the pixels that it will have; None once the picture is decoded.
        """
        if not self._data or size is None:
            return None
        header = self._unpack()
        least = max(size[0] / header.width, size[1] / header.height)
        scale = 1.0
        while scale / 2 >= max(least, _SMALLEST_DRAFT):
            scale /= 2
        self._scale = scale
        self._size = output_length(header.width, scale), output_length(header.height, scale)
        return self.mode, (0, 0, *self._size)

    def load(self) -> Any:
        """Decode on the first call; returns Pillow's pixel access, as every format does."""
        if self._data:
            from neural_collage.codec.image import CollageImage

            partial = ImageFile.LOAD_TRUNCATED_IMAGES
            self.im = CollageImage.from_bytes(self._data, partial=partial).to_pil(self._scale).im
            self.readonly = 0
            self._data = b""
            if self.fp is not None and self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return super().load()


def register() -> None:
    """Register the format with Pillow."""
    Image.register_open(FORMAT, CollageImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_save_all(FORMAT, _save)  # of the first frame, with a warning
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, "image/x-collage")


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _save(image: Image.Image, file: IO[bytes] | BytesIO, filename: str | bytes) -> None:
    """Compress with the options of `neural_collage.compress`, as Pillow's other writers do.

    icc_profile: replaces that of the image; None leaves it out. quality: may be a whole float.
    Options of other formats are ignored, others that are unknown are an error.
    """
    from neural_collage.codec.api import compress

    with needs_extra("encode"):
        from neural_collage.io.reading import read_picture

    options: dict[str, Any] = dict(getattr(image, "encoderinfo", {}))
    if unknown := set(options) - _SAVE_OPTIONS - _OPTIONS_OF_OTHERS:
        raise CollageError(
            f"cannot save {FORMAT} with {', '.join(sorted(unknown))}: "
            f"the options are {', '.join(sorted(_SAVE_OPTIONS))}"
        )
    options = {name: value for name, value in options.items() if name in _SAVE_OPTIONS}
    quality = options.get("quality")
    if isinstance(quality, float) and quality.is_integer():
        options["quality"] = int(quality)
    picture = read_picture(image)
    if "icc_profile" in options:
        picture = replace(picture, icc_profile=_profile(options.pop("icc_profile")))
    file.write(compress(picture, **options))


def _profile(given: object) -> bytes | None:
    if not given:
        return None
    if not isinstance(given, bytes) or len(given) > MAX_PROFILE_BYTES:
        found = f"{len(given)} of them" if isinstance(given, bytes) else type(given).__name__
        raise CollageError(
            f"icc_profile must be at most {MAX_PROFILE_BYTES} bytes, or None, not {found}"
        )
    return given
