from pathlib import Path

import pytest

from neural_collage.errors import ConfigError
from neural_collage.training.run.experiment import config_help, parse
from tests.training.toy_runs import CONFIG


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("--trainer.max_stepz=3", "unknown key trainer.max_stepz: did you mean trainer.max_steps?"),
        ("--trainer.max_step=3", "unknown key trainer.max_step: did you mean trainer.max_steps?"),
        ("--emma.decay=0.5", "unknown key emma.decay: did you mean ema.decay?"),
        ("--zzz=1", "unknown key zzz: known are checkpoints, data, ema, gradients, logging, model"),
        (
            "--model.init_args.noize=0.5",
            "unknown key model.init_args.noize: did you mean model.init_args.noise?",
        ),
        (
            "--model.init_args.optimiser.learning_rat=0.1",
            "unknown key model.init_args.optimiser.learning_rat: did you mean "
            "model.init_args.optimiser.learning_rate?",
        ),
        (
            "--model.init_args.model.init_args.widht=3",
            "unknown key model.init_args.model.init_args.widht: did you mean "
            "model.init_args.model.init_args.width?",
        ),
        ("--data.init_args.batch_siz=3", "did you mean data.init_args.batch_size?"),
        ("--data.init_args.xyz=3", "unknown key data.init_args.xyz: known are batch_size, count"),
        (
            "--model.init_args.optimiser.learning_rate=fast",
            "model.init_args.optimiser.learning_rate: Expected a float. Got value: fast",
        ),
        ("--trainer.max_steps=five", "trainer.max_steps: Expected a int. Got value: five"),
        (
            "--model.class_path=tests.training.toy.Nothing",
            "model.class_path: there is no tests.training.toy.Nothing",
        ),
        ("--data.class_path=no.such.Module", "data.class_path: there is no no.such.Module"),
        ("--model=tests.training.toy.Ramps", "model: .*not correspond to a subclass of Task"),
        ("stray", "unknown key stray"),
        ("--trainer.max_steps=-1", "trainer: set max_steps or max_epochs"),
    ],
)
def test_the_error_of_an_invalid_override_is_one_line_that_names_the_key(
    config_file: Path, override: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")) as caught:
        parse(["--config", str(config_file), override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "max_steps",
            "max_stepz",
            r"unknown key trainer.max_stepz: did you mean trainer.max_steps",
        ),
        (
            "optimiser:",
            "optimizer:",
            r"unknown key model.init_args.optimizer.*: did you mean model",
        ),
        (
            "learning_rate:",
            "learning_rat:",
            r"did you mean model.init_args.optimiser.learning_rate",
        ),
        ("width:", "widht:", r"unknown key model.init_args.model.init_args.widht: did you mean"),
        ("trainer:", "trainr:", r"unknown key trainr"),
        ("Denoising", "Denoisin", r"there is no tests.training.toy.Denoisin "),
        ("seed_everything: 0", "seed_everything: : {", r"Problems parsing config"),
        (CONFIG, "- 1\n- 2\n", r"Unexpected config"),
        (CONFIG, "", r"Unexpected config|set max_steps|required"),
        ("data:", "notes: {a: 1}\ndata:", r"unknown key notes"),
    ],
)
def test_the_error_of_an_invalid_file_is_one_line_that_names_the_key(
    config_file: Path, old: str, new: str, message: str
) -> None:
    config_file.write_text(CONFIG.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        parse(["--config", str(config_file)])
    assert "\n" not in str(caught.value)


def test_defaults_are_filled_in(config_file: Path) -> None:
    _, config = parse(["--config", str(config_file), "--model.init_args.optimiser.floor", "0.5"])
    assert config.model.init_args.optimiser.floor == 0.5
    assert config.gradients.clip_norm == 1.0
    assert config.trainer.default_root_dir == str(Path("runs", config_file.stem))


def test_later_files_override_earlier_ones(config_file: Path) -> None:
    other = config_file.with_name("other.yaml")
    other.write_text("trainer: {max_steps: 7}\n")
    _, config = parse(["--config", str(config_file), "--config", str(other)])
    assert config.trainer.max_steps == 7
    assert config.trainer.accelerator == "cpu"


def test_help_explains_every_key() -> None:
    text = " ".join(config_help().split())
    assert "--ema.decay" in text
    assert "Weight of the earlier average at each step" in text
    assert "--checkpoints.every_n_minutes" in text
    assert "Log to Weights & Biases" in text
