"""Makes .clg one of Pillow's formats: `Image.open("x.clg")`, `image.save("x.clg", quality=60)`.

`import neural_collage` registers it. Opening reads size, mode and ICC profile; the pixels are
decoded, and torch imported, when they are first needed.
"""

from io import BytesIO
from typing import IO, Any

from PIL import Image, ImageFile

from neural_collage.codec.container import MAGIC, SUFFIX, unpack_file
from neural_collage.errors import CollageError

FORMAT = "CLG"

_SAVE_OPTIONS = {"codec", "quality", "effort", "device", "model"}


class CollageImageFile(ImageFile.ImageFile):
    """A .clg file, decoded at its own size."""

    format = FORMAT
    format_description = "Collage"

    def _open(self) -> None:
        """Raises CollageFormatError if the file is damaged or cannot be read by this program."""
        assert self.fp is not None
        self._data = self.fp.read()
        header, _ = unpack_file(self._data)
        self._size = header.width, header.height
        self._mode = header.mode
        if header.icc_profile is not None:
            self.info["icc_profile"] = header.icc_profile

    def load(self) -> Any:
        """Decode on the first call; returns Pillow's pixel access, as every format does."""
        if self._data:
            from neural_collage.codec.image import CollageImage

            self.im = CollageImage.from_bytes(self._data).to_pil().im
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
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, "image/x-collage")


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _save(image: Image.Image, file: IO[bytes] | BytesIO, filename: str | bytes) -> None:
    """Compress with the options of `neural_collage.compress`; an unknown one is an error."""
    from neural_collage.codec.api import compress

    options: dict[str, Any] = getattr(image, "encoderinfo", {})
    if unknown := set(options) - _SAVE_OPTIONS:
        raise CollageError(
            f"cannot save {FORMAT} with {', '.join(sorted(unknown))}: "
            f"the options are {', '.join(sorted(_SAVE_OPTIONS))}"
        )
    file.write(compress(image, **options))
