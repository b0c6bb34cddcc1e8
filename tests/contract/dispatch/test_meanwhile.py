"""What has changed in the ledger by the time a substation answers."""

from collections.abc import Iterable

import pytest
from redis.exceptions import TimeoutError

from grid.http import Reply
from grid.ledger import LedgerUnavailable
from grid.ledger.records import Listed, Placement, Request

from ..conftest import Call, Grid, SubstationUnderTest, answers, silent
from .conftest import charges, order, route, says_no


def test_what_a_heartbeat_has_confirmed_meanwhile_charges_once(grid: Grid) -> None:
    """The answer is lost, but the substation started the car and told the ledger."""

    def starts_but_the_answer_is_lost(call: Call) -> Reply:
        (item,) = call.body
        running = Listed(item["session_id"], item["attempt"], item["watts"], item["energy_wh"], 0, item["vehicle_id"])
        grid.beat("one", number=2, sessions=[running])
        return silent(call)

    grid.stub("one", starts_but_the_answer_is_lost)
    (decided,) = route(grid)
    assert (decided["status"], decided["substation"]) == (201, "one")
    assert grid.watts_held() == {"one": 11_000}
    assert route(grid)[0]["state"] == "charging"


def test_what_its_owner_cancelled_meanwhile_does_not_move(grid: Grid, first: str) -> None:
    def cancelled_meanwhile(call: Call) -> Reply:
        grid.network.hosts[first] = answers(200)
        grid.balancer.delete(f"/sessions/{order()['session_id']}")
        return says_no(call)

    grid.network.hosts[first] = cancelled_meanwhile
    (decided,) = route(grid)
    assert (decided["status"], decided["state"]) == (201, "cancelled")
    assert grid.network.calls_to("twin") == []
    assert grid.watts_held() == {first: 0, "twin": 1_000}


def test_when_the_ledger_is_lost_in_the_middle_what_was_refused_moves_with_the_next_heartbeat(
    grid: Grid, one: SubstationUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(refused: Iterable[tuple[Request, Placement]]) -> list[Placement]:
        raise LedgerUnavailable("gone")

    monkeypatch.setattr(grid.ledger, "move", lost)
    one.station.limit = 1_000
    (decided,) = route(grid)
    assert (decided["status"], decided["state"], decided["substation"]) == (201, "reserved", "one")
    grid.stub("kind", charges)
    one.beat()
    assert grid.watts_held() == {"one": 0, "kind": 11_000}


@pytest.mark.parametrize("lost", ["before it was asked", "after it was asked"])
def test_it_says_whether_the_ledger_may_have_placed_what_it_did_not_answer(
    grid: Grid, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid.stub("one", charges)
    if lost == "before it was asked":
        monkeypatch.setattr(type(grid.ledger._breaker), "is_open", True)
    else:
        monkeypatch.setitem(grid.ledger._scripts, "reserve", lost_on_the_way)
    decided = route(grid, order(), order(1))[0]
    assert (decided["type"], decided["status"]) == ("/problems/ledger-unavailable", 503)
    assert decided.get("in_doubt", False) == (lost == "after it was asked")


def lost_on_the_way(**_: object) -> None:
    raise TimeoutError("timed out")
