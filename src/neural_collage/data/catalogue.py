"""The sets of images that configs and benchmarks use: contents, licences and where to get them.

Paths that begin with `data/` name these sets. The environment variable NEURAL_COLLAGE_DATA, if it
is set, names the folder that takes the place of `data`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from neural_collage.errors import CollageError

VARIABLE = "NEURAL_COLLAGE_DATA"
"""The environment variable that names the folder of all sets."""
FOLDER = "data"
"""The folder of all sets where the variable is not set."""


@dataclass(frozen=True)
class DataSet:
    """A set of images.

    name: its name, and that of its folder below `data`.
    content: number, kind, size and format of the images.
    used_for: what the project does with it.
    licence: terms of use.
    address: where to get it.
    """

    name: str
    content: str
    used_for: str
    licence: str
    address: str

    @property
    def path(self) -> str:
        """The folder as configs give it, such as `data/kodak`."""
        return f"{FOLDER}/{self.name}"


CATALOGUE = (
    DataSet(
        "kodak",
        "Kodak Lossless True Color Image Suite: 24 photographs, PNG, 768x512",
        "benchmark only",
        "released for unrestricted use",
        "r0k.us/graphics/kodak",
    ),
    DataSet(
        "screens",
        "gb82-image-set: 10 screenshots, PNG",
        "benchmark only",
        "CC0",
        "gb82-image-set on GitHub",
    ),
    DataSet(
        "dota",
        "DOTA: aerial scenes P0706.png, P1888.png and others",
        "benchmark only",
        "academic use only",
        "captain-whu.github.io/DOTA",
    ),
    DataSet(
        "bsds500",
        "Berkeley Segmentation Data Set: 500 photographs, JPEG, in folders train, val and test",
        "train on train and test, validate on val",
        "research use",
        "www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping",
    ),
    DataSet(
        "clic",
        "CLIC 2025 validation pictures: 26 centre crops, lossless, 640x640",
        "validate",
        "Unsplash licence",
        "clic.compression.cc",
    ),
    DataSet(
        "cid22",
        "CID22 training set: 140 pictures, lossless, 512x512",
        "train",
        "CC BY-SA 4.0",
        "cloudinary.com/labs/cid22",
    ),
    DataSet(
        "photos",
        "218 crops of large photographs, JPEG, 768x768",
        "train",
        "Unsplash licence, CC0, CC BY, CC BY-SA",
        "wallpaper collections of elementary, Budgie, deepin and Pop!_OS",
    ),
    DataSet(
        "pages",
        "12 rendered pages, light and dark, PNG",
        "tune the coding of graphics",
        "that of this project",
        "made for this project",
    ),
    DataSet(
        "aid",
        "Aerial Image Dataset reduced to 150x150, JPEG: 3000 in train, 100 in test",
        "train and validate the aerial codec, autoencoding",
        "research use",
        "captain-whu.github.io/AID",
    ),
    DataSet(
        "mnist",
        "MNIST: 70,000 digits, 28x28, parquet files as on the hub",
        "train and test generation",
        "MIT",
        "huggingface.co/datasets/ylecun/mnist",
    ),
    DataSet(
        "letters",
        "50,096 letters and signs of fonts, grey, 128x128, parquet files with classes",
        "train and test generation",
        "of the fonts: SIL Open Font License",
        "packages of Debian, see docs/data.md",
    ),
    DataSet(
        "letters_fine",
        "the 1,284 test letters of the same fonts at 512x512",
        "benchmark only",
        "of the fonts: SIL Open Font License",
        "packages of Debian, see docs/data.md",
    ),
)
"""All sets."""


def data_folder() -> Path:
    """The folder that holds the sets: that of NEURAL_COLLAGE_DATA, or `data`."""
    return Path(os.environ.get(VARIABLE) or FOLDER).expanduser()


def resolve(path: str | Path) -> Path:
    """The place of a file or folder: `data/...` is looked up in `data_folder()`."""
    given = Path(path).expanduser()
    if given.parts[:1] == (FOLDER,) and len(given.parts) > 1:
        return data_folder().joinpath(*given.parts[1:])
    return given


def find(path: str | Path) -> DataSet | None:
    """The set that a path such as `data/aid/train` belongs to, if it is one of the catalogue."""
    parts = Path(path).parts
    if len(parts) < 2 or parts[0] != FOLDER:
        return None
    return next((each for each in CATALOGUE if each.name == parts[1]), None)


def image_folder(folder: Path) -> Path:
    """An existing folder; one of `data/` may lie elsewhere, see `resolve`.

    Raises:
        CollageError: there is no such folder; names the source of the data set, if it is one of
            the catalogue.
    """
    found = resolve(folder)
    if found.is_dir():
        return found
    data = find(folder) or find(Path(FOLDER, folder))
    raise CollageError(
        f"{folder} is not a folder: "
        + (how_to_get(data) if data is not None else "give one that holds pictures")
    )


def missing(root: Path | None = None) -> list[DataSet]:
    """The sets whose folders are absent below `root`, by default `data_folder()`."""
    folder = data_folder() if root is None else root
    return [each for each in CATALOGUE if not (folder / each.name).is_dir()]


def how_to_get(data: DataSet) -> str:
    """A sentence for users who lack a set."""
    return (
        f"{data.name} ({data.content}; licence: {data.licence}) comes from {data.address}: put it "
        f"into {data_folder() / data.name}, or set {VARIABLE} to the folder that holds {data.name}"
    )
