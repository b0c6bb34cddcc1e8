"""What a substation does with the replies."""

import pytest
from prometheus_client import REGISTRY

from grid.ledger import LedgerUnavailable
from grid.ledger.records import Grant, Heartbeat, HeartbeatReply, Stop
from substation.admission import admit
from substation.schemas import ChargeOrder
from substation.station import Order, Verdict

from .conftest import HOUR_S, IDENTITY, TTL_MS, Substation

GRANT = Grant("s", 1, "car", 10_000, 10_000, None, "normal")


def posted(one: Substation) -> ChargeOrder:
    """A reservation as a balancer posts it."""
    placement = one.reserve()
    return ChargeOrder(
        session_id="s",
        attempt=placement.attempt,
        substation=placement.substation,
        epoch=placement.epoch,
        vehicle_id="car",
        watts=placement.watts,
        energy_wh=placement.energy_wh,
    )


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
    assert one.a_twin_registers().epoch == 2
    sent.clear()
    one.beat()
    assert [beat.epoch for beat in sent] == [1, 0, 3, 3], "the last says that it has what was given to its twin"
    assert one.heartbeats.epoch == 3
    assert one.charging() == ["s"]
    assert (one.state(), one.row.committed) == ("charging", 10_000)


def test_a_reply_that_is_read_too_late_is_ignored(one: Substation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped with the reply in its buffer wakes up: what it says may be with others by now."""
    one.beat()
    one.reserve()
    send, late = one.ledger.heartbeat, [TTL_MS / 1000 + 0.1]
    charging_at: list[list[str]] = []

    def stopped_after_the_first(beat: Heartbeat) -> HeartbeatReply:
        charging_at.append(one.charging())
        reply = send(beat)
        one.advance(late.pop() if late else 0)
        return reply

    monkeypatch.setattr(one.ledger, "heartbeat", stopped_after_the_first)
    one.beat()
    assert charging_at[:2] == [[], []], "the first reply started nothing"
    one.beat()
    assert (one.charging(), one.state()) == (["s"], "charging")


def test_out_of_touch_with_the_ledger_it_starts_nothing_that_is_posted(
    one: Substation, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.beat()
    order = posted(one)
    one.advance(TTL_MS / 1000)
    assert admit([order], IDENTITY, one.heartbeats, 1, one.station) == [Verdict.OUT_OF_TOUCH]
    assert one.charging() == []
    for _ in range(2):
        one.beat()
    assert one.charging() == ["s"], "granted again, as attempt 2 of epoch 2"
    assert admit([order], IDENTITY, one.heartbeats, 2, one.station) == [Verdict.CANCELLED_BEFORE]


def test_heard_again_after_it_was_out_of_touch_it_takes_a_new_epoch_and_keeps_what_it_carries(
    one: Substation,
) -> None:
    """What was posted for the old epoch may be with others by now, and arrive here later."""
    one.beat()
    order = posted(one)
    one.start("charging")
    one.beat()
    one.station.stop("s", 1)
    one.advance(TTL_MS / 1000)
    one.beat()
    assert (one.heartbeats.epoch, one.row.epoch, one.heartbeats.is_in_touch) == (2, 2, True)
    assert one.state("charging") == "charging"
    late = order.model_copy(update={"session_id": "late"})
    assert admit([late], IDENTITY, one.heartbeats, one.heartbeats.epoch, one.station) == [Verdict.WRONG_EPOCH]


def test_out_of_touch_it_still_says_what_charges_here(one: Substation) -> None:
    one.beat()
    order = posted(one)
    assert admit([order], IDENTITY, one.heartbeats, 1, one.station) == [Verdict.STARTED]
    one.advance(TTL_MS / 1000)
    assert admit([order], IDENTITY, one.heartbeats, 1, one.station) == [Verdict.CHARGING]


def test_a_cancel_is_obeyed_and_answered_at_once(one: Substation) -> None:
    one.beat()
    one.start()
    one.beat()
    one.ledger.cancel("s")
    assert (one.state(), one.row.committed) == ("cancelling", 10_000)
    one.beat()
    assert one.charging() == []
    assert (one.state(), one.row.committed, one.unreported()) == ("cancelled", 0, [])


def test_a_cancel_of_what_never_came_is_answered_and_it_never_starts(one: Substation) -> None:
    one.beat()
    placement = one.reserve()
    one.ledger.cancel("s")
    one.beat()
    assert (one.state(), one.row.committed) == ("cancelled", 0)
    one.station.charge([Order("s", placement.attempt, "car", 10_000, 10_000)])
    assert one.charging() == []


def test_the_ledger_learns_whether_what_was_cancelled_had_run(one: Substation, sent: list[Heartbeat]) -> None:
    one.beat()
    for session in ("ran", "never came"):
        _ = one.start(session) if session == "ran" else one.reserve(session)
        one.ledger.cancel(session)
    one.beat()
    assert {end.session: end.how for end in sent[-1].ended} == {"ran": "stopped", "never came": "never_started"}


def test_a_cancel_whose_answer_is_lost_is_answered_again(one: Substation, monkeypatch: pytest.MonkeyPatch) -> None:
    one.beat()
    one.start()
    one.beat()
    one.ledger.cancel("s")
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
    assert (one.charging(), one.state()) == ([], "cancelling")
    one.beat()
    assert (one.state(), one.row.committed) == ("cancelled", 0)


@pytest.mark.parametrize(
    "reply",
    [HeartbeatReply("ok", 1, [Stop("s", 1, "cancelled")], []), HeartbeatReply("ok", 1, [], [GRANT])],
    ids=["stop", "start"],
)
def test_what_a_reply_says_again_causes_no_heartbeat_out_of_turn(
    one: Substation, monkeypatch: pytest.MonkeyPatch, reply: HeartbeatReply
) -> None:
    one.beat()
    one.reserve()
    sendings, woken = 0, 0

    def says_the_same(beat: Heartbeat) -> HeartbeatReply:
        nonlocal sendings
        sendings += 1
        return reply

    def wake() -> None:
        nonlocal woken
        woken += 1

    monkeypatch.setattr(one.ledger, "heartbeat", says_the_same)
    one.station.on_change = wake
    for _ in range(3):
        one.beat()
    assert (sendings, woken) == (4, 0), "one for the news, and then one each"


def test_a_preempted_session_is_stopped_and_counted_once(one: Substation, monkeypatch: pytest.MonkeyPatch) -> None:
    def preemptions() -> float:
        labels = {"zone": "default", "substation": "one"}
        return REGISTRY.get_sample_value("grid_substation_preemptions_total", labels) or 0.0

    one.beat()
    one.start()
    before = preemptions()
    reply = HeartbeatReply("ok", 1, [Stop("s", 1, "preempted")], [])
    monkeypatch.setattr(one.ledger, "heartbeat", lambda beat: reply)
    for _ in range(2):
        one.beat()
    assert (one.charging(), preemptions() - before) == ([], 1)


def test_an_attempt_below_one_that_was_stopped_here_is_answered_and_never_asked_again(
    one: Substation, sent: list[Heartbeat]
) -> None:
    """A ledger that was rolled back grants attempt 1; this substation remembers attempt 3."""
    one.beat()
    one.station.charge([Order("s", 3, "car", 10_000, 10_000)])
    one.station.stop("s", 3)
    one.station.reported(one.station.snapshot().unreported)
    one.reserve()
    sent.clear()
    for _ in range(3):
        one.beat()
    assert one.charging() == ["s"]
    assert one.ledger.session("s").attempt == 4  # type: ignore[union-attr]
    assert len(sent) == 4, "the answer waits for the next heartbeat, and what starts then is told at once"


@pytest.mark.parametrize("how", ["finished", "cancelled"])
@pytest.mark.parametrize("attempt", [1, 2])
def test_an_attempt_that_ended_before_a_roll_back_is_granted_and_ends_as_it_did(
    one: Substation, how: str, attempt: int
) -> None:
    one.beat()
    one.station.charge([Order("s", attempt, "car", 10_000, 10_000)])
    if how == "finished":
        one.advance(HOUR_S)
    else:
        one.station.cancel("s")
    one.station.reported(one.station.snapshot().unreported)
    one.beat()
    assert one.reserve().attempt == 1, "rolled back to where it was reserved"
    for _ in range(2):
        one.beat()
    assert (one.state(), one.row.committed, one.charging()) == (how, 0, [])


def test_superseded_with_cancels_to_answer_it_is_done_in_one_go(one: Substation) -> None:
    one.beat()
    one.start()
    one.beat()
    one.ledger.cancel("s")
    one.a_twin_registers()
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
    assert "s was given to us and does not fit" in caplog.text
