from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neural_collage.core.copies import FloatArray, IntArray, require_earlier, roots, solve


def random_sources(count: int, rng: np.random.Generator, share: float = 0.8) -> IntArray:
    """Links to any earlier pixel, and some pixels without a link."""
    sources = np.arange(count)
    linked = (rng.random(count) < share) & (sources > 0)
    sources[linked] = rng.integers(0, sources[linked])
    return sources


def chased(sources: IntArray) -> IntArray:
    """The roots, link by link."""
    ends = []
    for pixel in sources.tolist():
        end = pixel
        while sources[end] != end:
            end = sources[end]
        ends.append(end)
    return np.array(ends, np.int64)


def in_raster_order(sources: IntArray, weights: FloatArray, constants: FloatArray) -> FloatArray:
    """The fixed point, pixel by pixel: what a link reads is known."""
    z = constants.copy()
    for pixel, source in enumerate(sources.tolist()):
        if source != pixel:
            z[pixel] += weights[pixel] * z[source]
    return z


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, 1000])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_roots_are_where_chains_end(count: int, share: float, rng: np.random.Generator) -> None:
    sources = random_sources(count, rng, share)
    require_earlier(sources)
    found = roots(sources)
    np.testing.assert_array_equal(found, chased(sources))
    np.testing.assert_array_equal(roots(found), found)
    np.testing.assert_array_equal(found[sources], found)  # a link does not change the root


class Counted(np.ndarray[Any, np.dtype[np.int64]]):
    """An array that counts the gathers from it and from all that it gives."""

    gathers = 0

    def __getitem__(self, key: Any) -> Any:
        Counted.gathers += isinstance(key, np.ndarray)
        return super().__getitem__(key)


@pytest.mark.parametrize("count", [2, 3, 64, 1000, 1 << 16, (1 << 16) + 1])
def test_a_chain_through_all_pixels_takes_a_logarithmic_number_of_gathers(count: int) -> None:
    chain = np.maximum(np.arange(count) - 1, 0)
    Counted.gathers = 0
    assert not roots(chain.view(Counted)).any()
    assert Counted.gathers <= np.ceil(np.log2(count)) + 1


WEIGHTS: dict[str, Callable[[np.random.Generator, int], FloatArray]] = {
    "one": lambda rng, n: np.ones(n),
    "minus one": lambda rng, n: -np.ones(n),
    "zero": lambda rng, n: np.zeros(n),
    "any": lambda rng, n: rng.uniform(-1.5, 1.5, n),
    "some": lambda rng, n: rng.normal(size=n) * rng.integers(0, 2, n),
}


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("count", [1, 2, 17, 120])
def test_the_fixed_point_is_the_solution_of_the_linear_system(
    name: str, count: int, rng: np.random.Generator
) -> None:
    sources, constants = random_sources(count, rng, 0.9), rng.normal(size=count)
    weights = WEIGHTS[name](rng, count)
    matrix = np.zeros((count, count))
    linked = np.flatnonzero(sources != np.arange(count))
    matrix[linked, sources[linked]] = weights[linked]
    exact = np.linalg.solve(np.eye(count) - matrix, constants)
    given = [array.copy() for array in (sources, weights, constants)]
    z = solve(sources, weights, constants)
    np.testing.assert_allclose(z, exact, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(z, in_raster_order(sources, weights, constants), rtol=1e-9)
    for array, before in zip((sources, weights, constants), given, strict=True):
        np.testing.assert_array_equal(array, before)  # arguments stay as they are


def test_large_weights_along_a_chain_are_no_obstacle() -> None:
    """Nothing has to contract: the map is nilpotent."""
    count = 60
    chain = np.maximum(np.arange(count) - 1, 0)
    z = solve(chain, np.full(count, 2.0), np.ones(count))
    np.testing.assert_array_equal(z, 2.0 ** np.arange(1, count + 1) - 1)


def test_exact_copies_repeat_their_roots(rng: np.random.Generator) -> None:
    sources, values = random_sources(500, rng), rng.normal(size=500)
    is_root = sources == np.arange(500)
    z = solve(sources, np.ones(500), np.where(is_root, values, 0.0))
    np.testing.assert_array_equal(z, values[roots(sources)])


@pytest.mark.parametrize("sources", [[], [0], [0, 0], [0, 1, 1], [0, 1, 2]])
def test_links_that_point_back_or_nowhere_are_accepted(sources: list[int]) -> None:
    require_earlier(np.array(sources, np.int64))


@pytest.mark.parametrize("sources", [[1], [-1], [0, 2], [1, 0], [0, -1], [0, 1, 3], [0, 2, 1]])
def test_links_that_point_forward_or_outside_are_refused(sources: list[int]) -> None:
    with pytest.raises(ValueError, match="outside of the picture or comes after"):
        require_earlier(np.array(sources, np.int64))
