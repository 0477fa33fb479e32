from pathlib import Path

import numpy as np
import pytest

from neural_collage.codec.streams.fractal import encode_planes
from neural_collage.fractal.contexts import TABLES
from neural_collage.fractal.effort import EFFORTS
from neural_collage.fractal.statistics import INCREMENT, KINDS, Counter, Counts, flat_counts
from neural_collage.fractal.syntax import code_plane
from neural_collage.io.writing import to_pil
from neural_collage.training.export import fractal_priors
from tests.pictures import texture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures, and something else."""
    path = tmp_path_factory.mktemp("pictures")
    to_pil(texture(48, 40, 3, seed=1)).save(path / "a.png")
    to_pil(texture(40, 64, 3, seed=2)).save(path / "b.PNG")
    (path / "notes.txt").write_text("not a picture")
    return path


def bits(priors: dict[str, Counts]) -> float:
    """Bits of one of the pictures with these tables, encoded for the flat ones."""
    total = 0.0
    effort = EFFORTS[2]
    flat = {kind: flat_counts() for kind in KINDS}
    for code, spec in encode_planes(texture(40, 64, 3, seed=2), 50, effort, flat):
        counts = {table: rows.copy() for table, rows in priors[spec.kind].items()}
        counter = Counter(counts)
        code_plane(counter, code.geometry, code.contrasts.shape[1], code)
        total += sum(counter.bits.values())
    return total


def test_learned_priors_reduce_the_rate_of_their_pictures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "priors.npz"
    arguments = ["fractal_priors", str(folder), "-o", str(output), "--rounds", "1"]
    monkeypatch.setattr("sys.argv", [*arguments, "--effort", "2", "--strength", "50"])
    monkeypatch.setattr(fractal_priors, "QUALITIES", (50,))
    fractal_priors.main()
    with np.load(output, allow_pickle=False) as data:
        assert set(data) == {f"{kind}/{table}" for kind in KINDS for table in TABLES}
        priors = {
            kind: {table: data[f"{kind}/{table}"].astype(np.int64) for table in TABLES}
            for kind in KINDS
        }
    for kind in KINDS:
        for table, shape in TABLES.items():
            assert priors[kind][table].shape == shape
            assert priors[kind][table].min() >= 1
    assert bits(priors) < 0.95 * bits({kind: flat_counts() for kind in KINDS})


def test_observation_counts_in_whole_increments(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fractal_priors, "QUALITIES", (50,))
    flat = {kind: flat_counts() for kind in KINDS}
    observed = fractal_priors.symbol_counts(folder / "a.png", flat, 0)
    for kind in KINDS:
        for table, counts in observed[kind].items():
            assert (counts % INCREMENT == 0).all()
            np.testing.assert_array_equal(flat[kind][table], flat_counts()[table])
    assert observed["luma"]["root"].sum() == 4 * INCREMENT  # 48 x 40 pixels
    assert observed["chroma"]["root"].sum() == 2 * 1 * INCREMENT


def test_condensed_counts_are_bounded_and_positive() -> None:
    background = flat_counts()
    observed = {table: counts * 1000 for table, counts in background.items()}
    rescaled = fractal_priors.rescale_counts(observed, background, strength=40)
    for table, counts in rescaled.items():
        assert counts.min() >= 1
        assert (counts.sum(1) <= 40 * INCREMENT + counts.shape[1]).all()
        np.testing.assert_array_equal(counts.argmax(1), background[table].argmax(1))


def test_a_folder_without_pictures_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fractal_priors", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        fractal_priors.main()
    assert stopped.value.code == 2
    assert "holds no pictures" in capsys.readouterr().err
