import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_collage.codec.varints import read_varint, varint
from neural_collage.errors import CollageFormatError

LARGEST = (1 << 63) - 1  # in 9 bytes


@given(st.integers(0, LARGEST), st.binary(max_size=3), st.binary(max_size=3))
def test_numbers_come_back_from_the_middle_of_data(value: int, before: bytes, after: bytes) -> None:
    data = before + varint(value) + after
    assert read_varint(data, len(before)) == (value, len(data) - len(after))


@given(st.integers(0, LARGEST))
def test_numbers_take_seven_bits_a_byte(value: int) -> None:
    assert len(varint(value)) == max(1, -(-value.bit_length() // 7))


@given(st.binary(max_size=12))
def test_every_number_has_one_form(data: bytes) -> None:
    try:
        value, end = read_varint(data, 0)
    except CollageFormatError as error:
        assert str(error).startswith(("the file is truncated", "malformed number"))  # noqa: PT017
    else:
        assert varint(value) == data[:end]


@given(st.integers(0, LARGEST))
def test_a_number_that_breaks_off_is_refused(value: int) -> None:
    with pytest.raises(CollageFormatError, match="truncated: a number expected at"):
        read_varint(varint(value)[:-1], 0)


@pytest.mark.parametrize(
    "data", [b"\x80\x00", b"\xff\x80\x00", b"\x80" * 9 + b"\x01", b"\x80" * 20]
)
def test_longer_forms_are_refused(data: bytes) -> None:
    with pytest.raises(CollageFormatError, match="malformed number before byte"):
        read_varint(data, 0)
