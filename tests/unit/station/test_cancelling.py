"""Cancelled by its owner, or given up by the ledger: an attempt that was stopped never starts again."""

import pytest

from substation.station import MEMORY_S, Verdict

from .conftest import HOUR_S, LIMIT, Feeder


def test_a_cancel_stops_the_car_and_tells_what_it_got(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S / 2)
    assert feeder.station.cancel("a") is True
    assert feeder.station.cancel("a") is False
    assert feeder.unreported() == [("a", 1, "cancelled", 5_000)]
    assert feeder.drawn == 0
    assert feeder.charge("a") is Verdict.CANCELLED_BEFORE


def test_a_cancel_of_a_car_that_is_just_done_comes_too_late(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S)
    assert feeder.station.cancel("a", attempt=1) is False
    assert feeder.unreported() == [("a", 1, "finished", 10_000)]


def test_an_attempt_cancelled_before_it_came_never_starts_and_is_acknowledged(feeder: Feeder) -> None:
    assert feeder.station.cancel("a", attempt=2) is False
    assert feeder.unreported() == [("a", 2, "cancelled", 0)]
    assert feeder.charge("a", attempt=1) is Verdict.CANCELLED_BEFORE
    assert feeder.charge("a", attempt=2) is Verdict.CANCELLED_BEFORE
    assert feeder.charge("a", attempt=3) is Verdict.STARTED


def test_a_cancel_of_another_attempt_leaves_the_car_alone(feeder: Feeder) -> None:
    feeder.charge("a", attempt=2)
    assert feeder.station.cancel("a", attempt=1) is False
    assert feeder.running() == {"a": 2}
    assert feeder.charge("a", attempt=2) is Verdict.CHARGING
    assert feeder.unreported() == [("a", 1, "cancelled", 0)]


@pytest.mark.parametrize("ends", ["replaced", "finished", "cancelled"])
def test_a_cancelled_attempt_stays_cancelled_however_a_lower_one_ends(feeder: Feeder, ends: str) -> None:
    feeder.charge("a", attempt=1)
    feeder.station.cancel("a", attempt=2)
    if ends == "finished":
        feeder.clock.advance(HOUR_S)
        feeder.station.finish_due()
    elif ends == "cancelled":
        feeder.station.cancel("a", attempt=1)
    assert feeder.charge("a", attempt=2) is Verdict.CANCELLED_BEFORE
    assert feeder.station.snapshot().started == 1


def test_a_cancel_that_comes_after_the_end_repeats_the_end(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S)
    feeder.station.finish_due()
    feeder.station.reported(feeder.station.snapshot().unreported)
    feeder.station.cancel("a", attempt=1)
    assert feeder.unreported() == [("a", 1, "finished", 10_000)]


def test_a_cancel_of_a_refused_attempt_is_acknowledged(feeder: Feeder) -> None:
    feeder.charge("a", watts=LIMIT + 1)
    feeder.station.cancel("a", attempt=1)
    assert feeder.unreported() == [("a", 1, "cancelled", 0)]
    assert feeder.charge("a") is Verdict.CANCELLED_BEFORE


def test_what_the_ledger_gave_up_is_stopped_and_the_ledger_learns_whether_it_ran(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S / 2)
    assert [feeder.station.stop(name, 1) for name in ("a", "b", "a", "b")] == [True, True, False, False]
    assert feeder.unreported() == [("a", 1, "stopped", 5_000), ("b", 1, "never_started", 0)]
    for name in ("a", "b"):
        assert feeder.charge(name) is Verdict.CANCELLED_BEFORE


@pytest.mark.parametrize("how", ["finished", "cancelled"])
def test_asked_to_stop_what_has_ended_it_tells_again_how(feeder: Feeder, how: str) -> None:
    feeder.charge("a")
    if how == "cancelled":
        feeder.station.cancel("a")
    else:
        feeder.clock.advance(HOUR_S)
        feeder.station.finish_due()
    told = feeder.station.snapshot().unreported
    feeder.station.reported(told)
    assert feeder.station.stop("a", 1) is False
    assert feeder.station.snapshot().unreported == told
    assert told[0].how == how


def test_asked_what_became_of_an_earlier_attempt_it_tells_how_the_later_one_ended_too(feeder: Feeder) -> None:
    feeder.charge("a", attempt=3)
    feeder.clock.advance(HOUR_S)
    feeder.station.reported(feeder.station.snapshot().unreported)
    assert feeder.station.stop("a", 1) is False
    assert feeder.unreported() == [("a", 1, "never_started", 0), ("a", 3, "finished", 10_000)]
    assert {end.highest for end in feeder.station.snapshot().unreported} == {3}


def test_an_earlier_attempt_than_the_one_that_runs_is_answered_with_that_ones_number(feeder: Feeder) -> None:
    feeder.charge("a", attempt=3)
    feeder.station.stop("a", 1)
    (end,) = feeder.station.snapshot().unreported
    assert (end.attempt, end.how, end.highest) == (1, "never_started", 3)
    assert feeder.running() == {"a": 3}


def test_what_ended_is_remembered_for_a_while(feeder: Feeder) -> None:
    feeder.station.cancel("a", attempt=1)
    feeder.clock.advance(MEMORY_S)
    feeder.station.snapshot()
    assert feeder.charge("a") is Verdict.CANCELLED_BEFORE
    feeder.clock.advance(1)
    feeder.station.snapshot()
    assert feeder.charge("a") is Verdict.STARTED
