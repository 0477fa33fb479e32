import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageCms

from neural_collage.errors import ImageError, OutputError, PictureWarning
from neural_collage.io.limits import MAX_PROFILE_BYTES
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import image_bytes, to_pil

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def photo(rng: np.random.Generator) -> Image.Image:
    """5 wide, 3 high, no two pixels alike."""
    return Image.fromarray(rng.integers(0, 256, (3, 5, 3), dtype=np.uint8))


def samples(image: Image.Image) -> npt.NDArray[Any]:
    return np.asarray(image)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_plain_modes_come_back_unchanged(photo: Image.Image, mode: str, tmp_path: Path) -> None:
    image = photo.convert(mode)
    image.save(tmp_path / "x.png")
    picture = read_picture(tmp_path / "x.png")
    assert (picture.mode, picture.width, picture.height) == (mode, 5, 3)
    assert picture.pixels.dtype == torch.float32
    assert (samples(to_pil(picture.pixels)) == samples(image)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(photo: Image.Image, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = samples(photo)
    upright = [
        *(stored, stored[:, ::-1], stored[::-1, ::-1], stored[::-1]),
        *(stored.swapaxes(0, 1), np.rot90(stored, -1)),
        *(np.rot90(stored, 2).swapaxes(0, 1), np.rot90(stored)),
    ]
    photo.save(tmp_path / "x.png", exif=exif)
    picture = read_picture(tmp_path / "x.png")
    assert (samples(to_pil(picture.pixels)) == upright[orientation - 1]).all()


def test_damaged_exif_does_not_cost_the_picture(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "x.jpg", exif=b"Exif\0\0garbage")
    with pytest.warns(PictureWarning, match=r"x\.jpg: its EXIF data are left out: it is no TIFF"):
        assert read_picture(tmp_path / "x.jpg").mode == "RGB"


def test_a_palette_is_resolved(photo: Image.Image) -> None:
    indexed = photo.quantize(15)
    picture = read_picture(indexed)
    assert picture.mode == "RGB"
    assert (samples(to_pil(picture.pixels)) == samples(indexed.convert("RGB"))).all()


def test_a_transparent_palette_becomes_alpha(tmp_path: Path) -> None:
    indexed = Image.new("P", (2, 1))
    indexed.putpalette([255, 0, 0, 0, 255, 0])
    indexed.putpixel((1, 0), 1)
    indexed.save(tmp_path / "x.png", transparency=0)
    picture = read_picture(tmp_path / "x.png")
    assert picture.mode == "RGBA"
    assert samples(to_pil(picture.pixels)).tolist() == [[[255, 0, 0, 0], [0, 255, 0, 255]]]


@pytest.mark.parametrize(("mode", "key", "expected"), [("L", 7, "LA"), ("RGB", (7, 7, 7), "RGBA")])
def test_a_transparent_colour_becomes_alpha(
    mode: str, key: int | tuple[int, ...], expected: str, tmp_path: Path
) -> None:
    image = Image.new(mode, (2, 1), key)
    image.putpixel((1, 0), 200)
    image.save(tmp_path / "x.png", transparency=key)
    picture = read_picture(tmp_path / "x.png")
    assert picture.mode == expected
    assert picture.pixels[-1].tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("mode", "expected"), [("1", "L"), ("YCbCr", "RGB"), ("HSV", "RGB"), ("LAB", "RGB")]
)
def test_other_modes_are_converted(photo: Image.Image, mode: str, expected: str) -> None:
    image = photo.convert(mode)
    picture = read_picture(image)
    assert picture.mode == expected
    assert (samples(to_pil(picture.pixels)) == samples(image.convert(expected))).all()


@pytest.mark.parametrize("profile", [None, b"no profile at all", SRGB])
def test_cmyk_becomes_rgb_whatever_its_profile(profile: bytes | None, tmp_path: Path) -> None:
    Image.new("CMYK", (2, 2), (0, 255, 255, 0)).save(tmp_path / "x.tif", icc_profile=profile)
    problem = "its CMYK profile cannot be used" if profile else "CMYK without a profile"
    with pytest.warns(PictureWarning, match=rf"x\.tif: {problem}, colours are approximate"):
        picture = read_picture(tmp_path / "x.tif")
    assert (picture.mode, picture.icc_profile) == ("RGB", None)
    red, green, blue = picture.pixels[:, 0, 0].tolist()
    assert red > 0.8
    assert green < 0.3
    assert blue < 0.3


def test_a_profile_is_kept(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "x.png", icc_profile=SRGB)
    picture = read_picture(tmp_path / "x.png")
    assert picture.icc_profile == SRGB
    assert to_pil(picture.pixels, SRGB).info["icc_profile"] == SRGB


def test_an_oversized_profile_is_left_out_with_a_warning(photo: Image.Image) -> None:
    photo.info["icc_profile"] = bytes(MAX_PROFILE_BYTES + 1)
    with pytest.warns(PictureWarning, match="ICC profile"):
        assert read_picture(photo).icc_profile is None


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_sixteen_bit_grey_keeps_its_precision(suffix: str, tmp_path: Path) -> None:
    levels = np.array([[0, 1, 257], [40_000, 65_534, 65_535]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / f"x{suffix}")
    picture = read_picture(tmp_path / f"x{suffix}")
    assert picture.mode == "L"
    assert ((picture.pixels[0] * 65_535).round().numpy() == levels).all()


def test_deep_grey_outside_its_range_is_refused() -> None:
    with pytest.raises(ImageError, match="outside 0 to 1"):
        read_picture(Image.fromarray(np.full((2, 2), 65_536, dtype=np.int32)))
    with pytest.raises(ImageError, match="samples from -1 to -1 of full scale"):
        read_picture(Image.fromarray(np.full((2, 2), -1, dtype=np.float32)))


def test_an_animation_gives_its_first_frame_and_a_warning(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    with pytest.warns(PictureWarning, match=r"x\.gif: holds 3 frames, only the first"):
        picture = read_picture(tmp_path / "x.gif")
    assert picture.pixels[:, 0, 0].tolist() == [1, 0, 0]


def test_previews_in_a_camera_file_are_no_animation(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "x.jpg", format="MPO", save_all=True, append_images=[photo])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(tmp_path / "x.jpg").mode == "RGB"


def test_files_that_are_no_pictures_are_called_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture\n")
    (tmp_path / "cut.clg").write_bytes(b"\x89CLG\x01")
    for name, reason in {
        "missing.png": "no such file",
        "empty.png": "the file is empty",
        "text.png": "not a picture",
        "cut.clg": "the file is truncated",
        ".": "is a folder",
        "text.png/x.png": "cannot be read",
    }.items():
        with pytest.raises(ImageError, match=f"{name}: {reason}|{tmp_path}: {reason}") as caught:
            read_picture(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_every_truncation_is_a_picture_or_an_image_error(
    format_name: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    file = BytesIO()
    noise = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    noise.save(file, format_name)
    data = file.getvalue()
    path = tmp_path / "x"
    refused = 0
    for length in range(1, len(data), len(data) // 25):
        path.write_bytes(data[:length])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow says about the damage
            try:
                read_picture(path)
            except ImageError as error:
                refused += 1
                assert str(error).startswith(f"{path}: ")  # noqa: PT017
    assert refused > 15


def test_the_pixel_limit_is_pillows_or_a_lower_one(
    photo: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo.save(tmp_path / "x.png")
    assert read_picture(tmp_path / "x.png", max_pixels=15).width == 5
    with pytest.raises(ImageError, match=r"x.png: 5 x 3 pixels, above the limit of 14"):
        read_picture(tmp_path / "x.png", max_pixels=14)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)  # Pillow itself would only warn
    assert read_picture(tmp_path / "x.png").width == 5
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    with pytest.raises(ImageError, match=r"x.png: more pixels than Pillow's limit"):
        read_picture(tmp_path / "x.png")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_arrays_and_tensors_mean_the_same(channels: int, rng: np.random.Generator) -> None:
    array = rng.integers(0, 256, (3, 5, channels), dtype=np.uint8)
    expected = torch.from_numpy(array).permute(2, 0, 1) / 255
    for source in (
        array,
        array.astype(np.uint16) * 257,
        array / np.float64(255),
        torch.from_numpy(array).permute(2, 0, 1),
        expected.double().requires_grad_(),
    ):
        picture = read_picture(source)
        assert (picture.width, picture.height, len(picture.mode)) == (5, 3, channels)
        torch.testing.assert_close(picture.pixels, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[True, False]]), [1, 0]),
        (np.array([[0, 65535]], dtype=">u2"), [0, 1]),
        (np.array([[0.25, 1]], dtype=">f4"), [0.25, 1]),
        (np.array([[0.5, 1 + 1e-7]]), [0.5, 1]),
        (np.array([[-1e-7, 0.5]], dtype=np.float32), [0, 0.5]),
    ],
    ids=str,
)
def test_arrays_of_any_byte_order_and_with_rounding_are_read(
    array: npt.NDArray[Any], expected: list[float]
) -> None:
    assert read_picture(array).pixels.flatten().tolist() == expected


@pytest.mark.parametrize(("kind", "white"), [(torch.bool, 1), (torch.uint16, 65535)])
def test_tensors_of_bool_and_uint16_are_read(kind: torch.dtype, white: int) -> None:
    tensor = torch.tensor([[0, white]]).to(kind)
    assert read_picture(tensor).pixels.flatten().tolist() == [0, 1]


def test_the_bytes_of_a_file_and_open_files_are_read(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "x.png")
    expected = read_picture(tmp_path / "x.png").pixels
    data = (tmp_path / "x.png").read_bytes()
    with (tmp_path / "x.png").open("rb") as file:
        for source in (data, bytearray(data), memoryview(data), BytesIO(data), file):
            assert torch.equal(read_picture(source).pixels, expected)


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_bytes_that_are_no_picture_are_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"the picture: (the file is empty|not a picture)"):
        read_picture(data)


def test_channels_first_arrays_are_refused_with_a_remedy() -> None:
    with pytest.raises(ImageError, match=r"not \(3, 20, 30\): move the channels to the end"):
        read_picture(np.zeros((3, 20, 30)))


def test_whatever_a_damaged_header_makes_pillow_raise_is_an_image_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "x.dds").write_bytes(b"DDS ")

    def fail(*_: object, **__: object) -> None:
        raise NotImplementedError("unknown pixel format 33")

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(ImageError, match=r"x\.dds: damaged or incomplete .* format 33"):
        read_picture(tmp_path / "x.dds")


def test_grey_needs_no_channel_axis() -> None:
    assert read_picture(np.zeros((3, 5), dtype=np.uint8)).pixels.shape == (1, 3, 5)
    assert read_picture(torch.zeros(3, 5)).pixels.shape == (1, 3, 5)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (np.zeros((0, 5)), "empty, 5 x 0 pixels"),
        (np.zeros(5), "expected"),
        (np.zeros((2, 2, 5)), "1 to 4 channels"),
        (np.zeros((2, 2), dtype=np.int64), "expected .* not .* of int64"),
        (np.full((2, 2), np.nan), "NaN or infinite"),
        (np.full((2, 2), 1.5), "outside 0 to 1"),
        (torch.zeros(2, 2, dtype=torch.int64), "expected bool, uint8, uint16 or floats"),
        (torch.full((1, 2, 2), float("inf")), "NaN or infinite"),
        (torch.zeros(2, 2, 2, 2), "1 to 4 channels"),
        (torch.zeros(3, 2, 2).to_sparse(), "expected a dense tensor .*, not a sparse_coo tensor"),
        (torch.zeros(3, 2, 2, device="meta"), "expected a dense tensor .*, not a meta tensor"),
        (torch.zeros(3, 0, 2), "empty, 2 x 0 pixels"),
    ],
)
def test_unusable_arrays_are_refused(source: Any, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        read_picture(source)


def test_levels_round_half_up_and_clamp() -> None:
    pixels = torch.tensor([[[-1.0, 0.49 / 255, 0.5 / 255, 254.5 / 255, 2.0]]])
    assert samples(to_pil(pixels)).tolist() == [[0, 0, 1, 255, 255]]


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".webp", ".tiff", ".bmp"])
def test_a_picture_is_written_as_its_ending_says(photo: Image.Image, suffix: str) -> None:
    with Image.open(BytesIO(image_bytes(photo, suffix))) as image:
        assert image.format in {"PNG", "JPEG", "WEBP", "TIFF", "BMP"}
        assert image.size == photo.size


@pytest.mark.parametrize(
    ("suffix", "problem"),
    [
        (".jpg", r"a \.jpg file cannot hold .* mode RGBA"),
        (".nonsense", r"Pillow writes no \.nonsense files"),
        (".psd", r"Pillow writes no \.psd files"),  # it reads them
    ],
)
def test_a_format_that_cannot_hold_the_picture_says_so(suffix: str, problem: str) -> None:
    with pytest.raises(OutputError, match=problem):
        image_bytes(Image.new("RGBA", (2, 2)), suffix)
