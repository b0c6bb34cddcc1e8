"""As many cars come as a shape says, when it says so."""

import itertools
import random
from collections import Counter

import pytest

from loadtest import cars, shapes
from loadtest.options import Options
from loadtest.plan import plan
from loadtest.shapes import DAYS, Rate

PEAKS = {"rush-hour": (18, 0.170), "workplace": (8, 0.267), "public": (18, 0.109)}
LIMIT_KW = 500.0
DAY_S = 240.0
MANY = 3_000.0


@pytest.mark.parametrize("shape", DAYS)
def test_a_day_has_all_of_its_arrivals_and_most_of_them_in_the_hour_that_is_known_for_it(shape: str) -> None:
    hour, share = PEAKS[shape]

    assert len(DAYS[shape]) == 24
    assert sum(DAYS[shape]) == pytest.approx(1, abs=0.005)
    assert max(DAYS[shape]) == DAYS[shape][hour] == pytest.approx(share, abs=0.0005)


@pytest.mark.parametrize("shape", DAYS)
def test_the_cars_of_each_hour_integrate_to_its_share(shape: str) -> None:
    rates = shapes.day(shape, DAY_S, peak_cars_per_s=MANY)
    hours = Counter(int(at / DAY_S * 24) for at in shapes.poisson(rates, random.Random(1)))
    expected = [rate.for_s * rate.cars_per_s for rate in rates]

    assert sum(rate.for_s for rate in rates) == pytest.approx(DAY_S)
    assert max(rate.cars_per_s for rate in rates) == MANY
    for hour, mean in enumerate(expected):
        assert abs(hours[hour] - mean) < 5 * mean**0.5 + 1
    assert hours[PEAKS[shape][0]] / hours.total() == pytest.approx(PEAKS[shape][1], rel=0.03)


def test_the_gaps_of_a_steady_rate_are_those_of_a_poisson_process() -> None:
    instants = list(shapes.poisson([Rate(1_000, 20)], random.Random(2)))
    gaps = [later - earlier for earlier, later in itertools.pairwise(instants)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5

    assert len(instants) == pytest.approx(20_000, rel=0.03)
    assert instants == sorted(instants)
    assert deviation == pytest.approx(mean, rel=0.03)  # as for no other distribution of gaps that is without memory


def test_nobody_comes_at_a_rate_of_nothing() -> None:
    assert list(shapes.poisson([Rate(10, 0)], random.Random(1))) == []


def test_fleets_do_not_change_how_many_cars_come() -> None:
    due = list(shapes.parties(shapes.steady(1_000, 20), fleets=0.1, rng=random.Random(3)))
    fleets = [each for each in due if len(each.cars) > 1]

    assert sum(len(each.cars) for each in due) == pytest.approx(20_000, rel=0.05)
    assert len(fleets) / len(due) == pytest.approx(0.1, abs=0.02)
    assert {len(each.cars) for each in fleets} <= set(range(cars.FLEET_SIZES[0], cars.FLEET_SIZES[1] + 1))


def test_a_load_of_two_asks_for_twice_the_power_of_the_grid() -> None:
    time_scale = 3600.0
    rate = shapes.peak_rate(2, LIMIT_KW, time_scale, duration_s=3600)
    rng = random.Random(4)
    drawn = [car for _ in range(20_000) for car in [cars.some_car(rng)]]
    mean_held = sum(car.power_kw * car.session_s / time_scale for car in drawn) / len(drawn)

    assert rate * mean_held == pytest.approx(2 * LIMIT_KW, rel=0.02)


def test_in_a_run_shorter_than_a_session_the_cars_of_a_load_of_one_fill_the_grid_once() -> None:
    rate = shapes.peak_rate(1, LIMIT_KW, time_scale=1, duration_s=10)

    assert rate * 10 * cars.mean_power_kw() == pytest.approx(LIMIT_KW)


def test_a_burst_is_at_one_instant_and_comes_again() -> None:
    planned = plan(Options("burst", duration=10, peak=7), LIMIT_KW)

    assert Counter(due.at_s for due in planned.arrivals) == {1.0: 7, 6.0: 7}


def test_a_burst_asks_for_its_multiple_of_the_grid() -> None:
    size = shapes.burst_size(2, LIMIT_KW)

    assert size * cars.mean_power_kw() == pytest.approx(2 * LIMIT_KW, abs=cars.mean_power_kw())


def test_without_a_duration_a_day_lasts_as_long_as_the_grids_day() -> None:
    assert Options("rush-hour", time_scale=1440).lasts_s == 60
    assert Options("rush-hour", time_scale=1440, duration=20).lasts_s == 20


def test_steady_without_a_duration_does_not_end() -> None:
    arrivals = plan(Options("steady", peak=100), LIMIT_KW).arrivals

    *_, last = itertools.islice(arrivals, 5_000)
    assert last.at_s > 30


def test_the_same_seed_is_the_same_rush() -> None:
    def instants(seed: int) -> list[float]:
        return [due.at_s for due in plan(Options("public", duration=10, seed=seed), LIMIT_KW).arrivals]

    assert instants(1) == instants(1) != instants(2)
