"""What is counted, in runs small enough to follow and in ones with a known result."""

import itertools
from collections.abc import Callable, Sequence

import pytest

from loadtest.balance import jain
from loadtest.simulate import validation
from loadtest.simulate.arms import Rule
from loadtest.simulate.cells import Cell, run
from loadtest.simulate.estimate import BATCHES, T999
from loadtest.simulate.figures import Figures
from loadtest.simulate.policies import BestFit, Polling, PollingCapped
from loadtest.simulate.scenario import WARM_UP, PowerClass, Scenario, Stays
from loadtest.simulate.simulation import simulate
from loadtest.simulate.studies import BEST_FIT
from loadtest.simulate.theory import herd, one_size, pooled
from loadtest.simulate.timeline import Event, What, chunks

from .conftest import ONE, scenario


class Always:
    """Everybody is given this answer."""

    def __init__(self, substation: int | None) -> None:
        self._answer = substation

    def decide(self, events: Sequence[Event]) -> list[int | None]:
        return [self._answer for event in events if event.what is What.ASKS]


def figures_of(grid: Scenario, answer: int | None) -> Figures:
    figures, _ = simulate(grid, Always(answer))
    return figures


def test_nobody_is_accepted() -> None:
    figures = figures_of(scenario(), None)

    assert figures.carried == (0.0, 0.0)
    assert (figures.refused, figures.refused_though_it_fitted) == (4_000, 4_000)
    assert (figures.load.value, figures.jain.value, figures.peak, figures.fairness) == (0, 1, 0, None)


def test_everybody_is_sent_to_one() -> None:
    grid = scenario(arrivals=20_000)
    figures = figures_of(grid, 1)

    assert figures.carried == (1.0, 0.0)
    assert [each and each.value for each in figures.classes] == [1, 1]
    assert (figures.refused, figures.fairness) == (0, 1)
    assert figures.jain.value == pytest.approx(1 / 3)
    half_width = figures.load.half_width(T999)
    assert half_width is not None
    assert abs(figures.load.value - grid.load) <= half_width
    assert figures.overloaded.value == pytest.approx(1 / 3, abs=0.01), "the one is"
    assert figures.peak > 3


def test_what_arrivals_see_is_so_on_average_over_time() -> None:
    grid = scenario(arrivals=20_000)
    figures, _ = simulate(grid, Polling(grid.limits), period=0.2)
    policy, loads, last, sums = Polling(grid.limits), [0.0] * 3, WARM_UP, [0.0] * 3
    for event in itertools.chain(*chunks(grid, 0.2)):
        if event.at >= WARM_UP:
            for i, value in enumerate((sum(loads) / 3, jain(loads), sum(load > 1 for load in loads) / 3)):
                sums[i] += value * (event.at - last)
            last = event.at
        policy.decide([event])
        loads = [policy.load(each) for each in range(3)]

    for of, over_time in zip((figures.load, figures.jain, figures.overloaded), sums, strict=True):
        assert of.value == pytest.approx(over_time / (last - WARM_UP), abs=0.01)


class Some:
    """Whoever is meant is given the first substation, the others nothing."""

    def __init__(self, meant: Callable[[Event], bool]) -> None:
        self._meant = meant

    def decide(self, events: Sequence[Event]) -> list[int | None]:
        return [0 if self._meant(event) else None for event in events if event.what is What.ASKS]


def test_nothing_is_counted_before_the_grid_is_warm() -> None:
    figures, _ = simulate(scenario(), Some(lambda event: event.at < WARM_UP / 2))

    assert (figures.arrivals, figures.refused) == (4_000, 4_000)
    assert figures.carried.value == figures.peak == 0


def test_what_is_carried_is_weighed_by_power_and_stay() -> None:
    classes = (PowerClass(10_000, 0.75, 2.0), PowerClass(50_000, 0.25, 0.6))
    figures, _ = simulate(scenario(classes=classes, arrivals=10_000), Some(lambda event: event.kind == 0))
    half_width = figures.carried.half_width(T999)

    assert [each and each.value for each in figures.classes] == [1, 0]
    assert half_width is not None
    assert abs(figures.carried.value - 15 / 22.5) <= half_width < 0.05


def test_only_who_fits_nowhere_is_refused_by_best_fit_and_others_miss_room() -> None:
    grid = scenario(arrivals=2_000, load=1.2)
    best, _ = simulate(grid, BestFit(grid.limits))
    capped, _ = simulate(grid, PollingCapped(grid.limits), period=0.2)

    assert best.refused > 0 == best.refused_though_it_fitted
    assert capped.refused > capped.refused_though_it_fitted > 0
    assert best.fairness is not None
    assert 0 < best.fairness < 1


def test_those_who_stay_long_are_waited_for() -> None:
    """Warm-up and batches are so many stays of theirs, and not so many of the others, who are gone soon."""
    classes = (PowerClass(10_000, 0.5, 50.0), PowerClass(10_000, 0.5, 1.0))
    grid = scenario((200_000,), classes, load=1.0, arrivals=1_500)
    figures, _ = simulate(grid, BestFit(grid.limits))

    assert figures.load.value > 0.8
    assert figures.carried.error is None


def test_a_run_too_short_to_tell_says_so() -> None:
    figures = figures_of(scenario(arrivals=100), 0)

    assert figures.carried.error is None


def test_a_herd_is_seen_as_high_as_the_formula_says() -> None:
    (line,) = validation.herd_line(run(validation.herd(seed=1)))

    assert line.expected == pytest.approx(0.9 * herd(5, 0.4))
    assert line.holds
    assert line.within < 0.03


@pytest.mark.parametrize("stays", Stays)
def test_places_are_refused_as_by_erlangs_formula_whatever_the_stays(stays: Stays) -> None:
    grid = scenario((1_000_000, 250_000), ONE, stays=stays, arrivals=40_000)
    figures = run(Cell(BEST_FIT, grid)).figures
    half_width, expected = figures.carried.half_width(T999), one_size(grid)

    assert half_width is not None
    assert expected is not None
    assert abs(figures.carried.value - expected) <= half_width < 0.02


def test_one_substation_refuses_each_class_as_kaufman_and_roberts_say_though_they_stay_for_different_times() -> None:
    classes = (PowerClass(10_000, 0.6, 2.0), PowerClass(22_000, 0.3, 1.0), PowerClass(150_000, 0.1, 0.3))
    grid = scenario((600_000,), classes, load=1.0, arrivals=60_000)
    figures = run(Cell(BEST_FIT, grid)).figures

    for expected, measured in zip(pooled(grid), figures.classes, strict=True):
        assert measured is not None
        half_width = measured.half_width(T999)
        assert half_width is not None
        assert abs(measured.value - expected) <= half_width < 0.05


def test_with_two_choices_the_fullest_bin_is_about_two_above_the_mean() -> None:
    line = validation.power_of_two(seed=1)

    assert line.holds
    assert 1.5 < line.measured < 2.5


def test_the_laboratory_is_validated_by_every_known_result() -> None:
    cells = [check.cell for check in validation.checks(1_000, seed=1)]

    assert {cell.scenario.stays for cell in cells} == set(Stays)
    assert {cell.arm.rule for cell in cells} == {Rule.LEAST_LOADED, Rule.PROTECT, Rule.BEST_FIT, Rule.POLLING}
    assert all(cell.scenario.arrivals >= BATCHES for cell in cells)
