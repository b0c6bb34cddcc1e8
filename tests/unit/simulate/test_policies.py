"""Each of the other rules, by hand."""

from collections import Counter
from collections.abc import Sequence

from loadtest.simulate.policies import BestFit, PlainRule, Polling, PollingCapped, PowerOfTwo, Random
from loadtest.simulate.timeline import Event, What


def asks(number: int, watts: int) -> Event:
    return Event(0.0, What.ASKS, number, 0, watts)


def leaves(number: int) -> Event:
    return Event(0.0, What.LEAVES, number)


POLL = Event(0.0, What.TICK)


def placed(rule: PlainRule, *sizes: int) -> Sequence[int | None]:
    return rule.decide([asks(number, watts) for number, watts in enumerate(sizes)])


def test_best_fit_takes_the_least_room_that_is_enough() -> None:
    rule = BestFit([50, 30, 20])

    assert placed(rule, 20, 15, 15, 40, 40) == [2, 1, 1, 0, None]
    assert rule.free == [10, 0, 0]


def test_room_is_free_again_when_somebody_leaves() -> None:
    rule = BestFit([10, 20])

    assert rule.decide([asks(1, 10), asks(2, 20), asks(3, 10), leaves(1), asks(4, 10)]) == [0, 1, None, 0]


def test_nothing_happens_when_somebody_leaves_who_was_refused() -> None:
    rule = BestFit([10])

    assert rule.decide([asks(1, 10), asks(2, 5), leaves(2), asks(3, 5)]) == [0, None, None]


def test_random_goes_anywhere_alike_and_is_refused_where_it_does_not_fit() -> None:
    seen = Counter(placed(Random([10_000] * 4, seed=1), *[1] * 8_000))

    assert set(seen) == {0, 1, 2, 3}
    assert max(seen.values()) - min(seen.values()) < 8 * 1_500**0.5
    assert None in placed(Random([10, 1_000], seed=1), *[10] * 20)


def test_power_of_two_is_the_less_loaded_of_two_that_has_room() -> None:
    rule = PowerOfTwo([100, 100], seed=1)
    assert abs(Counter(placed(rule, *[1] * 100))[0] - 50) < 10


def test_power_of_two_is_the_other_one_if_the_less_loaded_has_no_room() -> None:
    seen = Counter(placed(PowerOfTwo([10, 1_000_000], seed=1), *[20] * 1_000))

    assert set(seen) == {None, 1}
    assert abs(seen[None] - 250) < 50, "only if both choices are the small one"


def test_a_herd_goes_where_few_were_at_the_last_poll_whatever_its_limit() -> None:
    rule = Polling([100, 100])
    seven = [asks(number, 60) for number in range(1, 8)]

    assert rule.decide([*seven[:3], POLL, *seven[3:5], POLL, *seven[5:]]) == [0, 0, 0, 1, 1, 1, 1]
    assert rule.free == [100 - 180, 100 - 240]


def test_a_poll_sees_shares_of_the_limits() -> None:
    rule = Polling([100, 1_000])

    assert rule.decide([asks(1, 10), POLL, asks(2, 90), POLL, asks(3, 5)]) == [0, 1, 1]


def test_capped_the_substation_refuses_what_does_not_fit_though_another_has_room() -> None:
    rule = PollingCapped([100, 100])
    five = [asks(number, 60) for number in range(1, 6)]

    assert rule.decide([*five[:2], POLL, *five[2:4], POLL, leaves(1), five[4]]) == [0, None, 1, None, 0]


def test_a_seed_says_where_random_ones_go() -> None:
    assert placed(Random([9] * 9, seed=1), *[1] * 9) == placed(Random([9] * 9, seed=1), *[1] * 9)
    assert placed(Random([9] * 9, seed=1), *[1] * 9) != placed(Random([9] * 9, seed=2), *[1] * 9)
