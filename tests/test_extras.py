"""Which missing modules an extra is blamed for."""

import pytest

from neural_collage.errors import MissingExtraError
from neural_collage.extras import needs_extra


def missing(extra: str, module: str) -> None:
    with needs_extra(extra):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)


@pytest.mark.parametrize(
    ("extra", "module"), [("encode", "torch"), ("encode", "torch.nn"), ("video", "av")]
)
def test_a_missing_module_names_its_extra(extra: str, module: str) -> None:
    with pytest.raises(MissingExtraError, match=rf'{module} .*"neural-collage\[{extra}\]"'):
        missing(extra, module)


@pytest.mark.parametrize("module", ["matplotlib", "neural_collage.nonesuch", "torchmetrics"])
def test_other_modules_are_not_blamed_on_the_extra_of_encoding(module: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        missing("encode", module)


def test_faults_of_the_package_are_no_missing_extras() -> None:
    with pytest.raises(ModuleNotFoundError):
        missing("video", "neural_collage.nonesuch")
