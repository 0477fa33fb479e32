"""What measures processes and calls, and the views that other formats decode."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import neural_collage as nc
from benchmarks.speed import conversion
from benchmarks.speed.busy import slowdown
from benchmarks.speed.calls import Cost, cost, encode_seconds, limit_memory
from benchmarks.speed.peers import FORMATS, Peer
from benchmarks.speed.usage import MIB, Usage, median_usages, usage
from benchmarks.support.photos import photo
from benchmarks.support.processes import descendants, in_fresh_process, peak_bytes
from neural_collage.errors import CollageError

WITHOUT_TORCH = """
import sys
from pathlib import Path
from benchmarks.speed.calls import decode_cost, decode_seconds
file = Path(sys.argv[1])
decode_seconds({"neural": file}, "whole", 1, 1)
decode_cost(file, file, 1, 4096)
sys.exit("torch" in sys.modules)
"""


def program(text: str, *arguments: str) -> list[str]:
    """The command of a short program."""
    return [sys.executable, "-I", "-S", "-c", text, *arguments]


def _allocate(megabytes: int) -> Cost:
    return cost(lambda: np.ones(megabytes * 1_000_000, dtype=np.uint8).sum())[0]


def _allocate_within(limit: int, megabytes: int) -> Cost:
    limit_memory(limit)
    return _allocate(megabytes)


def _threads_of_tensors(picture: Path, threads: int) -> int:
    encode_seconds(picture, {"fractal": {"codec": "fractal", "effort": 0}}, {}, threads, 1)
    return int(sys.modules["torch"].get_num_threads())


def test_peak_memory_of_a_call_is_that_of_its_process_alone() -> None:
    held_by_the_parent = np.ones(800_000_000, dtype=np.uint8)
    found = in_fresh_process(_allocate, 300)
    assert peak_bytes() > held_by_the_parent.nbytes
    assert 280 < found.peak - found.idle_peak < 315  # 286 MiB


def test_peak_memory_of_a_command_is_its_own() -> None:
    held_by_the_parent = np.ones(800_000_000, dtype=np.uint8)
    idle, busy = (usage(program(f"x = b'x' * {size}")) for size in (0, 300_000_000))
    assert peak_bytes() > held_by_the_parent.nbytes
    assert 0 < idle.peak < 30
    assert 280 < busy.peak - idle.peak < 300


def test_seconds_of_a_command_are_those_of_the_clock_and_of_the_processor() -> None:
    asleep = usage(program("import time; time.sleep(0.5)"))
    assert asleep.seconds > 0.5 > asleep.cpu > 0
    assert asleep.row == {"s": asleep.seconds, "CPU s": asleep.cpu, "peak MiB": asleep.peak}


def test_commands_take_turns(tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = "import sys; print(sys.argv[2], file=open(sys.argv[1], 'a'), end='')"
    commands = {name: program(text, str(log), name) for name in "ab"}
    found = median_usages(commands, 3)
    assert log.read_text() == "ababab"
    assert all(isinstance(each, Usage) and each.peak * MIB > 1e6 for each in found.values())


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(CollageError, match=r"failed: No picture$"):
        usage(program("import sys; print('Opening'); sys.exit('No picture')"))


def test_memory_can_be_limited() -> None:
    with pytest.raises(MemoryError):
        in_fresh_process(_allocate_within, 400, 500)


def test_work_is_measured_alone_and_beside_a_busy_process() -> None:
    neighbours: list[int] = []
    before = len(descendants(os.getpid()))

    def work() -> float:
        neighbours.append(len(descendants(os.getpid())) - before)
        return float(10 * len(neighbours))

    found = slowdown(work, 3)
    assert neighbours == [0, 0, 1, 0, 1, 0, 1]
    assert (found.quiet, found.busy) == (40, 50)
    assert found.row == {"ms, quiet": 40e3, "ms, beside it": 50e3, "factor": 1.25}


def test_tensors_have_the_threads_of_the_measurement(file: Path) -> None:
    assert [in_fresh_process(_threads_of_tensors, file, threads) for threads in (1, 3)] == [1, 3]


def test_decodes_are_measured_without_torch(file: Path, tmp_path: Path) -> None:
    compressed = tmp_path / "picture.clg"
    compressed.write_bytes(nc.compress(file, codec="neural"))
    usage([sys.executable, "-c", WITHOUT_TORCH, str(compressed)])


@pytest.fixture(params=[peer for peer in FORMATS if peer.installed], ids=lambda peer: peer.name)
def peer(request: pytest.FixtureRequest) -> Peer:
    """Every format that is installed."""
    found = request.param
    assert isinstance(found, Peer)
    return found


def test_the_quality_of_other_formats_is_that_of_the_size(peer: Peer) -> None:
    picture = photo(None, 192, 128)
    large, small = (peer.of_size(picture, size) for size in (6000, 2500))
    sizes = [len(each.encode(picture)) for each in (large, small)]
    assert 0.95 * 6000 < sizes[0] < 1.2 * 6000
    assert 0.95 * 2500 < sizes[1] < 1.2 * 2500
    if peer.format != "JPEG2000":
        quality = large.options["quality"]
        assert isinstance(quality, int)
        lower = Peer(peer.name, peer.format, "", {**large.options, "quality": quality - 1})
        assert len(lower.encode(picture)) < 6000 <= sizes[0]


def test_views_of_other_formats(peer: Peer, tmp_path: Path) -> None:
    picture = photo(None, 640, 528)
    source = tmp_path / f"picture{peer.suffix}"
    source.write_bytes(peer.of_size(picture, 40_000).encode(picture))
    whole, window, eighth = (_converted(source, view, peer.plugin) for view in conversion.TITLES)
    assert (whole.size, window.size, eighth.size) == ((640, 528), (512, 512), (80, 66))
    assert np.array_equal(np.asarray(window), np.asarray(whole)[8:520, 64:576])
    averaged, found = (np.asarray(each, dtype=float).ravel() for each in (whole.reduce(8), eighth))
    assert np.corrcoef(averaged, found)[0, 1] > 0.9


def test_views_of_our_files(tmp_path: Path) -> None:
    source = tmp_path / "picture.clg"
    source.write_bytes(nc.compress(photo(None, 160, 96), codec="neural"))
    eighth = np.asarray(_converted(source, "eighth", "neural_collage"))
    assert np.array_equal(eighth, np.asarray(nc.load(source).to_pil(1 / 8)))


def _converted(source: Path, view: conversion.View, plugin: str | None) -> Image.Image:
    """What a process makes of a view."""
    target = source.with_suffix(".png")
    usage(conversion.command(source, target, view=view, plugin=plugin, threads=1))
    with Image.open(target) as image:
        image.load()
    return image
