"""The arguments of `evaluation_experiment` for the first pictures of a test set."""

from pathlib import Path

CONFIG = Path("configs/generation/mnist_collage.yaml")
"""That of the shipped digits."""


def of_first_pictures(config: Path, test: str, count: int) -> list[str]:
    """The arguments for `count` test pictures of a set, on the CPU and without validation."""
    part = f"{{path: {test}, stop: {count}}}"
    arguments = ["--config", str(config), "--data.init_args.val", "null"]
    return [*arguments, "--data.init_args.test", part, "--trainer.accelerator", "cpu"]
