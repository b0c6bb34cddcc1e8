"""What a substation does with the replies."""

import pytest

from grid.ledger import (
    Cancel,
    Heartbeat,
    HeartbeatReply,
    LedgerUnavailable,
    Release,
    ReleaseOutcome,
)
from substation.heartbeat import Heartbeats
from substation.meters import Meters
from substation.station import Order, Station

from .conftest import IDENTITY, Substation


def room_comes_free_for_one_who_waits(one: Substation) -> None:
    """The next heartbeat is to say so."""
    one.beat()
    one.start("all", watts=100_000)
    one.beat()
    one.reserve("s")
    one.station.cancel("all")


def test_superseded_it_asks_for_a_new_epoch_at_once_and_keeps_what_it_carries(
    one: Substation, sent: list[Heartbeat]
) -> None:
    one.beat()
    one.start()
    one.beat()
    twin = Heartbeats(one.ledger, Station(IDENTITY.limit, 1.0), IDENTITY, Meters("default", "one", 120_000, 100_000))
    twin.beat()
    assert twin.epoch == 2
    sent.clear()
    one.beat()
    assert [beat.epoch for beat in sent] == [1, 0, 3, 3], "the last says that it has what was given to its twin"
    assert one.heartbeats.epoch == 3
    assert one.charging() == ["s"]
    assert (one.state(), one.row.committed) == ("charging", 10_000)


def test_a_late_reply_changes_nothing(one: Substation, monkeypatch: pytest.MonkeyPatch) -> None:
    one.beat()
    one.start()
    one.station.cancel("s")
    with monkeypatch.context() as late:
        late.setattr(one.ledger, "heartbeat", lambda beat: HeartbeatReply("late", 1, [], []))
        one.beat()
    assert one.unreported() == ["s"]
    one.beat()
    assert (one.unreported(), one.state()) == ([], "cancelled")


def test_a_cancel_is_obeyed_and_acknowledged_at_once(one: Substation) -> None:
    one.beat()
    placement = one.start()
    one.beat()
    one.ledger.release([Release("s", placement.attempt, ReleaseOutcome.CANCELLING)])
    assert (one.state(), one.row.committed) == ("unsettled", 10_000)
    one.beat()
    assert one.charging() == []
    assert (one.state(), one.row.committed, one.unreported()) == ("cancelled", 0, [])


def test_a_cancel_of_what_never_came_is_acknowledged_and_it_never_starts(one: Substation) -> None:
    one.beat()
    placement = one.reserve()
    one.ledger.release([Release("s", placement.attempt, ReleaseOutcome.UNKNOWN)])
    assert one.row.committed == 10_000
    one.beat()
    assert one.row.committed == 0
    one.station.charge([Order("s", placement.attempt, "car", 10_000, 10_000)])
    assert one.charging() == []


def test_the_ledger_learns_whether_what_it_gave_up_had_run(one: Substation, sent: list[Heartbeat]) -> None:
    one.beat()
    for session in ("ran", "never came"):
        placement = one.start(session) if session == "ran" else one.reserve(session)
        one.ledger.release([Release(session, placement.attempt, ReleaseOutcome.UNKNOWN)])
    one.beat()
    assert {end.session: end.how for end in sent[-1].ended} == {"ran": "stopped", "never came": "barred"}


def test_a_cancel_whose_acknowledgement_is_lost_is_acknowledged_again(
    one: Substation, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.beat()
    placement = one.start()
    one.beat()
    one.ledger.release([Release("s", placement.attempt, ReleaseOutcome.CANCELLING)])
    send, sendings = one.ledger.heartbeat, 0

    def the_second_is_lost(beat: Heartbeat) -> HeartbeatReply:
        nonlocal sendings
        sendings += 1
        if sendings == 2:
            raise LedgerUnavailable("timed out")
        return send(beat)

    with monkeypatch.context() as away:
        away.setattr(one.ledger, "heartbeat", the_second_is_lost)
        with pytest.raises(LedgerUnavailable):
            one.beat()
    assert (one.charging(), one.state()) == ([], "unsettled")
    one.beat()
    assert (one.state(), one.row.committed) == ("cancelled", 0)


def test_a_ledger_that_never_has_enough_gets_four_heartbeats_at_once(
    one: Substation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sendings = 0

    def cancels_again_and_again(beat: Heartbeat) -> HeartbeatReply:
        nonlocal sendings
        sendings += 1
        return HeartbeatReply("ok", 1, [Cancel("s", 1)], [])

    monkeypatch.setattr(one.ledger, "heartbeat", cancels_again_and_again)
    one.beat()
    assert sendings == 4


def test_superseded_with_cancels_to_acknowledge_it_is_done_in_one_go(one: Substation) -> None:
    one.beat()
    placement = one.start()
    one.beat()
    one.ledger.release([Release("s", placement.attempt, ReleaseOutcome.CANCELLING)])
    Heartbeats(one.ledger, Station(IDENTITY.limit, 1.0), IDENTITY, Meters("default", "one", 120_000, 100_000)).beat()
    one.beat()
    assert (one.charging(), one.unreported(), one.row.committed) == ([], [], 0)


def test_whose_turn_has_come_is_started_and_confirmed_at_once(one: Substation) -> None:
    one.beat()
    one.start("all", watts=100_000)
    one.beat()
    assert one.reserve("s").outcome == "waiting"
    one.station.cancel("all")
    one.beat()
    assert (one.charging(), one.state()) == (["s"], "charging")


def test_whose_reply_was_lost_is_started_by_the_next_heartbeat(
    one: Substation, monkeypatch: pytest.MonkeyPatch
) -> None:
    room_comes_free_for_one_who_waits(one)
    send = one.ledger.heartbeat

    def reply_is_lost(beat: Heartbeat) -> HeartbeatReply:
        send(beat)
        raise LedgerUnavailable("timed out")

    with monkeypatch.context() as away:
        away.setattr(one.ledger, "heartbeat", reply_is_lost)
        with pytest.raises(LedgerUnavailable):
            one.beat()
    assert (one.charging(), one.state()) == ([], "reserved")
    one.beat()
    assert (one.charging(), one.state()) == (["s"], "charging")


def test_who_does_not_fit_after_all_goes_back_into_the_line(
    one: Substation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    room_comes_free_for_one_who_waits(one)
    send = one.ledger.heartbeat

    def another_comes_first(beat: Heartbeat) -> HeartbeatReply:
        reply = send(beat)
        one.station.charge([Order("unheard of", 1, "car", 95_000, 10_000)])
        return reply

    monkeypatch.setattr(one.ledger, "heartbeat", another_comes_first)
    one.beat()
    assert one.charging() == ["unheard of"]
    assert (one.state(), one.row.committed) == ("waiting", 95_000)
    assert "s was given to us and is not started: no-room" in caplog.text
