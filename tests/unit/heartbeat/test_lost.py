"""Heartbeats, replies and the ledger's memory that are lost."""

from collections.abc import Callable

import pytest

from grid.ledger import LedgerUnavailable
from grid.ledger.records import Heartbeat, HeartbeatReply

from .conftest import HOUR_S, Send, Substation, lose_the_heartbeat, lose_the_reply


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
        assert not one.heartbeats.is_in_touch
        assert one.unreported() == ["ends meanwhile"]
    one.beat()
    assert one.heartbeats.is_in_touch
    assert one.heartbeats.epoch == 2, "it was out of touch: calls for epoch 1 may still be on their way"
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
