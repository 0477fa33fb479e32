from itertools import product
from math import log2

import numpy as np
import pytest

from neural_collage.codec.graphics import mixing
from neural_collage.codec.graphics.index_map import HashArray
from neural_collage.codec.graphics.mixing import LEAST, ONE, Mixer
from neural_collage.core.copies import IntArray

LIMITS = (255, 30, 4)
LOG_SIZE = 6


def hashes_of(contexts: IntArray) -> HashArray:
    """Contexts below 2^LOG_SIZE as hashes, whose highest bits count."""
    return contexts.astype(np.uint64) << np.uint64(64 - LOG_SIZE)


def coded(mixer: Mixer, contexts: IntArray, selectors: IntArray, bits: IntArray) -> float:
    """The bits of a code of these bits, which the mixer learns afterwards.

    contexts: (contexts, n).
    """
    prediction = mixer.predict(hashes_of(contexts), selectors)
    mixer.update(prediction, bits)
    ones = prediction.ones / ONE
    return float(-np.log2(np.where(bits == 1, ones, 1 - ones)).sum())


def random_call(rng: np.random.Generator, count: int) -> tuple[IntArray, IntArray, IntArray]:
    """Contexts, selectors and bits, in which contexts and selectors occur several times."""
    contexts = rng.integers(0, 1 << LOG_SIZE, (len(LIMITS), count))
    selectors = rng.integers(0, 3, count)
    is_noise = rng.random(count) < 0.1
    return contexts, selectors, (contexts[0] + selectors + is_noise) % 2


def test_odds_of_counts_equal_their_formula() -> None:
    table = mixing._stretched_counts()
    assert table.shape == (256, 256)
    counts = np.arange(256)
    exact = 256 * np.log2((counts + 0.3) / (counts[:, None] + 0.3))  # [zeros, ones]
    assert np.abs(table - exact).max() < 1  # of two logarithms, both rounded down
    np.testing.assert_array_equal(table, -table.T)
    assert (np.diff(table, axis=1) > 0).all()


def test_probabilities_of_odds_equal_the_logistic_function() -> None:
    table = mixing._squashed_odds()
    odds = np.arange(len(table)) - len(table) // 2
    assert odds[-1] == 15 * 256
    exact = ONE / (1 + 2.0 ** (-odds / 256))
    assert np.abs(table - np.clip(exact, LEAST, ONE - LEAST)).max() < 1
    np.testing.assert_array_equal(table + table[::-1], ONE)
    assert (np.diff(table) >= 0).all()
    assert (table[0], table[len(table) // 2], table[-1]) == (LEAST, ONE // 2, ONE - LEAST)


def test_probabilities_are_what_they_say() -> None:
    """Bits of a known frequency, each as probable as predicted."""
    rng = np.random.default_rng(5)
    mixer = Mixer((255,), 1, 1)
    zeros = np.zeros(20, np.int64)
    for _ in range(100):
        coded(mixer, zeros[None], zeros, (rng.random(20) < 0.2).astype(np.int64))
    ones = mixer.predict(np.zeros((1, 1), np.uint64), zeros[:1]).ones[0]
    assert ones / ONE == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize("bit", [0, 1])
def test_what_never_changes_costs_ever_less(bit: int) -> None:
    mixer = Mixer(LIMITS, LOG_SIZE, 3)
    contexts, selectors = np.full((3, 50), 7), np.zeros(50, np.int64)
    costs = [coded(mixer, contexts, selectors, np.full(50, bit)) for _ in range(400)]
    assert costs[0] == 50  # nothing is known: a bit each
    assert costs[-1] < 50 * 0.001
    assert sum(costs[10:20]) < sum(costs[:10]) / 10
    assert sum(costs[200:300]) < sum(costs[100:200])
    ones = mixer.predict(hashes_of(contexts), selectors).ones
    assert ((ones >= LEAST) & (ones <= ONE - LEAST)).all()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5])
def test_the_code_length_of_a_biased_source_is_near_its_entropy(
    share: float, rng: np.random.Generator
) -> None:
    mixer = Mixer((255, 255, 255), LOG_SIZE, 1)
    bits = (rng.random((500, 40)) < share).astype(np.int64)
    contexts, selectors = np.zeros((3, 40), np.int64), np.zeros(40, np.int64)
    cost = sum(coded(mixer, contexts, selectors, row) for row in bits)
    entropy = -bits.size * (share * log2(share) + (1 - share) * log2(1 - share))
    assert 0.97 * entropy < cost < 1.06 * entropy + 60


def test_the_context_that_predicts_is_found(rng: np.random.Generator) -> None:
    """Two contexts are noise, the bit follows the third."""
    mixer = Mixer((255, 255, 255), LOG_SIZE, 1)
    costs = []
    for _ in range(300):
        contexts = rng.integers(0, 1 << LOG_SIZE, (3, 30))
        costs.append(coded(mixer, contexts, np.zeros(30, np.int64), contexts[2] % 2))
    assert sum(costs[-50:]) < 0.2 * 50 * 30


def test_sets_of_weights_are_learnt_by_themselves(rng: np.random.Generator) -> None:
    mixer = Mixer(LIMITS, LOG_SIZE, 3)
    contexts = rng.integers(0, 1 << LOG_SIZE, (3, 64))
    other = rng.integers(0, 1 << LOG_SIZE - 1, (3, 20)) // 2
    zeros = np.zeros(20, np.int64)
    for _ in range(50):
        coded(mixer, other, zeros, rng.integers(0, 2, 20))
    weights = mixer._weights.copy()
    for _ in range(20):
        coded(mixer, contexts, np.full(64, 2), contexts[1] % 2)
    assert (mixer._weights[:, :2] == weights[:, :2]).all()
    assert (mixer._weights[:, 2] != weights[:, 2]).all()


@pytest.mark.parametrize("count", [1, 2, 50, 3000])
def test_the_order_of_the_bits_of_a_call_does_not_matter(
    count: int, rng: np.random.Generator
) -> None:
    one, other = (Mixer(LIMITS, LOG_SIZE, 3) for _ in range(2))
    for _ in range(12):
        contexts, selectors, bits = random_call(rng, count)
        order = rng.permutation(count)
        straight = one.predict(hashes_of(contexts), selectors)
        permuted = other.predict(hashes_of(contexts[:, order]), selectors[order])
        np.testing.assert_array_equal(permuted.ones, straight.ones[order])
        one.update(straight, bits)
        other.update(permuted, bits[order])
    np.testing.assert_array_equal(one._counts, other._counts)
    np.testing.assert_array_equal(one._weights, other._weights)


def test_all_is_whole_numbers(rng: np.random.Generator) -> None:
    mixer = Mixer(LIMITS, LOG_SIZE, 3)
    contexts, selectors, bits = random_call(rng, 40)
    prediction = mixer.predict(hashes_of(contexts), selectors)
    mixer.update(prediction, bits)
    arrays = (*vars(prediction).values(), mixer._counts, mixer._weights)
    assert {array.dtype.kind for array in arrays} == {"i"}


def test_all_bits_of_a_call_are_predicted_before_any_is_learnt() -> None:
    mixer = Mixer(LIMITS, LOG_SIZE, 3)
    contexts, selectors = np.full((3, 1000), 9), np.zeros(1000, np.int64)
    assert coded(mixer, contexts, selectors, np.ones(1000, np.int64)) == 1000


def test_counts_stay_within_their_limits(rng: np.random.Generator) -> None:
    mixer = Mixer(LIMITS, LOG_SIZE, 3)
    for count, share in product((1, 40, 2000, 1 << 17), (0.0, 0.5, 0.97, 1.0)):
        contexts, selectors, _ = random_call(rng, count)
        coded(mixer, contexts, selectors, (rng.random(count) < share).astype(np.int64))
        zeros, ones = mixer._counts & mixing._ZEROS, mixer._counts >> mixing._ONES_SHIFT
        sums = (zeros + ones).reshape(len(LIMITS), -1)
        assert (zeros >= 0).all()
        assert (ones >= 0).all()
        assert (sums <= np.array(LIMITS)[:, None]).all()


def test_the_prediction_of_a_bit_does_not_depend_on_the_others(rng: np.random.Generator) -> None:
    mixer = Mixer(LIMITS, LOG_SIZE, 3)
    contexts, selectors, bits = random_call(rng, 30)
    mixer.update(mixer.predict(hashes_of(contexts), selectors), bits)
    which = np.array([3, 4, 17])
    together = mixer.predict(hashes_of(contexts), selectors)
    apart = mixer.predict(hashes_of(contexts[:, which]), selectors[which])
    for name, array in vars(apart).items():
        np.testing.assert_array_equal(getattr(together, name)[..., which], array)
