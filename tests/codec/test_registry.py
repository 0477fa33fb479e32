import pytest

from neural_collage.codec.base import Layer, PictureEncoder
from neural_collage.codec.container import ColourSpace, Header
from neural_collage.codec.ids import codec_name, codec_number
from neural_collage.codec.registry import CODECS, CodecEntry, get_encoder, register_codec
from neural_collage.errors import CollageError, CollageFormatError


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_has_a_number_an_encoder_and_a_decoder(name: str) -> None:
    assert codec_name(codec_number(name)) == name
    assert isinstance(get_encoder(name), PictureEncoder)
    assert callable(CODECS[name].find_decoder())


def test_an_encoder_is_made_once_for_the_same_weights() -> None:
    assert get_encoder("neural") is get_encoder("neural", "natural") is get_encoder("auto")
    assert get_encoder("neural") is not get_encoder("neural", "aerial")


def test_numbers_are_part_of_the_format() -> None:
    shipped = {name: codec_number(name) for name in ("neural", "fractal", "poli2022")}
    assert shipped == {"neural": 2, "fractal": 1, "poli2022": 3}


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(CollageError, match="unknown codec 'jpeg': choose one of auto, fractal"):
        get_encoder("jpeg")


def test_a_model_for_a_codec_without_models_is_refused() -> None:
    with pytest.raises(CollageError, match="codec 'fractal' has no models to choose from"):
        get_encoder("fractal", "natural")


def test_an_unknown_number_is_a_format_error() -> None:
    with pytest.raises(CollageFormatError, match="codec number 255 is unknown to this program"):
        codec_name(255)


@pytest.mark.parametrize(
    ("name", "number"), [("fractal", 200), ("new", 1), ("new", 0), ("new", 256)]
)
def test_names_and_numbers_that_are_taken_or_out_of_range_are_refused(
    name: str, number: int
) -> None:
    def decode(payload: bytes, header: Header) -> tuple[Layer, ...]:
        raise AssertionError

    before = dict(CODECS)
    entry = CodecEntry(ColourSpace.RGB, encoder=lambda: get_encoder("fractal"), decoder=decode)
    with pytest.raises(ValueError, match=f"codec (number )?{number}"):
        register_codec(name, number, entry)
    assert dict(CODECS) == before
