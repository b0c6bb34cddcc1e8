"""The last heartbeat."""

import pytest

from substation.station import Order, Verdict

from .conftest import HOUR_S, Substation, lose_the_heartbeat


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
