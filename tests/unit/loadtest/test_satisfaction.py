"""The figures of a replay, by hand."""

from datetime import datetime

import pytest

from loadtest.cars import Car
from loadtest.replay.satisfaction import Carried, Outcome, Served, judge
from loadtest.trace import Visit

VISIT = Visit(datetime(2019, 3, 1), Car(7, 10, 3600), came_ms=0)
WITHIN = Carried("one", limit=40_000, peak=39_600, overload_s=0)


def served(
    outcome: Outcome, delivered_wh: int, waited_s: float = 0, watts: int = 7_000, interruptions: int = 0
) -> Served:
    return Served(VISIT, watts, 10_000, delivered_wh, waited_s, "one", outcome, interruptions)


def test_interruptions_are_per_session_and_those_of_one() -> None:
    figures = judge([served(Outcome.MET, 10_000, interruptions=3), served(Outcome.MET, 10_000)], [WITHIN])

    assert (figures.interruptions, figures.most_interruptions) == (1.5, 3)


def test_shares_are_of_all_who_asked() -> None:
    figures = judge(
        [
            served(Outcome.MET, 10_000),
            served(Outcome.PART, 2_000),
            served(Outcome.NOTHING, 0),
            served(Outcome.REFUSED, 0),
        ],
        [WITHIN],
    )

    assert figures.sessions == 4
    assert figures.energy == 12_000 / 40_000
    assert figures.fits == 7_000 / 10_000
    assert figures.met == 1 / 4
    assert figures.unserved == 2 / 4
    assert figures.jain == pytest.approx(1.2**2 / (4 * (1**2 + 0.2**2)))


def test_who_left_with_less_than_a_watt_hour_got_nothing() -> None:
    assert judge([served(Outcome.PART, 0)], [WITHIN]).unserved == 1


def test_who_was_turned_away_did_not_wait() -> None:
    waits = [served(Outcome.NOTHING, 0, waited_s=90), served(Outcome.MET, 10_000, waited_s=60)]
    turned_away = [served(Outcome.REFUSED, 0), served(Outcome.REFUSED, 0), served(Outcome.TOO_BIG, 0, watts=50_000)]

    assert judge([*turned_away, *waits], [WITHIN]).waited_s == {"8": (60, 90, 90), "60": None}


def test_who_was_too_big_for_every_substation_is_counted() -> None:
    figures = judge([served(Outcome.MET, 10_000), *[served(Outcome.TOO_BIG, 0)] * 2], [WITHIN])

    assert figures.too_big == 2
    assert figures.unserved == 2 / 3


def test_nothing_is_shared_fairly_or_not_if_nobody_got_anything() -> None:
    assert judge([served(Outcome.NOTHING, 0), served(Outcome.REFUSED, 0)], [WITHIN]).jain is None


def test_waiting_is_by_power_class_in_the_order_of_power() -> None:
    waits = [served(Outcome.MET, 10_000, waited_s=second) for second in range(100, 0, -1)]
    big = [served(Outcome.MET, 10_000, waited_s=500, watts=50_000), served(Outcome.MET, 10_000, watts=22_000)]
    figures = judge([*big, *waits], [WITHIN])

    assert list(figures.waited_s.items()) == [("8", (50, 95, 100)), ("25", (0, 0, 0)), ("60", (500, 500, 500))]


@pytest.mark.parametrize(
    ("carried", "peak", "overload_s"),
    [(Carried("two", 20_000, 20_001, 0.0), 1.00005, 0.0), (Carried("two", 20_000, 10_000, 0.5), 0.99, 0.5)],
)
def test_one_substation_above_its_limit_breaks_the_promise(carried: Carried, peak: float, overload_s: float) -> None:
    figures = judge([served(Outcome.MET, 10_000)], [WITHIN, carried])

    assert (figures.peak, figures.overload_s) == (peak, overload_s)
    assert not figures.kept
    assert judge([served(Outcome.MET, 10_000)], [WITHIN]).kept
