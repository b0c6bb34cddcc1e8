"""What became of those who waited is asked of the api, session by session."""

from collections.abc import Callable

import pytest

from grid.settings import Settings
from loadtest.afterwards import fates
from loadtest.line import RETENTION_S, Fate

from ..conftest import Handler, Server


def says(state: str, substation: str | None = None) -> Callable[[Handler], None]:
    return lambda request: request.send_json({"state": state, "substation": substation})


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (says("charging", "one"), Fate("started", "one")),
        (says("reserved", "one"), Fate("started", "one")),
        (says("finished", "one"), Fate("started", "one")),
        (says("waiting"), Fate("waiting")),
        (says("expired"), Fate("expired")),
        (says("cancelled"), Fate("cancelled")),
        (says("cancelling", "one"), Fate("cancelled", "one")),
        (says("lost"), Fate("200 lost")),
        (lambda request: request.send_json({"type": "/problems/unknown-session"}, 404), Fate("forgotten")),
        (lambda request: request.send_json({"type": "/problems/x"}, 503), Fate("503 /problems/x")),
        (lambda request: request.send(502, b"<html>"), Fate("no answer")),
    ],
)
def test_each_session_has_a_fate(server: Server, answer: Callable[[Handler], None], fate: Fate) -> None:
    server.answer = answer

    assert fates(server.url, ["s1"]) == {"s1": fate}
    assert [request.path for request in server.received] == ["/sessions/s1"]


def test_all_are_asked_about_once(server: Server) -> None:
    server.answer = says("waiting")
    sessions = [f"s{number}" for number in range(11)]

    assert set(fates(server.url, sessions)) == set(sessions)
    assert sorted(request.path for request in server.received) == sorted(f"/sessions/{each}" for each in sessions)


def test_nobody_waited() -> None:
    assert fates("http://127.0.0.1:1", []) == {}


def test_how_long_they_waited_is_as_the_api_has_it(server: Server) -> None:
    server.answer = lambda request: request.send_json({"state": "finished", "substation": "one", "waited_s": 1.5})

    assert fates(server.url, ["s1"]) == {"s1": Fate("started", "one", 1.5)}


def test_how_long_sessions_are_remembered_is_as_the_grid_has_it() -> None:
    assert Settings.model_fields["retention_ms"].default == RETENTION_S * 1000
