"""Theory against values that are known, and against counting every state."""

import itertools
import math
import tracemalloc

import pytest

from loadtest.simulate import theory
from loadtest.simulate.scenario import PowerClass

from .conftest import ONE, scenario


@pytest.mark.parametrize(
    ("servers", "erlangs", "refused"),
    [(1, 1, 0.5), (2, 1, 0.2), (5, 3, 0.110054), (10, 5, 0.018385), (100, 100, 0.075700), (0, 7, 1)],
)
def test_erlang_b_as_in_the_tables(servers: int, erlangs: float, refused: float) -> None:
    assert theory.erlang_b(servers, erlangs) == pytest.approx(refused, rel=1e-4)


def by_counting(limit: int, watts: tuple[int, ...], erlangs: tuple[float, ...]) -> list[float]:
    """The share of each class that is refused: every state by its weight, Π aⁿ ÷ n!."""
    refused, total = [0.0] * len(watts), 0.0
    for state in itertools.product(*(range(limit // each + 1) for each in watts)):
        used = sum(count * each for count, each in zip(state, watts, strict=True))
        if used > limit:
            continue
        weight = math.prod(a**count / math.factorial(count) for count, a in zip(state, erlangs, strict=True))
        total += weight
        for kind, each in enumerate(watts):
            refused[kind] += weight * (used + each > limit)
    return [each / total for each in refused]


@pytest.mark.parametrize(
    ("limit", "watts", "erlangs"),
    [
        (12, (1, 2, 5), (3.0, 2.0, 0.5)),
        (100_500, (11_000, 22_000, 50_000), (2.0, 1.5, 0.7)),
        (10, (3, 20), (1.0, 1.0)),
        (10, (15, 20), (1.0, 1.0)),
        (10, (2, 10), (3.0, 1.0)),
    ],
    ids=["units", "a limit that is no multiple", "one who never fits", "nobody ever fits", "one as large as the limit"],
)
def test_kaufman_roberts_is_what_counting_the_states_gives(
    limit: int, watts: tuple[int, ...], erlangs: tuple[float, ...]
) -> None:
    assert theory.kaufman_roberts(limit, watts, erlangs) == pytest.approx(by_counting(limit, watts, erlangs))


def test_kaufman_roberts_keeps_the_states_of_the_largest_class_that_fits() -> None:
    tracemalloc.start()
    try:
        small, never = theory.kaufman_roberts(100_000, [7, 1_000_000_000], [20_000.0, 1.0])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 10_000, "bytes"
    assert 0 < small < never == 1


def test_kaufman_roberts_of_one_size_is_erlang_b() -> None:
    for places, erlangs in ((1, 0.5), (20, 18.0), (2_000, 1_900.0)):
        (refused,) = theory.kaufman_roberts(places * 50_000 + 49_999, [50_000], [erlangs])
        assert refused == pytest.approx(theory.erlang_b(places, erlangs), rel=1e-9)


def test_a_large_grid_does_not_overflow_and_comes_near_the_fluid_bound() -> None:
    classes = (PowerClass(7_000, 0.6), PowerClass(50_000, 0.3), PowerClass(350_000, 0.1))
    large = scenario((1_000_000,) * 200, classes, load=1.25)

    assert theory.carried(large, theory.pooled(large)) == pytest.approx(theory.fluid_bound(1.25), rel=0.01)


def test_what_is_carried_is_weighed_by_power_and_stay() -> None:
    classes = (PowerClass(10_000, 0.75, 2.0), PowerClass(50_000, 0.25, 0.6))

    assert theory.carried(scenario(classes=classes), [1.0, 0.0]) == pytest.approx(15 / 22.5)


def test_erlang_b_is_of_the_places_of_all_substations() -> None:
    grid = scenario((120_000, 99_000), ONE)

    assert theory.one_size(grid) == 1 - theory.erlang_b(2 + 1, grid.erlangs[0])
    assert theory.one_size(scenario()) is None


def test_no_rule_carries_more_than_the_limits() -> None:
    assert [theory.fluid_bound(load) for load in (0.5, 1.0, 1.6)] == [1.0, 1.0, 0.625]


def test_the_herd_is_as_high_as_taking_turns_makes_it() -> None:
    loads, period = [0.0] * 4, 0.3
    for turn in range(200):
        loads = [load * math.exp(-period) for load in loads]
        loads[turn % 4] += 1 - math.exp(-period)  # with one erlang for all

    assert theory.herd(4, period) == pytest.approx(max(loads) / (1 / 4))


def test_a_herd_that_sees_all_is_level_and_one_that_sees_nothing_is_on_one() -> None:
    assert theory.herd(10, 1e-9) == pytest.approx(1)
    assert theory.herd(10, 100.0) == pytest.approx(10)


def test_a_herd_on_different_limits_is_not_in_the_formula() -> None:
    assert theory.herd_of(scenario((500_000,) * 3), 0.4) == theory.herd(3, 0.4)
    assert theory.herd_of(scenario((500_000, 600_000)), 0.4) is None
