"""How evenly each zone's substations were loaded, in figures and words."""

import pytest

from loadtest.balance import Balance, balances, in_words, jain, mean_jain
from loadtest.samples import Load, Sample


def sample(**committed_kw: tuple[float, ...]) -> Sample:
    """Substations of 100 kW, by zone."""
    loads = [Load(zone, f"s{i}", kw, 100, 1) for zone, each in committed_kw.items() for i, kw in enumerate(each)]
    return Sample(1_000.0, tuple(loads), 0)


@pytest.mark.parametrize(("loads", "index"), [([1, 1, 1], 1), ([1, 0, 0, 0], 0.25), ([0, 0], 1), ([], 1)])
def test_jains_index(loads: list[float], index: float) -> None:
    assert jain(loads) == index


def test_the_mean_index_is_of_the_moments_when_anything_was_loaded() -> None:
    assert mean_jain([[0, 0], [1, 1], [1, 0]]) == 0.75
    assert mean_jain([[0, 0]]) is None


def test_near_saturation_the_spread_stands_beside_the_index() -> None:
    balance = balances([sample(z=(100, 80)), sample(z=(95, 92)), sample(z=(100, 10))])

    assert [each.spread_saturated for each in balance] == [0.2]
    assert balance[0].jain_saturated == round((jain([1, 0.8]) + jain([0.95, 0.92])) / 2, 4)
    assert in_words(balance).endswith("while at least 90 % of the grid was in use (loads then at most 20.0% apart)")


def test_a_grid_that_never_was_saturated_has_its_mean() -> None:
    assert in_words(balances([sample(z=(50, 0)), sample(z=(50, 50))])) == "0.75 (1 = all substations equally loaded)"
    assert in_words(balances([sample(z=(0, 0))])) == in_words([]) == ""


def test_each_zone_is_balanced_in_itself_and_saturated_by_itself() -> None:
    balance = balances([sample(full=(100, 90), idle=(0, 0), half=(50, 50))])

    assert balance == [
        Balance("full", round(jain([1, 0.9]), 4), round(jain([1, 0.9]), 4), 0.1),
        Balance("half", 1.0, None, None),
        Balance("idle", None, None, None),
    ]
    assert in_words(balance) == (
        "full 0.9972 while at least 90 % of it was in use (loads then at most 10.0% apart); "
        "half 1.0 (1 = all substations equally loaded)"
    )
