"""How sure a figure is: intervals that hold as often as they say."""

import random

import pytest

from loadtest.simulate import theory
from loadtest.simulate.estimate import BATCHES, T95, Estimate, ratio
from loadtest.simulate.policies import BestFit
from loadtest.simulate.simulation import simulate

from .conftest import ONE, scenario


def test_a_ratio_is_of_the_sums() -> None:
    found = ratio([1, 3], [2, 4])

    assert found is not None
    assert found.value == pytest.approx(4 / 6)
    misses = ((1 - 2 * 4 / 6) ** 2 + (3 - 4 * 4 / 6) ** 2) * 2
    assert found.error == pytest.approx(misses**0.5 / 6)
    assert found.half_width() == pytest.approx(T95 * misses**0.5 / 6)


def test_batches_that_agree_leave_no_doubt() -> None:
    assert ratio([1, 2, 3], [2, 4, 6]) == Estimate(0.5, 0.0)


def test_who_never_came_has_no_share() -> None:
    assert ratio([0, 0], [0, 0]) is None


def test_one_batch_says_nothing_of_the_error() -> None:
    found = ratio([1], [2])

    assert found == Estimate(0.5, None)
    assert found.half_width() is None


def test_an_interval_of_95_percent_has_the_true_share_so_often() -> None:
    rng, runs, true = random.Random(1), 600, 0.3
    held = 0
    for _ in range(runs):
        wholes = [rng.randrange(40, 120) for _ in range(BATCHES)]
        found = ratio([sum(rng.random() < true for _ in range(whole)) for whole in wholes], wholes)
        assert found is not None
        half_width = found.half_width()
        assert half_width is not None
        held += abs(found.value - true) <= half_width

    assert held / runs == pytest.approx(0.95, abs=3.3 * (0.95 * 0.05 / runs) ** 0.5)


def test_so_it_has_for_what_is_simulated() -> None:
    """Whoever comes soon after one that was refused is refused, too: batches must be long against that."""
    runs, held = 40, 0
    for seed in range(runs):
        grid = scenario((500_000,), ONE, load=0.9, arrivals=3_000, seed=seed)
        figures, _ = simulate(grid, BestFit(grid.limits))
        half_width, expected = figures.carried.half_width(), theory.one_size(grid)
        assert half_width is not None
        assert expected is not None
        held += abs(figures.carried.value - expected) <= half_width

    assert held / runs == pytest.approx(0.95, abs=3.3 * (0.95 * 0.05 / runs) ** 0.5)
