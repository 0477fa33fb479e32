"""`collage fractalize`, `stylize`, `zoom`, `converge`, `restore` and `studio`."""

import json
import socket
from pathlib import Path

import pytest
from PIL import Image

import neural_collage as nc
from tests.cli.conftest import Photo, Run

FAST = ("--seconds", 0.2, "--fps", 10, "--size", "32x24")


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("fractalize a.png --tiles 4 -o x.png", (24, 16)),
        ("fractalize a.png --tiles 4 --scale 2.5 --contrast 0.2 --strength 0.5 -o x.jpg", (60, 40)),
        ("fractalize a.png --tiles 8 --domains 9 --isometries --adaptive -o x.png", (24, 16)),
        ("fractalize a.png --tiles 4 --network --steps 3 -o x.png", (24, 16)),
        ("fractalize a.png --tiles 4 --network --isometries --steps 3 -o x.png", (24, 16)),
        ("stylize a.png b.png -o x.png", (24, 16)),
        ("stylize a.png b.png --colors style --own 0.5 --patch 4 --scale 2 -o x.png", (48, 32)),
        ("stylize a.png b.png --network --steps 3 -o x.png", (24, 16)),
        ("stylize a.png b.png --network --isometries --steps 3 -o x.png", (24, 16)),
        ("zoom a.png --tiles 4 --factor 16 --size 30x20 -o x.png", (30, 20)),
        ("zoom a.png --codec fractal --center 0.2,0.9 --size 32 -o x.png", (32, 32)),
        ("restore inpaint a.png --mask mask.png -o x.png", (24, 16)),
        ("restore denoise a.png -o x.png", (24, 16)),
        ("restore denoise a.png --noise 20 -o x.png", (24, 16)),
        ("restore morph a.png b.png --at 0.3 -o x.png", (24, 16)),
        ("restore morph a.png b.png --steps 3 -o x.png", (24, 16)),
        ("restore enlarge a.png --scale 3 -o x.png", (72, 48)),
    ],
)
def test_a_picture_of_the_expected_size_is_written(
    collage: Run, photo: Photo, words: str, size: tuple[int, int]
) -> None:
    photo("a.png", (24, 16))
    photo("b.png", (40, 40))
    Image.new("L", (24, 16)).save("mask.png")
    result = collage(*words.split())
    assert (result.exit_code, result.stderr) == (0, "")
    name = words.split()[-1]
    assert result.stdout.startswith(f"{name}  {size[0]} x {size[1]}  ")
    assert len(result.stdout.splitlines()) == 1
    assert size_of(name) == size


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("fractalize a.png --network --domains 9", "leave out --domains and --adaptive"),
        ("fractalize a.png --network --adaptive", "leave out --domains and --adaptive"),
        ("stylize a.png b.png --isometries", "--isometries needs --network"),
    ],
)
def test_options_that_would_have_no_effect_are_refused(
    collage: Run, photo: Photo, words: str, problem: str
) -> None:
    photo("a.png", (24, 16))
    photo("b.png", (40, 40))
    result = collage(*words.split(), "-o", "x.png")
    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.replace("│", " ").split())
    assert not Path("x.png").exists()


@pytest.mark.parametrize(
    "words",
    [
        "fractalize a.png --tiles 4 -o x.gif",
        "stylize a.png b.png -o x.gif",
        "zoom a.png --tiles 4 -o x.mp4",
        "zoom a.clg --factor 8 -o x.webp",
        "converge a.png --steps 3 --start noise -o x.gif",
        "converge a.clg --steps 3 --start b.png -o x.mp4",
        "converge grey.clg --steps 2 --start b.png -o x.gif",
        "restore morph a.png b.png -o x.gif",
        "restore morph a.png b.png --steps 2 -o x.mp4",
    ],
)
def test_a_movie_is_written(collage: Run, photo: Photo, words: str) -> None:
    photo("a.png", (24, 16))
    photo("b.png", (40, 40))
    photo("grey.png", (24, 16), "L")
    for name in ("a", "grey"):
        nc.save(nc.encode(f"{name}.png", codec="fractal", graphics=False), f"{name}.clg")
    options = FAST if "zoom" in words or "ize" in words else FAST[:4]
    result = collage(*words.split(), *options, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    facts = json.loads(result.stdout)
    output = Path(words.split()[-1])
    assert facts["output"] == str(output)
    assert facts["bytes"] == output.stat().st_size > 300
    assert facts["frames"] >= 2
    assert (facts["width"], facts["height"]) == ((32, 24) if len(options) > 4 else (24, 16))


def test_quiet_commands_say_nothing(collage: Run, photo: Photo) -> None:
    photo("a.png", (24, 16))
    result = collage("restore", "enlarge", "a.png", "-o", "x.png", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert size_of("x.png") == (48, 32)


def test_inpainting_changes_only_masked_pixels(collage: Run, photo: Photo) -> None:
    photo("a.png", (32, 32))
    mask = Image.new("L", (32, 32))
    mask.paste(255, (10, 10, 14, 14))
    mask.save("mask.png")
    assert (
        collage("restore", "inpaint", "a.png", "--mask", "mask.png", "-o", "x.png").exit_code == 0
    )
    with Image.open("a.png") as before, Image.open("x.png") as after:
        different = [
            (x, y)
            for x in range(32)
            for y in range(32)
            if before.getpixel((x, y)) != after.getpixel((x, y))
        ]
    assert different
    assert all(10 <= x < 14 and 10 <= y < 14 for x, y in different)


COMMANDS = [
    "fractalize a.png",
    "stylize a.png a.png",
    "zoom a.png",
    "converge a.png",
    "restore inpaint a.png --mask a.png",
    "restore denoise a.png",
    "restore morph a.png a.png",
    "restore enlarge a.png",
]


@pytest.mark.parametrize("words", COMMANDS)
def test_an_output_is_replaced_only_with_overwrite(collage: Run, photo: Photo, words: str) -> None:
    photo("a.png")
    name = "x.gif" if "converge" in words else "x.png"
    Path(name).write_text("mine")
    result = collage(*words.split(), "-o", name)
    assert result.exit_code == 1
    assert "--overwrite" in result.output
    assert Path(name).read_text() == "mine"


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [("x.txt", 2, "end it in"), ("there/x.gif", None, "no such folder")],
)
def test_unusable_outputs_are_refused_before_work(
    collage: Run, photo: Photo, words: str, name: str, code: int | None, reason: str
) -> None:
    photo("a.png")
    if "restore" in words and "morph" not in words:
        name = name.replace(".gif", ".png")
    result = collage(*words.split(), "-o", name)
    assert result.exit_code == (code or 1)
    assert reason in " ".join(result.output.replace("│", "").split())


@pytest.mark.parametrize("words", COMMANDS)
def test_errors_name_inputs_that_are_no_pictures(collage: Run, words: str) -> None:
    Path("a.png").write_bytes(b"no picture")
    result = collage(*words.split(), "-o", "x.gif" if "converge" in words else "x.png")
    assert result.exit_code == 1
    assert "a.png" in result.output
    assert not list(Path().glob("x.*"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("zoom a.png -o x.gif --center 3", "--center 3: give two fractions"),
        ("zoom a.png -o x.gif --center 0.5,7", "give two parts from 0 to 1"),
        ("zoom a.png -o x.gif --size 1", "--size 1: give 2 to 8192"),
        ("zoom a.png -o x.gif --size 3xx", "--size 3xx: give N or WxH"),
        ("zoom a.png -o x.gif --fps 0", "--fps 0"),
        ("zoom a.png -o x.gif --seconds nan", "--seconds nan"),
        ("zoom a.png -o x.gif --factor 0", "magnifies by 1 to"),
        ("zoom a.png -o x.gif --codec jpeg", "'jpeg' is not one of 'tiles', 'fractal', 'neural'"),
        ("stylize a.png a.png -o x.png --colors mine", "'mine' is not one of 'content', 'style'"),
        ("fractalize a.png -o x.png --scale 0", "--scale 0"),
        ("fractalize a.png -o x.png --scale 1e6", "above the limit"),
        ("fractalize a.png -o x.png --tiles 1", "tiles across must be a whole number, 2 to 512"),
        ("converge a.png -o x.png", "--output x.png: end it in"),
        ("converge a.png -o x.gif --steps 0", "steps must be at least 1"),
        ("restore denoise a.png -o x.png --noise -1", "--noise -1: give 0 to 255"),
        ("restore morph a.png a.png -o x.png --at 2", "share must be 0 to 1"),
        ("restore morph a.png a.png -o x.png --steps 0", "--steps 0"),
        ("restore enlarge a.png -o x.png --scale 0", "--scale 0"),
        ("restore enlarge a.png -o x.png --codec zip", "'zip' is not one of 'neural', 'fractal'"),
        ("studio --port 0", "--port 0: give 1 to 65535"),
    ],
)
def test_options_out_of_range_are_explained(
    collage: Run, photo: Photo, words: str, reason: str
) -> None:
    photo("a.png")
    result = collage(*words.split())
    assert result.exit_code in (1, 2)
    message = f"{result.output} {result.exception}".replace("│", "")
    assert reason in " ".join(message.split())


def test_the_error_names_a_port_in_use(collage: Run) -> None:
    pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = collage("studio", "--port", port)
    assert result.exit_code == 1
    assert f"127.0.0.1:{port} cannot be listened on" in " ".join(result.output.split())
    assert "--port" in " ".join(result.output.split())


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_listening_on_all_addresses_warns(
    collage: Run, monkeypatch: pytest.MonkeyPatch, host: str, warned: bool
) -> None:
    pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
    from neural_collage.web import app

    served: list[tuple[str, int]] = []
    monkeypatch.setattr(app, "serve", lambda *where: served.append(where))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = collage("studio", "--host", host, "--port", port)
    assert result.exit_code == 0
    assert served == [(host, port)]
    assert ("no passwords" in " ".join(result.output.split())) == warned
