"""What is refused moves; what is not answered stays reserved, and its substation starts it by a heartbeat's reply."""

import pytest

from grid.http import Reply
from grid.ledger import LedgerConfig, LedgerUnavailable
from grid.ledger.keys import key
from grid.ledger.records import Ended, Listed, Placement
from substation.station import Order

from ..conftest import Answerer, Call, Grid, SubstationUnderTest, answers, in_turn, problem_in, silent, unreachable
from .conftest import attempts, charges, fails, order, route, says_no


def only_status(status: int) -> Answerer:
    """One answer to all of an array."""
    return lambda call: Reply(status, {"status": status})


@pytest.mark.parametrize("answerer", [says_no, answers(422), only_status(422)], ids=["409", "422", "422 to the array"])
def test_what_is_refused_moves_and_the_watts_are_given_back(grid: Grid, first: str, answerer: Answerer) -> None:
    grid.network.hosts[first] = answerer
    (decided,) = route(grid)
    assert (decided["status"], decided["state"], decided["substation"]) == (201, "reserved", "twin")
    assert grid.watts_held() == {first: 0, "twin": 12_000}
    assert attempts(grid.network.calls_to(first)) == [(order()["session_id"], 1)]
    assert attempts(grid.network.calls_to("twin")) == [(order()["session_id"], 2)]


@pytest.mark.parametrize(
    "answerer",
    [silent, unreachable, fails, answers(404), answers(599), answers(503), only_status(502), only_status(599)],
    ids=[
        "does not answer",
        "refuses the connection",
        "fails",
        "is another service",
        "says what has no meaning",
        "is out of touch with the ledger",
        "its proxy fails",
        "its proxy says what has no meaning",
    ],
)
def test_what_is_not_answered_stays_reserved_there_and_is_posted_once(
    grid: Grid, first: str, answerer: Answerer
) -> None:
    grid.network.hosts[first] = answerer
    (decided,) = route(grid)
    assert (decided["status"], decided["state"], decided["substation"]) == (201, "reserved", first)
    assert attempts(grid.network.calls) == [(order()["session_id"], 1)]
    assert grid.watts_held() == {first: 11_000, "twin": 1_000}
    assert [grant.session for grant in grid.beat(first, number=2).grants] == [order()["session_id"]]


def test_a_real_substation_that_was_not_reached_starts_it_with_its_next_heartbeat(
    grid: Grid, one: SubstationUnderTest
) -> None:
    grid.network.hosts["one"] = unreachable
    assert route(grid)[0]["state"] == "reserved"
    assert one.snapshot().drawn == 0
    one.beat()
    assert one.snapshot().drawn == 11_000
    assert grid.ledger.session(order()["session_id"]).state == "charging"  # type: ignore[union-attr]


@pytest.mark.parametrize("substations", [2, 3, 5])
def test_a_session_moves_once_and_then_the_heartbeat_moves_it(grid: Grid, substations: int) -> None:
    for number in range(substations):
        grid.stub(f"s{number}", says_no)
    (decided,) = route(grid)
    assert (decided["status"], decided["state"]) == (201, "reserved")
    tried = [call.url.split("/")[2] for call in grid.network.calls]
    assert len(tried) == len(set(tried)) == 2
    assert grid.watts_held()[decided["substation"]] == 11_000
    never = Ended(order()["session_id"], 2, "never_started", 0, 2)
    grid.beat(decided["substation"], number=2, state="draining", ended=[never])
    assert grid.watts_held()[decided["substation"]] == 0


def test_what_the_only_one_refuses_waits_for_the_next_heartbeat_of_one_with_room(grid: Grid) -> None:
    grid.stub("one", says_no)
    assert route(grid)[0]["status"] == 202
    reply = grid.beat("one", number=2)
    assert [(grant.session, grant.attempt) for grant in reply.grants] == [(order()["session_id"], 2)]
    assert attempts(grid.network.calls) == [(order()["session_id"], 1)]
    assert grid.watts_held() == {"one": 11_000}


def test_without_a_line_it_is_full_but_not_for_what_was_accepted(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid.ledger, "_config", LedgerConfig(longest_line=0))
    grid.stub("one", charges, limit_kw=11)
    route(grid)
    problem_in(grid.balancer.post("/route", json=order(1)), 503, "grid-full")
    grid.stub("two", says_no)
    assert route(grid, order(1))[0]["status"] == 202


def test_an_attempt_that_was_superseded_is_no_session_of_its_own(grid: Grid, one: SubstationUnderTest) -> None:
    grid.stub("two", charges)
    grid.beat("two", number=2, sessions=[Listed(order()["session_id"], 3, 11_000, 10_000, 0, "ev-42")])
    one.station.charge([Order(order()["session_id"], 1, "ev-42", 11_000, 10_000)])
    one.beat()
    name = f"{order()['session_id']}#1@one"
    dump = grid.ledger_dump()
    assert name in dump[key("default", "sessions")] or one.snapshot().drawn == 0
    for method in ("GET", "DELETE"):
        response = grid.balancer.open(f"/sessions/{name.replace('#', '%23')}", method=method)
        problem_in(response, 404, "unknown-session")
    assert grid.ledger_dump() == dump


class TestEjection:
    """Where the substation leaves POST /charge unanswered, new sessions go elsewhere until its next heartbeat."""

    def goes_to(self, grid: Grid, number: int) -> str:
        return str(route(grid, order(number))[0]["substation"])

    @pytest.fixture(autouse=True)
    def is_watched(self, grid: Grid, first: str) -> None:
        """A zone of four, in which `first` is the least loaded for long."""
        for name in ("third", "fourth"):
            grid.stub(name, charges)
        for number, name in enumerate(("twin", "third", "fourth"), start=50):
            held = Listed(f"default-{number:024}", 1, 80_000, 10_000, 0, "ev")
            grid.beat(name, number=2, sessions=[held])

    def test_after_two_unanswered_in_a_row(self, grid: Grid, first: str) -> None:
        grid.network.hosts[first] = silent
        assert [self.goes_to(grid, number) == first for number in range(4)] == [True, True, False, False]
        grid.network.hosts[first] = charges
        grid.beat(first, number=2)
        assert self.goes_to(grid, 4) == first

    def test_but_not_after_two_that_are_not_in_a_row(self, grid: Grid, first: str) -> None:
        grid.network.hosts[first] = in_turn(silent, charges, silent, says_no, silent, charges)
        assert [self.goes_to(grid, number) == first for number in range(3)] == [True] * 3
        route(grid, order(3))  # refused
        assert [self.goes_to(grid, number) == first for number in (4, 5)] == [True] * 2

    def test_at_once_if_it_cannot_be_connected_to(self, grid: Grid, first: str) -> None:
        grid.network.hosts[first] = unreachable
        assert [self.goes_to(grid, number) == first for number in range(2)] == [True, False]

    def test_a_heartbeat_that_came_meanwhile_makes_it_void(self, grid: Grid, first: str) -> None:
        def silent_but_heard(call: Call) -> Reply:
            grid.beat(first, number=len(grid.network.calls) + 1)
            return silent(call)

        grid.network.hosts[first] = silent_but_heard
        assert [self.goes_to(grid, number) == first for number in range(4)] == [True] * 4

    def test_half_of_the_zone_stays_though_this_balancer_reaches_none_of_them(self, grid: Grid, first: str) -> None:
        for name in (first, "twin", "third", "fourth"):
            grid.network.hosts[name] = unreachable
        assert [route(grid, order(number))[0]["status"] for number in range(3)] == [201] * 3
        assert len([row for row in grid.ledger.grid() if row.headroom]) == 2

    def test_without_the_ledger_it_is_not_ejected_and_the_request_is_answered(
        self, grid: Grid, first: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lost(placement: Placement) -> bool:
            raise LedgerUnavailable("gone")

        monkeypatch.setattr(grid.ledger, "eject", lost)
        grid.network.hosts[first] = unreachable
        assert route(grid, order(0))[0]["status"] == 201


def test_a_car_that_charges_already_is_not_sent_again(grid: Grid) -> None:
    one = grid.substation("one")
    route(grid)
    one.beat()
    grid.network.calls.clear()
    assert route(grid)[0]["state"] == "charging"
    assert grid.network.calls == []


def test_a_substation_is_told_all_it_needs(grid: Grid) -> None:
    grid.stub("one", charges)
    route(grid)
    (call,) = grid.network.calls
    assert (call.method, call.url) == ("POST", "http://one/charge")
    assert call.body == [{**order(), "attempt": 1, "substation": "one", "epoch": 1}]
