"""Lightning data module: crops of images, or whole small images, for training and testing."""

import math
from functools import cached_property
from typing import Literal

from lightning.pytorch import LightningDataModule

from neural_collage.arguments import choice_problems
from neural_collage.core.isometry import N_ISOMETRIES
from neural_collage.data.crops import CropPlan, centre_crops, random_crops, tiles
from neural_collage.data.loader import CropLoader, Share
from neural_collage.data.sources import ImageSource, open_images
from neural_collage.data.store import ImageStore, MemoryBudget
from neural_collage.errors import ConfigError, DataError

Use = Literal["train", "val", "test"]
_BLOCK_BYTES = 2**26  # of crops cut together; an image with more crops may be decoded again
_USES: dict[str, tuple[Use, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
}


class ImageData(LightningDataModule):
    """Batches of crops, float32 (b, c, h, w) in [0, 1].

    Training uses random crops under random isometries, in an order that depends on the seed and the
    epoch alone: not on the number of workers or of processes that share a batch, nor on whether
    training was interrupted. Validation and testing use the same crops each time, upright.

    Args:
        train: images to train on: a folder (searched recursively), a parquet file or a folder of
            them, mnist, cifar10, ffhq, dota, a name on the Hugging Face hub, or an `ImageSource`,
            which selects a split or a part of these.
        val: images to validate on, likewise.
        test: images to test on, likewise.
        crop: height and width of the crops, one number if they are equal. For whole images, the
            size of the images.
        batch_size: crops in a batch, of all processes together, which share it equally.
        crops_per_image: random crops of each image in an epoch.
        augment: isometries of training crops: none, left-right mirror images, or all flips and
            rotations that keep the crop's shape.
        val_crops: crops to validate and test on: the centre of an image, or tiles that cover it.
        channels: 1 for grey, 3 for RGB.
        resize: length to which the shorter side of every image is resized first, in pixels.
        undersized: whether images smaller than the crop are an error or are skipped.
        binarise: random binarisation: once for each image (static), or for each crop (dynamic;
            validation is static all the same).
        bits: most significant bits of each sample to keep; 5 gives 32 values from 0 to 1.
        limit: largest number of images to use of each set.
        memory: bytes of decoded images to keep, in each process. Images beyond it are decoded once
            in every epoch (more often if their crops fill more than 64 MiB at a time).
        num_workers: threads that prepare batches ahead; 0 prepares each on request.
        seed: seed of shuffling, crops, isometries and binarisation.
        labelled: batches have the class of each image, too (`data.loader.Labelled`): the column
            `label` of a set of parquet files or of the hub.

    Raises:
        ValueError: invalid arguments, all of them in one message.
    """

    def __init__(
        self,
        train: str | ImageSource | None = None,
        val: str | ImageSource | None = None,
        test: str | ImageSource | None = None,
        *,
        crop: int | tuple[int, int] = 64,
        batch_size: int = 32,
        crops_per_image: int = 1,
        augment: Literal["none", "mirror", "all"] = "all",
        val_crops: Literal["centre", "tiles"] = "centre",
        channels: Literal[1, 3] = 3,
        resize: int | None = None,
        undersized: Literal["error", "skip"] = "error",
        binarise: Literal["none", "static", "dynamic"] = "none",
        bits: int = 8,
        limit: int | None = None,
        memory: int = 2**30,
        num_workers: int = 2,
        seed: int = 0,
        labelled: bool = False,
    ) -> None:
        super().__init__()
        self.sources: dict[Use, str | ImageSource | None] = {
            "train": train,
            "val": val,
            "test": test,
        }
        self.crop = (crop, crop) if isinstance(crop, int) else crop
        self.batch_size = batch_size
        self.crops_per_image = crops_per_image
        self.augment = augment
        self.val_crops = val_crops
        self.channels: Literal[1, 3] = channels
        self.resize = resize
        self.undersized = undersized
        self.binarise = binarise
        self.bits = bits
        self.limit = limit
        self.memory = memory
        self.num_workers = num_workers
        self.seed = seed
        self.labelled = labelled
        if problems := self._problems():
            raise ValueError("; ".join(problems))
        self._stores: dict[Use, ImageStore] = {}
        self._train_loader: CropLoader | None = None
        self._resume_at: dict[str, int] | None = None

    def setup(self, stage: str) -> None:
        """Open the images of a stage, so that errors in them are found before it begins.

        Raises:
            DataError, ImageError: see `open_images` and `ImageStore`.
            ConfigError: the batch size is not divisible by the number of processes.
        """
        self._share()
        without_val = stage == "fit" and self.sources["val"] is None
        if without_val and self.trainer is not None:
            self.trainer.limit_val_batches = 0
        for use in _USES.get(stage, ()):
            if not (without_val and use == "val"):
                self._store(use)

    def train_dataloader(self) -> CropLoader:
        store, share = self._store("train"), self._share()
        batch_size = self.batch_size // share.world
        overfit = getattr(self.trainer, "overfit_batches", 0) > 0
        codes = {"none": 1, "mirror": 2, "all": 4 if self.crop[0] != self.crop[1] else N_ISOMETRIES}

        def plan(epoch: int) -> CropPlan:
            return random_crops(
                store.sizes,
                self.crop,
                per_image=self.crops_per_image,
                batch=self.batch_size,
                isometries=codes[self.augment],
                seed=self.seed,
                epoch=0 if overfit else epoch,
            )

        self._train_loader = CropLoader(
            store,
            plan,
            self.crop,
            batch_size=batch_size,
            rounds=min(self.crops_per_image, self._batches_at_once(batch_size)),
            share=share,
            num_workers=self.num_workers,
            bits=self.bits,
            binary=self.binarise == "dynamic",
        )
        if self._resume_at is not None:
            self._train_loader.load_state_dict(self._resume_at)
            self._resume_at = None
        return self._train_loader

    def val_dataloader(self) -> CropLoader:
        return self._fixed_loader("val")

    def test_dataloader(self) -> CropLoader:
        return self._fixed_loader("test")

    def state_dict(self) -> dict[str, int]:
        """The position in the training images.

        Kept here because Lightning does not restore the state of a loader if a learning rate
        schedule has requested the number of steps before.
        """
        return {} if self._train_loader is None else self._train_loader.state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue from this position; raises what `CropLoader.load_state_dict` raises."""
        if self.trainer is not None and self.trainer.state.fn != "fit":
            return
        if self._train_loader is None:
            self._resume_at = state
        else:
            self._train_loader.load_state_dict(state)

    @cached_property
    def _budget(self) -> MemoryBudget:  # created late: locks cannot be pickled
        return MemoryBudget(self.memory)

    def _fixed_loader(self, use: Use) -> CropLoader:
        store = self._store(use)
        cut = tiles if self.val_crops == "tiles" else centre_crops
        plan, share = cut(store.sizes, self.crop), self._share()
        batch_size = self.batch_size // share.world
        return CropLoader(
            store,
            lambda epoch: plan,
            self.crop,
            batch_size=batch_size,
            rounds=self._batches_at_once(batch_size) if self.val_crops == "tiles" else 1,
            share=share,
            num_workers=self.num_workers,
            bits=self.bits,
        )

    def _store(self, use: Use) -> ImageStore:
        if use in self._stores:
            return self._stores[use]
        source = self.sources[use]
        if source is None:
            raise DataError(f"no images for {use}: set `{use}` of the data")
        images = open_images(
            source,
            use=use,
            channels=self.channels,
            resize=self.resize,
            labelled=self.labelled,
        )
        fixed = self.binarise == "static" or (self.binarise == "dynamic" and use != "train")
        self._stores[use] = ImageStore(
            images if self.limit is None else images.first(self.limit),
            self.crop,
            skip_small=self.undersized == "skip",
            budget=self._budget,
            binary_seed=self.seed if fixed else None,
        )
        return self._stores[use]

    def _batches_at_once(self, batch_size: int) -> int:
        return max(1, _BLOCK_BYTES // (batch_size * self.channels * math.prod(self.crop)))

    def _share(self) -> Share:
        if self.trainer is None:
            return Share()
        world = self.trainer.world_size
        if self.batch_size % world:
            raise ConfigError(
                f"data: batch_size={self.batch_size} does not divide among {world} processes: "
                "change it or the number of devices"
            )
        return Share(self.trainer.global_rank, world)

    def _problems(self) -> list[str]:
        counts = {
            "batch_size": self.batch_size,
            "crops_per_image": self.crops_per_image,
            "crop": min(self.crop),
            "limit": 1 if self.limit is None else self.limit,
        }
        problems = [f"{name} must be at least 1, not {n}" for name, n in counts.items() if n < 1]
        problems += choice_problems("augment", self.augment, ("none", "mirror", "all"))
        problems += choice_problems("val_crops", self.val_crops, ("centre", "tiles"))
        problems += choice_problems("undersized", self.undersized, ("error", "skip"))
        problems += choice_problems("binarise", self.binarise, ("none", "static", "dynamic"))
        if self.channels not in (1, 3):
            problems.append(f"channels must be 1 or 3, not {self.channels!r}")
        if not any(self.sources.values()):
            problems.append("no images: set train, val or test")
        if not 1 <= self.bits <= 8:
            problems.append(f"bits must be 1 to 8, not {self.bits}")
        if self.bits < 8 and self.binarise != "none":
            problems.append("binarise leaves one bit: leave bits at 8")
        if self.resize is not None and self.resize < max(self.crop):
            problems.append(f"resize={self.resize} is smaller than crop={self.crop}")
        if self.memory < 0 or self.num_workers < 0:
            problems.append("memory and num_workers must not be negative")
        return problems
