"""The api's choice of a balancer: any will do, and the next one too."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from api.balancer import SHUN_S, BalancerClient
from grid.http import Client, NoAnswer, NotSent, Reply
from grid.problems import Problem

URLS = ("http://a", "http://b", "http://c")
TRY_MS, TIMEOUT_MS = 2_000, 5_000


class Balancers(Client):
    """Their answers, and a clock that their silence moves."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.timeouts: list[int | None] = []
        self.broken: dict[str, type[Exception]] = {}
        self.cut_off: set[str] = set()
        self.stranger = ""
        self.now = 1_000.0

    def call(self, method: str, url: str, request_id: str, body: Any = None, timeout_ms: int | None = None) -> Reply:
        name = url.removeprefix("http://").partition("/")[0]
        self.asked.append(name)
        self.timeouts.append(timeout_ms)
        if name in self.broken:
            if self.broken[name] is NoAnswer:
                self.now += (timeout_ms or 0) / 1000
            raise self.broken[name](name)
        if name == self.stranger:
            return Reply(404, {"by": name, "status": 404, "type": "about:blank"})
        if name in self.cut_off:
            return Reply(207, [{"by": name, "status": 503, "type": "/problems/ledger-unavailable"}])
        return Reply(207, [{"by": name, "status": 201}])


@pytest.fixture
def balancers(monkeypatch: pytest.MonkeyPatch) -> Balancers:
    balancers = Balancers()
    monkeypatch.setattr("api.balancer.time", SimpleNamespace(monotonic=lambda: balancers.now))
    return balancers


@pytest.fixture
def ask(balancers: Balancers) -> Callable[[], Any]:
    client = BalancerClient(balancers, URLS, TRY_MS, TIMEOUT_MS, retry_after_s=7)
    return lambda: client.call("POST", "/route", "abc", [{}]).body[0]["by"]


def test_balancers_take_turns(ask: Callable[[], Any]) -> None:
    assert [ask() for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


@pytest.mark.parametrize("error", [NotSent, NoAnswer])
def test_the_next_is_asked_if_one_does_not_answer(
    balancers: Balancers, ask: Callable[[], Any], error: type[Exception]
) -> None:
    balancers.broken = {"a": error}
    assert ask() == "b"
    assert balancers.asked == ["a", "b"]


def test_one_that_did_not_answer_is_asked_last_for_a_while(balancers: Balancers, ask: Callable[[], Any]) -> None:
    balancers.broken = {"a": NoAnswer}
    for _ in range(6):
        ask()
    assert balancers.asked.count("a") == 1
    balancers.now += SHUN_S
    balancers.broken = {}
    assert {ask() for _ in range(3)} == {"a", "b", "c"}


def test_one_that_is_cut_off_from_the_ledger_is_passed_by(balancers: Balancers, ask: Callable[[], Any]) -> None:
    balancers.cut_off = {"a"}
    assert [ask() for _ in range(4)] == ["b", "b", "c", "b"]
    assert balancers.asked.count("a") == 1


def test_one_that_is_no_balancer_is_passed_by(balancers: Balancers, ask: Callable[[], Any]) -> None:
    balancers.stranger = "a"
    assert [ask() for _ in range(3)] == ["b", "b", "c"]


def test_if_the_next_has_no_ledger_either_its_answer_counts(balancers: Balancers, ask: Callable[[], Any]) -> None:
    balancers.cut_off = set("abc")
    assert ask() == "b"
    assert balancers.asked == ["a", "b"], "nobody waits for a third time-out"


def test_if_the_others_do_not_answer_the_ledger_is_what_is_missing(
    balancers: Balancers, ask: Callable[[], Any]
) -> None:
    balancers.cut_off = {"a"}
    balancers.broken = {"b": NotSent, "c": NotSent}
    assert ask() == "a"


def test_the_shunned_are_asked_if_nobody_else_answers(balancers: Balancers, ask: Callable[[], Any]) -> None:
    balancers.broken = {"a": NotSent}
    ask()
    balancers.broken = {"b": NotSent, "c": NotSent}
    assert ask() == "a"


def test_each_gets_its_share_of_the_time_and_the_last_what_is_left(
    balancers: Balancers, ask: Callable[[], Any]
) -> None:
    balancers.broken = dict.fromkeys("abc", NoAnswer)
    with pytest.raises(Problem) as raised:
        ask()
    assert (raised.value.type, raised.value.retry_after_s) == ("balancer-unavailable", 7)
    assert balancers.asked == ["a", "b", "c"]
    assert balancers.timeouts == [2_000, 2_000, 1_000]


def test_where_nobody_is_the_answer_is_at_once_after_asking_each_twice(
    balancers: Balancers, ask: Callable[[], Any]
) -> None:
    balancers.broken = dict.fromkeys("abc", NotSent)
    with pytest.raises(Problem):
        ask()
    assert sorted(balancers.asked) == sorted("abcabc")


def test_a_single_address_is_asked_twice(balancers: Balancers) -> None:
    """It may be a proxy that finds another balancer."""
    client = BalancerClient(balancers, ("http://a",), TRY_MS, TIMEOUT_MS, retry_after_s=7)
    balancers.broken = {"a": NoAnswer}
    with pytest.raises(Problem):
        client.call("POST", "/route", "abc", [{}])
    assert balancers.asked == ["a", "a"]
