"""What has changed in the ledger by the time a substation answers."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from grid.http import Reply
from grid.ledger import Heartbeat, LedgerUnavailable, Listed, Release

from ..conftest import RETRY_AFTER_S, SETTINGS, Call, Grid, answers, silent
from .conftest import charges, order, route, says_no


@pytest.fixture(params=[0, 1], ids=["in time", "at the last moment"])
def late_s(request: pytest.FixtureRequest, grid: Grid, monkeypatch: pytest.MonkeyPatch) -> float:
    """How long a substation takes: nothing, or so long that no further round follows."""
    monkeypatch.setattr("balancer.dispatch.time", SimpleNamespace(monotonic=grid.clock))
    return float(request.param * SETTINGS.route_budget_ms / 1000 * 0.6)


def test_what_a_heartbeat_has_confirmed_meanwhile_charges(grid: Grid, late_s: float) -> None:
    """The answers are lost, but the substation started the car and told the ledger before it was given up."""

    def starts_but_the_answer_is_lost(call: Call) -> Reply:
        (item,) = call.body
        grid.clock.advance(late_s)
        running = Listed(item["session_id"], item["attempt"], item["watts"], item["energy_wh"], 0, item["vehicle_id"])
        number = len(grid.network.calls) + 1
        grid.ledger.heartbeat(
            Heartbeat("one", "http://one", item["epoch"], number, 100_000, 100_000, sessions=[running])
        )
        return silent(call)

    grid.stub("one", starts_but_the_answer_is_lost)
    (decided,) = route(grid)
    assert (decided["status"], decided["state"], decided["substation"]) == (201, "charging", "one")
    assert grid.watts_held() == {"one": 11_000}


def test_what_its_owner_cancelled_meanwhile_is_not_served_elsewhere(grid: Grid, first: str, late_s: float) -> None:
    def cancelled_meanwhile(call: Call) -> Reply:
        grid.clock.advance(late_s * 2)
        grid.network.hosts[first] = answers(404)
        grid.balancer.delete(f"/sessions/{order()['session_id']}")
        return says_no(call)

    grid.network.hosts[first] = cancelled_meanwhile
    (decided,) = route(grid)
    assert (decided["status"], decided["state"]) == (201, "cancelled")
    assert grid.network.calls_to("twin") == []
    assert grid.watts_held() == {first: 0, "twin": 1_000}


def test_when_the_ledger_is_lost_in_the_middle_those_that_started_are_served(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(releases: Sequence[Release]) -> list[str]:
        raise LedgerUnavailable("gone")

    grid.stub("kind", charges)
    grid.stub("strict", says_no)
    monkeypatch.setattr(grid.ledger, "release", lost)
    decided = route(grid, *[order(number) for number in range(4)])
    started = [item for item in decided if item["status"] == 201]
    rest = [item for item in decided if item["status"] != 201]
    assert [item["substation"] for item in started] == ["kind"] * 2
    assert [item["type"] for item in rest] == ["/problems/ledger-unavailable"] * 2
    assert [item["retry_after_s"] for item in rest] == [RETRY_AFTER_S] * 2
    assert all("gone" in item["detail"] for item in rest)
    assert grid.watts_held() == {"kind": 22_000, "strict": 22_000}, "until the sweep finds them unconfirmed"
