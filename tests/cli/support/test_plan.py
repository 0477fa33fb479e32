from pathlib import Path

import pytest
import typer

from neural_collage.cli.support.plan import Plan, plan_jobs


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some files to plan for; their content does not matter here."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.png", "c.clg", "in/d.JPG", "in/deep/e.png", "in/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def plan(*inputs: str, output: str | None = None, overwrite: bool = False) -> Plan:
    return plan_jobs(
        inputs, output, searched=(".jpg", ".png"), written=(".clg", ".clgx"), overwrite=overwrite
    )


def pairs(planned: Plan) -> list[tuple[str, str]]:
    assert not planned.failures
    return [(str(job.source), str(job.target)) for job in planned.jobs]


def failures(planned: Plan) -> dict[str, str]:
    return {str(failure.source): str(failure.error) for failure in planned.failures}


def test_by_default_outputs_lie_beside_their_inputs() -> None:
    assert pairs(plan("a.jpg", "in")) == [
        ("a.jpg", "a.clg"),
        ("in/d.JPG", "in/d.clg"),
        ("in/deep/e.png", "in/deep/e.clg"),
    ]


@pytest.mark.parametrize("output", ["in", "new/"])
def test_a_folder_that_exists_or_ends_in_a_slash_is_a_folder_for_one_file_too(output: str) -> None:
    assert pairs(plan("a.jpg", output=output)) == [("a.jpg", f"{output.strip('/')}/a.clg")]


def test_the_output_for_several_inputs_is_a_folder() -> None:
    assert pairs(plan("a.jpg", "b.png", output="new")) == [
        ("a.jpg", "new/a.clg"),
        ("b.png", "new/b.clg"),
    ]


def test_relative_paths_of_an_input_folder_are_kept() -> None:
    assert pairs(plan("in", output="new")) == [
        ("in/d.JPG", "new/d.clg"),
        ("in/deep/e.png", "new/deep/e.clg"),
    ]


@pytest.mark.parametrize("output", ["x.clg", "x.CLGX"])
def test_the_output_for_one_input_is_a_file_if_its_suffix_is_known(output: str) -> None:
    assert pairs(plan("a.jpg", output=output)) == [("a.jpg", output)]


@pytest.mark.parametrize("output", ["x", "x.jpg"])
def test_any_other_suffix_is_a_usage_error(output: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"end a file in \.clg or \.clgx.* folder in /"):
        plan("a.jpg", output=output)


@pytest.mark.parametrize("inputs", [("a.jpg", "b.png"), ("in",)])
def test_a_file_cannot_take_several_outputs(inputs: tuple[str, ...]) -> None:
    with pytest.raises(typer.BadParameter, match=r"c\.clg is a file, but a folder is needed"):
        plan(*inputs, output="c.clg")


def test_dots_in_a_name_are_kept(folder: Path) -> None:
    (folder / "a.v2.jpg").touch()
    assert pairs(plan("a.v2.jpg")) == [("a.v2.jpg", "a.v2.clg")]


def test_hidden_files_are_skipped_unless_named(folder: Path) -> None:
    (folder / "in/deep/._e.png").touch()
    assert len(plan("in").jobs) == 2
    assert len(plan("in/deep/._e.png").jobs) == 1


def test_an_input_given_twice_is_one_job(folder: Path) -> None:
    named = plan("a.jpg", "a.jpg", str(folder / "a.jpg"), "in", "in/d.JPG", output=None)
    assert len(pairs(named)) == 3


def test_inputs_that_differ_in_their_suffix_alone_keep_it(folder: Path) -> None:
    (folder / "in/d.png").touch()
    assert pairs(plan("in", output="new")) == [
        ("in/d.JPG", "new/d.JPG.clg"),
        ("in/d.png", "new/d.png.clg"),
        ("in/deep/e.png", "new/deep/e.clg"),
    ]
    assert pairs(plan("in/d.JPG", "in/d.png", "in/d.JPG"))[1] == ("in/d.png", "in/d.png.clg")


def test_inputs_with_the_same_output_fail_and_others_are_kept(folder: Path) -> None:
    (folder / "in/deep/d.JPG").touch()
    planned = plan("in/d.JPG", "in/deep/d.JPG", "b.png", output="new")
    assert [str(job.source) for job in planned.jobs] == ["b.png"]
    assert failures(planned) == {
        "in/d.JPG": "new/d.JPG.clg is also the output of in/deep/d.JPG: rename one",
        "in/deep/d.JPG": "new/d.JPG.clg is also the output of in/d.JPG: rename one",
    }


def test_what_may_be_an_original_is_replaced_only_by_name(folder: Path) -> None:
    (folder / "b.clg").touch()

    def decode(output: str | None) -> Plan:
        return plan_jobs(
            ["b.clg"],
            output,
            searched=(".clg",),
            written=(".png", ".jpg"),
            overwrite=True,
            spare_beside=True,
        )

    message = "b.png may be the original of b.clg: -o b.png replaces it"
    assert failures(decode(None)) == {"b.clg": message}
    assert failures(decode(".")) == {"b.clg": message}
    assert pairs(decode("b.png")) == [("b.clg", "b.png")]
    (folder / "in/b.png").touch()
    assert pairs(decode("in")) == [("b.clg", "in/b.png")]
    (folder / "b.png").unlink()
    assert pairs(decode(None)) == [("b.clg", "b.png")]


def test_an_input_is_never_an_output(folder: Path) -> None:
    assert "is also an input" in failures(plan("c.clg", overwrite=True))["c.clg"]
    link = folder / "link.clg"
    link.symlink_to("a.jpg")
    assert "is also an input" in failures(plan("a.jpg", output="link.clg", overwrite=True))["a.jpg"]


def test_an_existing_output_needs_overwrite(folder: Path) -> None:
    (folder / "a.clg").touch()
    assert failures(plan("a.jpg")) == {"a.jpg": "a.clg exists: pass --overwrite to replace it"}
    assert len(plan("a.jpg", overwrite=True).jobs) == 1


def test_an_output_that_is_a_folder_is_never_replaced(folder: Path) -> None:
    (folder / "a.clg").mkdir()
    assert "a.clg is not a regular file" in failures(plan("a.jpg", overwrite=True))["a.jpg"]


def test_an_output_below_a_file_fails_before_any_work() -> None:
    assert "b.png is not a folder" in failures(plan("a.jpg", output="b.png/x/"))["a.jpg"]


def test_missing_inputs_and_empty_folders_fail(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert failures(plan("missing.jpg", "empty")) == {
        "missing.jpg": "missing.jpg: no such file",
        "empty": "empty: this folder holds no .jpg, .png files",
    }
