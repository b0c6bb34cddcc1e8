"""What a heartbeat tells."""

import pytest

from grid.ledger import LedgerUnavailable
from grid.ledger.records import Heartbeat, SubstationRecord
from substation.station import Order

from .conftest import HOUR_S, Substation, lose_the_reply


def test_the_first_heartbeat_registers_it_and_brings_an_epoch(one: Substation) -> None:
    assert (one.heartbeats.epoch, one.heartbeats.is_in_touch) == (0, False)
    one.beat()
    assert (one.heartbeats.epoch, one.heartbeats.is_in_touch) == (1, True)
    assert one.row == SubstationRecord("one", "up", 1, 120_000, 100_000, 0, 100_000, 0, 0)


def test_heartbeats_are_numbered(one: Substation, sent: list[Heartbeat]) -> None:
    for _ in range(3):
        one.beat()
    assert [(beat.epoch, beat.number) for beat in sent] == [(0, 1), (1, 2), (1, 3), (1, 4)]


def test_it_says_which_reply_it_has_heard_last(
    one: Substation, sent: list[Heartbeat], monkeypatch: pytest.MonkeyPatch
) -> None:
    one.beat()
    with monkeypatch.context() as away:
        away.setattr(one.ledger, "heartbeat", lose_the_reply(one.ledger.heartbeat))
        with pytest.raises(LedgerUnavailable):
            one.beat()
    one.beat()
    assert [(beat.number, beat.acknowledged) for beat in sent] == [(1, 0), (2, 1), (3, 2), (4, 2)]


def test_it_says_how_much_more_it_could_take(one: Substation, sent: list[Heartbeat]) -> None:
    one.beat()
    one.station.charge([Order("unheard of", 1, "car", 30_000, 10_000)])
    one.beat()
    assert sent[-1].could_take == 70_000


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
