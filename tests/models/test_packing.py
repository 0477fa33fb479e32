"""Packed weights: bounds on rounding errors, and idempotence."""

import pytest
import torch
from torch import Tensor

from neural_collage.models.arrays_file import SCALE
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.packing import pack_state, unpack_state
from tests.models.compression.codecs import SMALL, lively_compressor

HALF, BYTE = 2.0**-11, 1 / 254  # errors relative to a number, and to the largest of its row


def state(patches: int = 16) -> dict[str, Tensor]:
    """The state of a model, with another number of patches."""
    result = dict(CodecModel.finish(lively_compressor()).state_dict())
    result["compressor.patches"] = torch.randn(patches, 3, 32, 32) / 10
    return result


def in_bytes(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in packed.items() if value.dtype == torch.int8}


@pytest.mark.parametrize("patches", [16, 64, 100])
def test_unpacking_restores_names_and_shapes(patches: int) -> None:
    given = state(patches)
    returned = unpack_state(pack_state(given))
    assert returned.keys() == given.keys()
    for name, value in returned.items():
        assert (value.shape, value.dtype) == (given[name].shape, given[name].dtype), name
        assert value.is_contiguous()


@pytest.mark.parametrize("patches", [16, 100])
def test_packing_is_idempotent(patches: int) -> None:
    packed = pack_state(state(patches))
    again = pack_state(unpack_state(packed))
    assert again.keys() == packed.keys()
    assert all(torch.equal(again[name], value) for name, value in packed.items())


@pytest.mark.parametrize("patches", [16, 100])
def test_rounding_errors_are_bounded(patches: int) -> None:
    given = state(patches)
    packed = pack_state(given)
    coarse = {name.removesuffix(".1") for name in in_bytes(packed)}
    for name, value in unpack_state(packed).items():
        if not value.is_floating_point():
            assert torch.equal(value, given[name])
            continue
        error = (value - given[name]).abs()
        bound = given[name].abs() * HALF + 2.0**-25
        if name in coarse:
            largest = given[name].flatten(1).abs().amax(1)
            rows = largest * BYTE * (1 + 2 * HALF) + 2.0**-25
            bound = torch.maximum(bound, rows.view(-1, *(1,) * (value.ndim - 1)))
        assert bool((error <= bound).all()), name


def test_only_the_later_patches_are_in_bytes() -> None:
    given = state(100)
    patches, returned = (
        given["compressor.patches"],
        unpack_state(pack_state(given))["compressor.patches"],
    )
    assert torch.equal(returned[:64], patches[:64].half().float())
    assert not torch.equal(returned[64:], patches[64:].half().float())


def test_weights_of_the_entropy_decoder_are_not_in_bytes() -> None:
    names = set(in_bytes(pack_state(state(100))))
    assert any(name.startswith("compressor.analysis.coarse") for name in names)
    assert any(name.startswith("compressor.entropy.side_analysis") for name in names)
    decoding = {name for name in names if name.startswith("compressor.entropy.")} - {
        name for name in names if "side_analysis" in name
    }
    assert not decoding
    assert "compressor.analysis.linear.weight" not in names
    assert not any(name.endswith("bias") for name in names)


def test_the_product_of_a_byte_and_a_half_is_exact() -> None:
    """For all bytes, and for half-precision scales down to the smallest."""
    numbers = torch.arange(-127, 128, dtype=torch.int8).expand(2000, -1)
    bits = torch.linspace(1, 0x7BFF, 2000).short()  # all finite positive halves, one in 16
    scales = bits.view(torch.float16)
    assert float(scales[0]) == 2.0**-24
    assert bool(scales.isfinite().all())
    product = unpack_state({"x": numbers, "x" + SCALE: scales})["x"]
    assert product.dtype == torch.float32
    assert torch.equal(product.double(), numbers.double() * scales.double()[:, None])


def test_a_row_of_zeros_stays_zero() -> None:
    name = "compressor.analysis.head.weight"
    value = torch.randn(5, 8, 1, 1)
    value[2] = 0
    returned = unpack_state(pack_state({name: value}))[name]
    assert bool((returned[2] == 0).all())
    assert bool(returned.isfinite().all())


def test_the_largest_number_of_a_row_uses_the_whole_range() -> None:
    for numbers in in_bytes(pack_state(state(100))).values():
        if numbers.numel():
            peaks = numbers.flatten(1).abs().amax(1)
            assert bool(((peaks == 127) | (peaks == 0)).all())


def test_unpacking_leaves_weights_that_are_not_packed() -> None:
    plain = CodecModel(SMALL).state_dict()
    returned = unpack_state(plain)
    assert returned.keys() == plain.keys()
    assert all(torch.equal(returned[name], value) for name, value in plain.items())


def test_a_model_loads_unpacked_weights() -> None:
    model = CodecModel.finish(lively_compressor())
    loaded = CodecModel(SMALL)
    loaded.load_state_dict(unpack_state(pack_state(model.state_dict())))
    assert torch.equal(loaded.steps, model.steps)
    assert torch.equal(loaded.counts, model.counts)
    images = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        values, expected = (m.eval().latents(images, 40) for m in (loaded, model))
    torch.testing.assert_close(values, expected, atol=0.1, rtol=0.02)
