"""A substation's heartbeats against a real ledger: what it tells, and what it does with the replies."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from fakeredis import FakeRedis

from grid.ledger import (
    Cancel,
    Heartbeat,
    HeartbeatReply,
    Ledger,
    LedgerUnavailable,
    Placement,
    Release,
    ReleaseOutcome,
    Request,
    SubstationRecord,
)
from substation.heartbeat import Heartbeats, Identity
from substation.meters import Meters
from substation.station import Order, Station, Verdict

IDENTITY = Identity("one", "http://one", capacity=120_000, limit=100_000)
HOUR_S = 3_600


@dataclass
class Substation:
    """One start of substation `one`, on a ledger and a clock that outlive it."""

    redis: FakeRedis = field(default_factory=lambda: FakeRedis(decode_responses=True))
    seconds: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.redis, "default", clock=lambda: round(self.seconds * 1000))
        self.restart()

    def restart(self) -> None:
        self.station = Station(IDENTITY.limit, 1.0, clock=lambda: self.seconds)
        meters = Meters("default", IDENTITY.substation, IDENTITY.capacity, IDENTITY.limit)
        self.heartbeats = Heartbeats(self.ledger, self.station, IDENTITY, meters)

    def beat(self) -> None:
        self.heartbeats.beat()

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    def reserve(self, session: str = "s", watts: int = 10_000) -> Placement:
        (placement,) = self.ledger.reserve([Request(session, "car", watts, 10_000)])
        return placement

    def start(self, session: str = "s", watts: int = 10_000) -> Placement:
        """Reserved in the ledger and started here, but not yet told."""
        placement = self.reserve(session, watts)
        self.station.charge([Order(session, placement.attempt, "car", watts, placement.energy_wh)])
        return placement

    def state(self, session: str = "s") -> str:
        record = self.ledger.session(session)
        return record.state if record else "unknown"

    def delivered(self, session: str = "s") -> int:
        record = self.ledger.session(session)
        return record.delivered_wh if record else -1

    @property
    def row(self) -> SubstationRecord:
        (row,) = self.ledger.grid()
        return row

    def charging(self) -> list[str]:
        return [charging.order.session for charging in self.station.snapshot().charging]

    def unreported(self) -> list[str]:
        return [end.session for end in self.station.snapshot().unreported]


@pytest.fixture
def one() -> Substation:
    return Substation()


@pytest.fixture
def sent(one: Substation, monkeypatch: pytest.MonkeyPatch) -> list[Heartbeat]:
    """Every heartbeat, as it was sent."""
    heartbeats: list[Heartbeat] = []
    send = one.ledger.heartbeat

    def remembered(beat: Heartbeat) -> HeartbeatReply:
        heartbeats.append(beat)
        return send(beat)

    monkeypatch.setattr(one.ledger, "heartbeat", remembered)
    return heartbeats


def test_the_first_heartbeat_registers_it_and_brings_an_epoch(one: Substation) -> None:
    assert (one.heartbeats.epoch, one.heartbeats.answered) == (0, False)
    one.beat()
    assert (one.heartbeats.epoch, one.heartbeats.answered) == (1, True)
    assert one.row == SubstationRecord("one", "up", "http://one", 1, 120_000, 100_000, 0, 0, 0, None)


def test_heartbeats_are_numbered(one: Substation, sent: list[Heartbeat]) -> None:
    for _ in range(3):
        one.beat()
    assert [(beat.epoch, beat.number) for beat in sent] == [(0, 1), (1, 2), (1, 3), (1, 4)]


def test_after_a_restart_it_gets_the_next_epoch_and_its_old_sessions_are_over(one: Substation) -> None:
    one.beat()
    one.start()
    one.beat()
    assert one.state() == "charging"
    one.restart()
    one.beat()
    assert one.heartbeats.epoch == 2
    assert (one.ledger.session("s").attempt, one.charging()) == (2, ["s"]), "given to it again"  # type: ignore[union-attr]


def test_it_lists_what_really_charges_and_how_far_it_is(one: Substation, sent: list[Heartbeat]) -> None:
    one.beat()
    one.start("a", watts=10_000)
    one.advance(HOUR_S / 4)
    one.start("b", watts=20_000)
    one.beat()
    assert [tuple(listed) for listed in sent[-1].sessions] == [
        ("a", 1, 10_000, 10_000, 2_500, "car"),
        ("b", 1, 20_000, 10_000, 0, "car"),
    ]
    assert (one.state("a"), one.delivered("a"), one.state("b")) == ("charging", 2_500, "charging")


def test_an_end_gives_the_watts_back(one: Substation) -> None:
    one.beat()
    one.start()
    one.beat()
    one.advance(HOUR_S)
    one.beat()
    assert (one.state(), one.delivered(), one.row.committed) == ("finished", 10_000, 0)


def test_the_end_of_a_session_that_was_never_listed_is_told_too(one: Substation) -> None:
    one.beat()
    one.start()
    one.advance(HOUR_S)
    one.beat()
    assert (one.state(), one.delivered(), one.row.committed) == ("finished", 10_000, 0)


Send = Callable[[Heartbeat], HeartbeatReply]


def lose_the_heartbeat(send: Send) -> Send:
    def lost(beat: Heartbeat) -> HeartbeatReply:
        raise LedgerUnavailable("timed out")

    return lost


def lose_the_reply(send: Send) -> Send:
    def lost(beat: Heartbeat) -> HeartbeatReply:
        send(beat)
        raise LedgerUnavailable("timed out")

    return lost


@pytest.mark.parametrize("lose", [lose_the_heartbeat, lose_the_reply])
def test_while_the_ledger_is_away_nothing_is_lost(
    one: Substation, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Send], Send]
) -> None:
    one.beat()
    one.start("ends meanwhile")
    one.start("goes on", watts=5_000)
    one.beat()
    with monkeypatch.context() as away:
        away.setattr(one.ledger, "heartbeat", lose(one.ledger.heartbeat))
        one.advance(HOUR_S)
        for _ in range(3):
            with pytest.raises(LedgerUnavailable):
                one.beat()
        assert one.heartbeats.answered is False
        assert one.unreported() == ["ends meanwhile"]
    one.beat()
    assert one.heartbeats.answered is True
    assert one.heartbeats.epoch == 1
    assert one.unreported() == []
    assert (one.state("ends meanwhile"), one.state("goes on")) == ("finished", "charging")
    assert (one.delivered("goes on"), one.row.committed) == (5_000, 5_000)


@pytest.mark.parametrize("lose", [lose_the_heartbeat, lose_the_reply])
def test_a_lost_registration_is_repeated(
    one: Substation, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Send], Send]
) -> None:
    with monkeypatch.context() as away:
        away.setattr(one.ledger, "heartbeat", lose(one.ledger.heartbeat))
        with pytest.raises(LedgerUnavailable):
            one.beat()
    assert one.heartbeats.epoch == 0
    one.beat()
    assert one.heartbeats.epoch == one.row.epoch > 0


def test_an_end_while_the_heartbeat_is_under_way_is_told_by_the_next(
    one: Substation, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.beat()
    one.start()
    send = one.ledger.heartbeat

    def and_the_car_leaves_meanwhile(beat: Heartbeat) -> HeartbeatReply:
        reply = send(beat)
        one.station.cancel("s")
        return reply

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(one.ledger, "heartbeat", and_the_car_leaves_meanwhile)
        one.beat()
    assert (one.state(), one.unreported()) == ("charging", ["s"])
    one.beat()
    assert (one.state(), one.unreported()) == ("cancelled", [])


def test_an_empty_ledger_learns_everything_again(one: Substation) -> None:
    one.beat()
    one.start()
    one.beat()
    one.redis.flushall()
    one.beat()
    assert (one.state(), one.row.committed, one.row.limit) == ("charging", 10_000, 100_000)


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
    one.beat()
    one.start("all", watts=100_000)
    one.beat()
    one.reserve("s")
    one.station.cancel("all")
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
    one.beat()
    one.start("all", watts=100_000)
    one.beat()
    one.reserve("s")
    one.station.cancel("all")
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


def test_farewell_gives_every_car_back_with_what_it_got_and_takes_none(one: Substation) -> None:
    one.beat()
    one.start()
    one.advance(HOUR_S / 2)
    one.heartbeats.farewell()
    assert (one.row.state, one.state(), one.row.committed) == ("draining", "waiting", 0)
    assert one.delivered() == 5_000
    assert one.reserve("another").outcome == "nowhere"
    assert one.station.charge([Order("late", 1, "car", 1_000, 1_000)]) == [Verdict.NO_ROOM]


def test_farewell_without_a_ledger_is_no_error(
    one: Substation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one.beat()
    monkeypatch.setattr(one.ledger, "heartbeat", lose_the_heartbeat(one.ledger.heartbeat))
    one.heartbeats.farewell()
    assert "could not say farewell" in caplog.text
