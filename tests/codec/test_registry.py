import pytest

from neural_collage.codec.registry import CODECS, codec_by_id, codec_name, get_codec
from neural_collage.core.errors import CollageError, CollageFormatError


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_is_found_by_name_and_by_number(name: str) -> None:
    codec = get_codec(name)
    assert (codec.name, codec.id) == (name, CODECS[name].id)
    assert codec_name(codec.id) == name
    assert codec_by_id(codec.id).name == name


def test_numbers_are_part_of_the_format() -> None:
    assert {name: entry.id for name, entry in CODECS.items()} == {
        "neural": 2,
        "fractal": 1,
        "poli2022": 3,
    }


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(CollageError, match="unknown codec 'jpeg': choose one of fractal"):
        get_codec("jpeg")


def test_an_unknown_number_is_a_matter_of_the_file() -> None:
    with pytest.raises(CollageFormatError, match="codec number 255 is unknown to this program"):
        codec_by_id(255)
