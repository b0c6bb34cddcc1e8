"""Who comes, when, for how long; and the order of what happens."""

import itertools
from statistics import fmean, stdev

import pytest

from loadtest.simulate.scenario import WARM_UP, PowerClass, Stays
from loadtest.simulate.timeline import CHUNK, What, chunks

from .conftest import TWO, scenario

SURE = 3.3
"""Standard errors: 99.9 %."""


def test_what_is_offered_is_the_load_times_the_limits() -> None:
    classes = (PowerClass(10_000, 3, 2.0), PowerClass(50_000, 1, 0.6))  # shares need not add up to 1
    grid = scenario((100_000, 300_000), classes, load=0.9)

    assert grid.watts_per_arrival == 22_500
    assert grid.rate == pytest.approx(0.9 * 400_000 / 22_500)
    offered = sum(a * each.watts for a, each in zip(grid.erlangs, classes, strict=True))
    assert offered == pytest.approx(0.9 * 400_000)


@pytest.mark.parametrize("stays", Stays)
def test_cars_are_as_many_as_big_and_stay_as_long_as_they_are_to(stays: Stays) -> None:
    classes = (PowerClass(10_000, 0.75, 2.0), PowerClass(50_000, 0.25, 0.5))
    grid = scenario(classes=classes, stays=stays, arrivals=20_000)
    cars = list(grid.cars())

    gaps = [after.at - before.at for before, after in itertools.pairwise(cars)]
    assert fmean(gaps) == pytest.approx(1 / grid.rate, rel=SURE / len(gaps) ** 0.5)
    small = sum(car.kind == 0 for car in cars) / len(cars)
    assert small == pytest.approx(0.75, abs=SURE * (0.75 * 0.25 / len(cars)) ** 0.5)
    for kind, each in enumerate(classes):
        its = [car.stay for car in cars if car.kind == kind]
        assert {car.watts for car in cars if car.kind == kind} == {each.watts}
        variation = {Stays.EXPONENTIAL: 1.0, Stays.CONSTANT: 0.0, Stays.LOGNORMAL: 1.31}[stays]
        assert fmean(its) == pytest.approx(each.stay, rel=SURE * variation / len(its) ** 0.5 + 1e-12)
        assert stdev(its) / each.stay == pytest.approx(variation, rel=0.2)


def test_enough_come_after_the_warm_up() -> None:
    grid = scenario(arrivals=500)
    counted = sum(car.at >= WARM_UP for car in grid.cars())

    assert counted == 500
    assert len(list(grid.cars())) == pytest.approx(grid.all_arrivals, rel=0.3)


def test_a_seed_says_who_comes() -> None:
    assert list(scenario(seed=3).cars()) == list(scenario(seed=3).cars())
    assert next(scenario(seed=3).cars()) != next(scenario(seed=4).cars())


def test_the_first_car_is_the_same_in_every_python() -> None:
    car = next(scenario(seed=1).cars())

    assert (car.at, car.kind, car.stay) == pytest.approx((0.005344113485537378, 1, 1.4429689253466629), rel=1e-12)


def test_everybody_leaves_as_long_after_as_they_stay_in_the_order_of_time() -> None:
    grid = scenario(arrivals=1_000)
    events = list(itertools.chain(*chunks(grid)))
    left = {event.number: event.at for event in events if event.what is What.LEAVES}
    cars = list(grid.cars())

    assert [event.at for event in events] == sorted(event.at for event in events)
    assert [event.at for event in events if event.what is What.ASKS] == [car.at for car in cars]
    assert len(left) > len(cars) / 2
    assert all(at == cars[number].at + cars[number].stay for number, at in left.items())


def test_a_tick_comes_at_the_end_of_each_period() -> None:
    events = list(itertools.chain(*chunks(scenario(arrivals=500), period=0.25)))
    ticks = [event.at for event in events if event.what is What.TICK]

    assert ticks[:4] == [0.25, 0.5, 0.75, 1.0]
    assert len(ticks) == int(events[-1].at / 0.25)
    assert [event.at for event in events] == sorted(event.at for event in events)


def test_at_the_same_instant_room_is_made_and_loads_are_asked_for_before_anybody_comes() -> None:
    assert sorted([What.ASKS, What.TICK, What.LEAVES]) == [What.LEAVES, What.TICK, What.ASKS]


def test_memory_does_not_grow_with_the_arrivals() -> None:
    million = scenario(classes=TWO, arrivals=1_000_000)
    some = list(itertools.islice(chunks(million), 3))

    assert [len(chunk) for chunk in some] == [CHUNK] * 3
