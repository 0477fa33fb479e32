"""Makes .clg one of Pillow's formats: `Image.open("x.clg")`, `image.save("x.clg", quality=60)`.

`import neural_collage` registers it: Pillow has no entry points for formats of other packages.
Opening checks the file and reads size, mode, ICC profile, EXIF and XMP; the pixels are decoded when
they are first needed. `draft`, and so `thumbnail`, decodes at a smaller scale, and
`ImageFile.LOAD_TRUNCATED_IMAGES` accepts files that break off, as for Pillow's own formats.
"""

from io import BytesIO
from typing import IO, Any

from PIL import Image, ImageFile

from neural_collage.codec.container import MAGIC, SUFFIX, unpack_file, unpack_start
from neural_collage.codec.contents import file_contents
from neural_collage.core.scales import output_length
from neural_collage.errors import CollageError
from neural_collage.extras import needs_extra
from neural_collage.io.limits import MAX_METADATA_BYTES, MAX_PROFILE_BYTES

FORMAT = "CLG"
_SMALLEST_DRAFT = 1 / 16

_SAVE_OPTIONS = {
    *("codec", "quality", "effort", "model", "tune", "graphics", "device", "strip"),
    *("icc_profile", "exif", "xmp"),
}
_OPTIONS_OF_OTHERS = {
    *("comment", "compress_level", "dpi", "method", "optimize"),
    *("pnginfo", "progressive", "speed", "subsampling"),
}
"""Options of other formats that have no meaning here, which programs give whatever the format."""
_LIMITS = {
    "icc_profile": MAX_PROFILE_BYTES,
    "exif": MAX_METADATA_BYTES,
    "xmp": MAX_METADATA_BYTES,
}


class CollageImageFile(ImageFile.ImageFile):
    """A .clg file, decoded at its own size."""

    format = FORMAT
    format_description = "Collage"
    _data = b""  # also of copies that pickle makes, which are decoded

    def _open(self) -> None:
        """Raises CollageFormatError if the file is damaged or cannot be read by this program."""
        assert self.fp is not None
        self._data = self.fp.read()
        unpack = unpack_start if ImageFile.LOAD_TRUNCATED_IMAGES else unpack_file
        header = unpack(self._data)[0]
        self._size = self._whole = header.width, header.height
        self._scale = 1.0
        self._mode = header.mode
        if header.icc_profile is not None:
            self.info["icc_profile"] = header.icc_profile
        self.info.update(header.metadata.info)

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Decode at the smallest power of two that has at least this size, once it is decoded.

        size: width and height; the mode stays as it is. Returns the mode and the box of the whole
        picture, in the pixels that it will have; None once the picture is decoded.
        """
        if not self._data or size is None:
            return None
        width, height = self._whole
        least = max(size[0] / width, size[1] / height)
        scale = 1.0
        while scale / 2 >= max(least, _SMALLEST_DRAFT):
            scale /= 2
        self._scale = scale
        self._size = output_length(width, scale), output_length(height, scale)
        return self.mode, (0, 0, *self._size)

    def load(self) -> Any:
        """Decode on the first call; returns Pillow's pixel access, as every format does."""
        if data := self._data:  # which another thread may forget
            from neural_collage.codec.image import CollageImage

            partial = ImageFile.LOAD_TRUNCATED_IMAGES
            self.im = CollageImage.from_bytes(data, partial=partial).to_pil(self._scale).im
            self.readonly = 0
            self._data = b""
            if self.fp is not None and self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return super().load()

    def verify(self) -> None:
        """Check the file for damage, decoding nothing; it has to be opened again then.

        Raises:
            CollageFormatError: it is damaged, or breaks off.
            RuntimeError: it has been decoded.
        """
        if not self._data:
            raise RuntimeError("verify must be called directly after open")
        file_contents(unpack_file(self._data)[0])
        self._data = b""
        super().verify()

    def close(self) -> None:
        """Close the file, and forget it."""
        self._data = b""
        super().close()


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

    icc_profile, exif (bytes or `Image.Exif`), xmp (bytes or text): replace those of the image's
    info; None leaves them out. quality: may be a whole float.
    Options of other formats are ignored, others that are unknown are an error.
    """
    from neural_collage.codec.api import compress

    with needs_extra("encode"):
        from neural_collage.io.reading import read_image

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
    given = {
        kind: _given(kind, options.pop(kind), limit)
        for kind, limit in _LIMITS.items()
        if kind in options
    }
    file.write(compress(read_image(image, given=given), **options))


def _given(kind: str, value: object, limit: int) -> bytes | None:
    """The bytes of what is to replace a part of the info of an image."""
    if not value:
        return None
    if kind == "exif" and isinstance(value, Image.Exif):
        value = value.tobytes()
    if kind == "xmp" and isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes) or len(value) > limit:
        found = f"{len(value)} of them" if isinstance(value, bytes) else type(value).__name__
        raise CollageError(f"{kind} must be at most {limit} bytes, or None, not {found}")
    return value
