"""Opens folders, parquet files and data sets of the Hugging Face hub, all as `Images`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neural_collage.data import catalogue
from neural_collage.data.images import Images
from neural_collage.errors import DataError
from neural_collage.extras import needs_extra
from neural_collage.io.modes import PICTURE_SUFFIXES

with needs_extra("train"):
    import datasets
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined] # no __all__

KNOWN_NAMES = {
    "mnist": "ylecun/mnist",  # 28x28 digits; splits train, test
    "cifar10": "uoft-cs/cifar10",  # 32x32 photos; splits train, test
    "ffhq": "merkol/ffhq-256",  # 256x256 faces; split train
    "dota": "HichTala/dota",  # aerial scenes; splits train, validation, test
}
"""Short names of data sets on the hub, where images are in a column `image` or `img`."""

_SPLIT_NAMES = {"val": ("val", "validation", "valid", "dev")}
_COLUMNS, _LABEL = ("image", "img"), "label"
_PROBE_SECONDS = 5


@dataclass(frozen=True)
class ImageSource:
    """A set of images, or a part of it.

    Attributes:
        path: a folder of images, searched recursively; a parquet file, or a folder of them, with
            encoded images in a column `image` or `img`; mnist, cifar10, ffhq or dota; or the name
            of a data set on the Hugging Face hub, such as `ylecun/mnist`. What begins with `data/`
            is looked up in the folder that NEURAL_COLLAGE_DATA names, if that is set.
        split: the split; of a folder of images a subfolder, or several as in "train+test"; of
            `data` sets of the catalogue, as in "photos+bsds500/train". By
            default the split of the use (train, val or test), or the whole folder of images.
        start: the first image to use, in the order of rows or of the names of files.
        stop: the image to stop before, by default the end.
        every: use only every n-th of these, beginning with the first.
        except_every: leave out every n-th of these: the others of a set of which `every` validates,
            both of all classes where names are sorted by class.
    """

    path: str
    split: str | None = None
    start: int = 0
    stop: int | None = None
    every: int | None = None
    except_every: int | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise ValueError(
                f"start and stop must be 0 <= start < stop, not {self.start} and {self.stop}"
            )
        too_small = self.every is not None and self.every < 1
        if too_small or (self.except_every is not None and self.except_every < 2):
            raise ValueError(
                "every must be at least 1 and except_every at least 2, not "
                f"{self.every} and {self.except_every}"
            )

    def chosen(self, count: int) -> list[int]:
        """The indices of the images to use, of `count` in all."""
        indices = range(count)[self.start : self.stop]
        left_out = set(indices[:: self.except_every]) if self.except_every else set()
        return [index for index in indices[:: self.every] if index not in left_out]


def open_images(
    source: str | ImageSource,
    *,
    use: Literal["train", "val", "test"] = "train",
    channels: Literal[1, 3] = 3,
    resize: int | None = None,
    labelled: bool = False,
) -> Images:
    """Open a set of images without decoding any.

    use: selects the split if the source names none.
    channels: 1 converts colour to grey, 3 grey to RGB; alpha is dropped.
    resize: length of the shorter side after resizing, in pixels.
    labelled: keep the number of the class of each image, a column `label` of the set.

    Raises:
        DataError: there is no such set, no such split, no image in it, or the hub cannot be
            reached. The last takes a few seconds; data sets downloaded earlier still open.
    """
    source = ImageSource(source) if isinstance(source, str) else source
    together = source.path == catalogue.FOLDER
    path = catalogue.data_folder() if together else catalogue.resolve(source.path)
    if path.is_dir():
        parts = [path / name for name in (source.split or "").split("+")]
        if together:
            _check_sets(path, parts)
        seen = parts if all(part.is_dir() for part in parts) else [path]
        files = sorted(file for part in seen for file in part.rglob("*.parquet"))
        rows = _parquet_rows(files, source, use) if files else _folder_rows(path, parts)
    elif path.is_file():
        rows = _parquet_rows([path], source, use)
    elif known := catalogue.find(source.path):
        raise DataError(f"{path}: no such folder: {catalogue.how_to_get(known)}")
    elif source.path in KNOWN_NAMES or _may_be_on_hub(source.path):
        rows = _hub_rows(KNOWN_NAMES.get(source.path, source.path), source, use)
    else:
        raise DataError(
            f"{path}: no such folder or file: give a folder of images, a parquet file, "
            f"a name on the hub such as ylecun/mnist, or one of {', '.join(KNOWN_NAMES)}"
        )
    chosen = source.chosen(len(rows))
    if not chosen:
        raise DataError(
            f"{source.path}: holds {len(rows)} images, none left from {source.start} on: "
            "check the path, the split and `start`"
        )
    return Images(_columns(rows, source, labelled).select(chosen), source.path, channels, resize)


def _check_sets(folder: Path, parts: Sequence[Path]) -> None:
    """Raise DataError for the first missing one of some sets of the catalogue."""
    for part in parts:
        known = catalogue.find(Path(catalogue.FOLDER) / part.relative_to(folder))
        if known is not None and not part.is_dir():
            raise DataError(f"{part}: no such folder: {catalogue.how_to_get(known)}")


def _folder_rows(folder: Path, parts: Sequence[Path]) -> datasets.Dataset:
    for part in parts:
        if not part.is_dir():
            raise DataError(f"{part}: no such folder: leave out the split, or name a subfolder")
    paths = [
        path
        for part in parts
        for path in sorted(part.rglob("*"))
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")
    ]
    if not paths:
        raise DataError(
            f"{folder}: holds no images and no parquet files: an image ends in "
            f"{', '.join(PICTURE_SUFFIXES)}"
        )
    return datasets.Dataset.from_dict({"image": [str(p) for p in paths]})


def _parquet_rows(files: Sequence[Path], source: ImageSource, use: str) -> datasets.Dataset:
    """All rows of a single file; of several files, the rows of those of the split."""
    if len(files) > 1:
        names = {file: file.stem.split("-")[0] for file in files}  # train-00000-of-00002.parquet
        split = _choose_split(sorted(set(names.values())), source, use)
        files = [file for file in files if names[file] == split]
    elif source.split is not None:
        _choose_split([files[0].stem.split("-")[0]], source, use)
    with _quiet():
        try:
            return datasets.Dataset.from_parquet([str(file) for file in files])
        except Exception as error:  # damaged files raise many types of pyarrow and datasets
            cause = str(error.__cause__ or error).splitlines()[0]
            raise DataError(f"{files[0]}: not a readable parquet file: {cause}") from error


def _hub_rows(name: str, source: ImageSource, use: str) -> datasets.Dataset:
    reachable = _hub_has(name)
    remedy = (
        f"download it where there is a network (load_dataset({name!r}) of the package datasets), "
        "or give a local folder of images or of parquet files"
    )
    try:
        with _offline(not reachable):
            splits = datasets.load_dataset(name)
    except Exception as error:  # network, disk or format: the types have no common base
        cause = "cannot be loaded" if reachable else "the hub cannot be reached"
        detail = str(error).splitlines()[0] if reachable and str(error) else ""
        raise DataError(
            f"{source.path}: {cause}{detail and f' ({detail})'}, and no earlier download of "
            f"{name} was found: {remedy}"
        ) from error
    return splits[_choose_split(list(splits), source, use)]


def _hub_has(name: str) -> bool:
    """Whether the hub holds a data set; False if it does not answer within seconds.

    Checked first because `datasets` itself retries for half a minute.
    """
    try:
        huggingface_hub.HfApi().dataset_info(name, timeout=_PROBE_SECONDS)
    except RepositoryNotFoundError as error:
        raise DataError(
            f"{name}: neither a local folder or file nor a data set on the hub (a private one "
            f"needs `hf auth login`); short names are {', '.join(KNOWN_NAMES)}"
        ) from error
    except Exception:  # the types depend on the HTTP client of huggingface_hub
        return False
    return True


def _may_be_on_hub(path: str) -> bool:
    try:
        validate_repo_id(path)
    except HFValidationError:
        return False
    return path.count("/") == 1


def _choose_split(available: Sequence[str], source: ImageSource, use: str) -> str:
    accepted = (source.split,) if source.split is not None else _SPLIT_NAMES.get(use, (use,))
    for split in accepted:
        if split in available:
            return split
    raise DataError(
        f"{source.path}: no split {accepted[0]!r}, only {', '.join(available)}: name one of these "
        "as `split`, and hold out a part of it with `start` and `stop` if need be"
    )


def _columns(rows: datasets.Dataset, source: ImageSource, labelled: bool) -> datasets.Dataset:
    """The images, not decoded, as a column `image`; and their classes, if they are wanted."""
    column = next((name for name in _COLUMNS if name in rows.column_names), None)
    if column is None:
        raise DataError(
            f"{source.path}: no column {' or '.join(_COLUMNS)}, only {', '.join(rows.column_names)}"
        )
    if labelled and _LABEL not in rows.column_names:
        raise DataError(f"{source.path}: no column {_LABEL}, only {', '.join(rows.column_names)}")
    kept = [column, _LABEL] if labelled else [column]
    rows = rows.select_columns(kept).cast_column(column, datasets.Image(decode=False))
    return rows if column == "image" else rows.rename_column(column, "image")


@contextmanager
def _quiet() -> Iterator[None]:
    """Disable the progress bars of `datasets`, which appear even for a second of work."""
    enabled = not datasets.utils.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if enabled:
            datasets.enable_progress_bars()


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    """Restrict `datasets` to earlier downloads, if `offline`."""
    flags = (datasets.config, huggingface_hub.constants)
    before = [module.HF_HUB_OFFLINE for module in flags]
    for module, flag in zip(flags, before, strict=True):
        module.HF_HUB_OFFLINE = flag or offline
    try:
        yield
    finally:
        for module, flag in zip(flags, before, strict=True):
            module.HF_HUB_OFFLINE = flag
