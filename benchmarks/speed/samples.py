"""What the study measures: its settings, a photo, a large picture of photos, and their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

import neural_collage as nc
from benchmarks.speed.peers import FORMATS, Peer
from benchmarks.speed.report import Row, Table
from benchmarks.support.photos import photo, photo_files
from neural_collage.codec.api import DEFAULT_EFFORT, DEFAULT_QUALITY
from neural_collage.errors import CollageError

PHOTOS = Path("data/photos")
TILE = 768
"""Width and height of the photos in a large picture."""


@dataclass(frozen=True)
class Settings:
    """Settings of all parts; the options of the command line say what they mean.

    Attributes:
        memory_limit: in MiB.
    """

    threads: Sequence[int]
    process_rounds: int
    decode_rounds: int
    encode_rounds: int
    large_rounds: int
    neighbour_rounds: int
    aerial: Path | None
    batch_pictures: int
    workers: int
    megapixels: Sequence[float]
    large_megapixels: Sequence[float]
    plain_megapixels: Sequence[float]
    growth_effort: int
    memory_limit: int


@dataclass(frozen=True)
class Sample:
    """A picture of the study.

    Attributes:
        picture: a PNG file.
        collage: the file of the neural codec at its default settings.
    """

    name: str
    width: int
    height: int
    picture: Path
    collage: Path

    @property
    def title(self) -> str:
        """Name and size."""
        return f"{self.name}, {self.width} x {self.height}"


class Samples:
    """The pictures and files of the study, each made when it is first needed.

    folder: where files are written. image: a photo, see `photo`. photos: those that large pictures
    are made of; if there are none, they are made of the one photo, mirrored.
    """

    def __init__(
        self,
        folder: Path,
        image: Path | None,
        photos: Sequence[Path],
        size: tuple[int, int],
        large_size: tuple[int, int],
    ) -> None:
        self.folder = folder
        self._image, self._photos = image, photos
        self._size, self._large_size = size, large_size

    @cached_property
    def photo(self) -> Sample:
        """The photo, cropped or mirrored to its size."""
        return self._sample("photo", photo(self._image, *self._size))

    @cached_property
    def large(self) -> Sample:
        """The large picture."""
        return self._sample("large", self.large_picture(*self._large_size))

    @cached_property
    def fractal(self) -> Path:
        """The file of the photo of the fractal codec at its default settings."""
        path = self.folder / "fractal.clg"
        with Image.open(self.photo.picture) as picture:
            path.write_bytes(nc.compress(picture, codec="fractal"))
        return path

    @cached_property
    def peers(self) -> dict[str, Peer]:
        """The formats that are installed, at qualities that make files of the size of ours."""
        file_bytes = self.photo.collage.stat().st_size
        with Image.open(self.photo.picture) as picture:
            return {
                peer.name: peer.of_size(picture, file_bytes) for peer in FORMATS if peer.installed
            }

    def peer_file(self, sample: Sample, name: str) -> Path:
        """The file of a sample in another format."""
        peer = self.peers[name]
        path = sample.picture.with_suffix(peer.suffix)
        if not path.exists():
            with Image.open(sample.picture) as picture:
                path.write_bytes(peer.encode(picture))
        return path

    def large_picture(self, width: int, height: int) -> Image.Image:
        """A picture of any size: photos side by side, in rows."""
        if not self._photos:
            return photo(self._image, width, height)
        picture = Image.new("RGB", (width, height))
        corners = [(x, y) for y in range(0, height, TILE) for x in range(0, width, TILE)]
        for index, corner in enumerate(corners):
            picture.paste(photo(self._photos[index % len(self._photos)], TILE, TILE), corner)
        return picture

    def files_table(self) -> Table:
        """Bytes and settings of all files, and the formats that are absent."""
        samples = self.photo, self.large
        settings = f"quality={DEFAULT_QUALITY}, effort={DEFAULT_EFFORT}"
        rows: dict[str, Row] = {
            "neural": {
                **{f"{each.name} (bytes)": each.collage.stat().st_size for each in samples},
                "settings": settings,
            }
        }
        for name, peer in self.peers.items():
            sizes = {
                f"{each.name} (bytes)": self.peer_file(each, name).stat().st_size
                for each in samples
            }
            rows[name] = {**sizes, "settings": str(peer)}
        note = "Other formats have the least quality whose file of the photo is as large as ours."
        if absent := [peer.name for peer in FORMATS if peer.name not in self.peers]:
            note += f" Not installed: {', '.join(absent)}."
        return Table("Files", rows, note)

    def _sample(self, name: str, picture: Image.Image) -> Sample:
        png, clg = (self.folder / f"{name}{suffix}" for suffix in (".png", ".clg"))
        picture.save(png, compress_level=1)
        clg.write_bytes(nc.compress(picture, codec="neural"))
        return Sample(name, *picture.size, png, clg)


def photos_in(folder: Path | None, default: Path) -> list[Path]:
    """The pictures of a folder, or else of the default; none if there is no such default.

    Raises:
        CollageError: the folder is missing or holds no picture.
    """
    if folder is not None:
        return photo_files(folder)
    try:
        return photo_files(default)
    except CollageError:
        return []
