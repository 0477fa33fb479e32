"""The Pillow plugin keeps metadata, and reads files of any kind, in threads and processes."""

import os
import pickle
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps

import neural_collage as nc
from neural_collage.errors import PictureWarning
from neural_collage.io.exif import PREFIX
from tests.codec.streams.segmented import Parts
from tests.conformance.decode import FOLDER
from tests.exif_data import exif_data, xmp_packet
from tests.pictures import texture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def image() -> Image.Image:
    """12 wide, 8 high, darker below."""
    ramp = np.linspace(250, 5, 8).astype(np.uint8)
    return Image.fromarray(np.repeat(np.repeat(ramp, 12).reshape(8, 12, 1), 3, axis=2))


def saved(image: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, "CLG", effort=0, **options)
    return file.getvalue()


def info(data: bytes) -> dict[Any, Any]:
    with Image.open(BytesIO(data)) as opened:
        return opened.info


# Metadata


def test_info_comes_back_from_files_byte_for_byte(image: Image.Image, tmp_path: Path) -> None:
    exif, xmp = PREFIX + exif_data(1, "big"), xmp_packet(padding=100_000)
    image.info = {"exif": exif, "xmp": xmp, "icc_profile": SRGB}
    expected = dict(image.info)
    image.save(tmp_path / "x.clg", effort=0)
    with Image.open(tmp_path / "x.clg") as opened:
        assert opened.info == expected
        assert opened.getexif()[ExifTags.Base.Make] == "A good make"
        assert opened.getexif().get_ifd(ExifTags.IFD.GPSInfo)[2] == (47, 22, 33)
        opened.load()
        assert opened.info == expected
        again = opened.resize((6, 4))
    assert info(saved(again)) == expected
    assert nc.load(tmp_path / "x.clg").to_pil().info == expected
    assert image.info == expected


def test_options_replace_info(image: Image.Image) -> None:
    image.info = {"exif": PREFIX + exif_data(1), "xmp": xmp_packet(), "icc_profile": SRGB}
    other = Image.Exif()
    other[ExifTags.Base.Artist] = "somebody"
    found = info(saved(image, exif=other, xmp="<x/>", icc_profile=None))
    assert found == {"exif": other.tobytes(), "xmp": b"<x/>"}
    assert info(saved(image, exif=exif_data(1, "big")))["exif"] == PREFIX + exif_data(1, "big")
    for nothing in (None, b"", Image.Exif()):
        assert info(saved(image, exif=nothing, xmp=None)) == {"icc_profile": SRGB}


def test_strip_leaves_out_metadata_and_keeps_the_profile(image: Image.Image) -> None:
    image.info = {"exif": PREFIX + exif_data(1), "xmp": xmp_packet(), "icc_profile": SRGB}
    assert info(saved(image, strip="all")) == {"icc_profile": SRGB}
    found = info(saved(image, strip="gps"))
    assert set(found) == {"exif", "xmp", "icc_profile"}
    assert b"GPS" not in found["xmp"]
    with Image.open(BytesIO(saved(image, strip="gps"))) as opened:
        assert opened.getexif().get_ifd(ExifTags.IFD.GPSInfo) == {}
        assert opened.getexif().get_ifd(ExifTags.IFD.Exif)[0x9003] == "2026:11:27 12:00:00"


@pytest.mark.parametrize("given", [False, True], ids=["in info", "as option"])
def test_an_orientation_is_applied_once(image: Image.Image, given: bool) -> None:
    exif = PREFIX + exif_data(6)
    if not given:
        image.info["exif"] = exif
    data = saved(image, **({"exif": exif} if given else {}), quality=95)
    with Image.open(BytesIO(data)) as opened:
        assert opened.size == (8, 12)
        assert opened.info["exif"] == PREFIX + exif_data(1)
        left, right = (int(np.asarray(opened)[6, x, 0]) for x in (0, 7))
        assert right > left + 100  # what was above is on the right
        assert ImageOps.exif_transpose(opened).size == (8, 12)
    again = saved(Image.open(BytesIO(data)), quality=95)
    assert Image.open(BytesIO(again)).size == (8, 12)


def test_damaged_metadata_do_not_cost_the_picture(image: Image.Image) -> None:
    with pytest.warns(PictureWarning, match="EXIF data are left out: it is no TIFF structure"):
        assert info(saved(image, exif=b"garbage", xmp="<x/>")) == {"xmp": b"<x/>"}


# Files


def test_verify_checks_the_file_and_leaves_it_to_be_opened_again(image: Image.Image) -> None:
    data = saved(image)
    opened = Image.open(BytesIO(data))
    opened.verify()
    with pytest.raises(OSError, match="cannot load this image"):
        opened.load()
    opened = Image.open(BytesIO(data))
    opened.load()
    with pytest.raises(RuntimeError, match="directly after open"):
        opened.verify()


def test_verify_refuses_what_may_be_loaded_in_part(
    image: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = saved(image)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    opened = Image.open(BytesIO(data[:-2]))
    with pytest.raises(nc.CollageFormatError, match="truncated"):
        opened.verify()


def test_a_closed_image_is_closed(image: Image.Image) -> None:
    opened = Image.open(BytesIO(saved(image)))
    opened.close()
    with pytest.raises((ValueError, OSError), match=r"closed|cannot load"):
        opened.load()


@pytest.mark.parametrize("decoded", [False, True])
def test_images_can_be_pickled_and_copied(image: Image.Image, decoded: bool) -> None:
    opened = Image.open(BytesIO(saved(image, xmp="<x/>")))
    if decoded:
        opened.load()
    copy = pickle.loads(pickle.dumps(opened))
    copy.load()
    assert copy.info == opened.info
    np.testing.assert_array_equal(np.asarray(copy), np.asarray(opened), strict=True)


def test_pipes_are_read_and_written(image: Image.Image) -> None:
    for transfer in ("read", "written"):
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
            if transfer == "read":
                sink.write(saved(image))
                sink.close()
                with Image.open(source) as opened:
                    assert np.asarray(opened).shape == (8, 12, 3)
            else:
                image.save(sink, "CLG", effort=0)
                sink.close()
                assert source.read() == saved(image)


@pytest.mark.parametrize("calls", ["", "Image.preinit()", "Image.init()"])
@pytest.mark.parametrize("late", [False, True])
def test_the_import_registers_the_format_before_and_after_pillow_does_its_own(
    image: Image.Image, calls: str, late: bool, tmp_path: Path
) -> None:
    image.save(tmp_path / "x.clg", effort=0)
    image.save(tmp_path / "x.png")
    steps = ["import neural_collage", calls]
    program = "\n".join(
        (
            "from PIL import Image",
            *(reversed(steps) if late else steps),
            "assert Image.registered_extensions()['.clg'] == 'CLG'",
            "assert Image.open('x.clg').size == Image.open('x.png').size",
            "assert Image.open(open('x.clg', 'rb'), formats=['CLG']).format == 'CLG'",
        )
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_a_thumbnail_reads_the_groups_that_it_shows() -> None:
    """Those of finer scales may be anything."""
    image = nc.load(FOLDER / "neural-segments.clg")
    spoiled = Parts.of(image).with_segment(4, 0, b"\xff" * 9).to_bytes()
    with Image.open(BytesIO(image.to_bytes())) as whole, Image.open(BytesIO(spoiled)) as rest:
        whole.thumbnail((8, 8))
        rest.thumbnail((8, 8))
        assert rest.size == (8, 6)
        np.testing.assert_array_equal(np.asarray(rest), np.asarray(whole), strict=True)
    with Image.open(BytesIO(spoiled)) as rest, pytest.raises(nc.CollageFormatError):
        rest.load()


# Threads and processes


def pixels(data: bytes) -> bytes:
    with Image.open(BytesIO(data)) as opened:
        return opened.tobytes()


@pytest.fixture
def files() -> list[bytes]:
    picture = texture(150, 200, 3)
    return [nc.compress(picture, codec=c, effort=0, graphics=False) for c in ("neural", "fractal")]


def test_files_are_read_in_threads(files: list[bytes]) -> None:
    expected = [pixels(file) for file in files]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(pixels, files * 4)) == expected * 4
    with Image.open(BytesIO(files[0])) as shared, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: shared.load(), range(8)))
        assert shared.tobytes() == expected[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_files_are_read_and_written_in_forked_processes(files: list[bytes]) -> None:
    """Also while other threads of the parent decode, whose locks are held for ever in the child."""
    expected = [pixels(file) for file in files]
    done = threading.Event()

    def decode() -> None:
        while not done.is_set():
            pixels(files[0])

    busy = threading.Thread(target=decode)
    busy.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python 3.12 on forks beside threads
            with get_context("fork").Pool(1) as pool:
                assert pool.map_async(pixels, files).get(120) == expected
                assert pool.apply_async(saved, [Image.new("L", (40, 30), 9)]).get(120)
    finally:
        done.set()
        busy.join()
