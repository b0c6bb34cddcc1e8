"""As many cars come as a shape says, when it says so."""

import itertools
import math
import random
from collections import Counter

import pytest

from loadtest import cars, shapes
from loadtest.options import Options
from loadtest.plan import plan
from loadtest.shapes import DAYS, Rate

PEAKS = {"rush-hour": (18, 0.170), "workplace": (8, 0.267), "public": (18, 0.109)}
LIMIT_KW = 500.0
LIMITS_KW = {"default": LIMIT_KW}
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


def committed_kw(options: Options) -> list[float]:
    """Of everyone who comes, sampled: if nobody had to wait."""
    step_s = options.lasts_s / 500
    changes = [0.0] * 501
    for due in plan(options, LIMITS_KW).arrivals:
        for car in due.cars:
            begins, ends = due.at_s, due.at_s + car.session_s / options.time_scale
            changes[math.ceil(begins / step_s)] += car.power_kw
            changes[min(500, math.ceil(ends / step_s))] -= car.power_kw
    return list(itertools.accumulate(changes[:-1]))


@pytest.mark.parametrize("shape", [*DAYS, "steady"])
@pytest.mark.parametrize(("duration", "time_scale"), [(60, 1440), (60, 60), (1440, 60), (10, 1)])
def test_a_load_is_how_much_would_be_committed_at_the_worst_moment(
    shape: str, duration: float, time_scale: float
) -> None:
    options = Options(shape, duration=duration, load=200, time_scale=time_scale, fleets=0)

    assert max(committed_kw(options)) / LIMIT_KW == pytest.approx(200, rel=0.06)
    assert plan(options, LIMITS_KW).expected_peak == pytest.approx(200)


def test_the_expected_peak_is_said_however_the_number_of_cars_was_chosen() -> None:
    assert "expected peak: 2.00 x the limit" in plan(Options("public", duration=60), LIMITS_KW).intensity
    few = plan(Options("steady", duration=60, peak=1, time_scale=1), LIMITS_KW)
    assert few.expected_peak == pytest.approx(60 * cars.mean_power_kw() / LIMIT_KW)
    burst = plan(Options("burst", duration=8, peak=10, time_scale=1), LIMITS_KW)  # two, and nobody has left
    assert burst.expected_peak == pytest.approx(20 * cars.mean_power_kw() / LIMIT_KW)


def test_without_an_end_a_load_is_that_of_sessions_that_come_and_go() -> None:
    endless = plan(Options("steady", time_scale=1800), LIMITS_KW)

    assert endless.expected_peak == pytest.approx(2)
    assert plan(Options("burst", time_scale=1800), LIMITS_KW).expected_peak >= 2


def test_a_part_of_the_drivers_say_when_they_leave_and_stay_longer_than_it_takes() -> None:
    rng = random.Random(4)
    came = [cars.some_car(rng) for _ in range(5_000)]
    stays = [car for car in came if car.stay_s is not None]

    assert len(stays) / len(came) == pytest.approx(cars.NAMES_A_TIME, abs=0.03)
    assert all(car.stay_s is not None and car.session_s < car.stay_s <= 12 * 3600 for car in stays)
    assert {car.power_kw for car in stays} == {car.power_kw for car in came} == {car.power_kw for car in cars.CARS}


def test_a_burst_is_at_one_instant_and_comes_again() -> None:
    planned = plan(Options("burst", duration=10, peak=7), LIMITS_KW)

    assert Counter(due.at_s for due in planned.arrivals) == {1.0: 7, 6.0: 7}


def test_a_burst_asks_for_its_multiple_of_the_grid() -> None:
    size = shapes.burst_size(2, LIMIT_KW)

    assert size * cars.mean_power_kw() == pytest.approx(2 * LIMIT_KW, abs=cars.mean_power_kw())


def test_without_a_duration_a_day_lasts_as_long_as_the_grids_day() -> None:
    assert Options("rush-hour", time_scale=1440).lasts_s == 60
    assert Options("rush-hour", time_scale=1440, duration=20).lasts_s == 20


def test_steady_without_a_duration_does_not_end() -> None:
    arrivals = plan(Options("steady", peak=100), LIMITS_KW).arrivals

    *_, last = itertools.islice(arrivals, 5_000)
    assert last.at_s > 30


def test_the_same_seed_is_the_same_rush() -> None:
    def instants(seed: int) -> list[float]:
        return [due.at_s for due in plan(Options("public", duration=10, seed=seed), LIMITS_KW).arrivals]

    assert instants(1) == instants(1) != instants(2)
