"""Calls between the services: whoever calls must know whether it may have had an effect."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from grid.health import probe
from grid.http import TRIES, Client, NoAnswer, NotSent, Reply

from .conftest import Handler, Server

SOON_S = 5.0


@pytest.fixture
def client() -> Client:
    return Client(connections=4, connect_timeout_ms=5_000, timeout_ms=5_000)


@pytest.fixture
def hasty() -> Client:
    """For those who do not answer anyway."""
    return Client(connections=4, connect_timeout_ms=100, timeout_ms=100)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port at which no connection is ever completed: its queue is full."""
    with ExitStack() as sockets:
        server = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_a_call_brings_method_path_body_and_request_id(client: Client, server: Server) -> None:
    server.answer = lambda request: request.send_json({"a": [1]}, 201)
    assert client.call("POST", f"{server.url}/charge?x=1", "abc", {"watts": 1}) == Reply(201, {"a": [1]})
    (received,) = server.received
    assert (received.method, received.path, json.loads(received.body)) == ("POST", "/charge?x=1", {"watts": 1})
    assert (received.headers["X-Request-ID"], received.headers["Content-Type"]) == ("abc", "application/json")


@pytest.mark.parametrize(("tries", "in_doubt"), [("", False), ("a:1", False), ("a:1, b:1", True), ("a:1 : b:1", True)])
def test_a_proxy_that_asked_several_leaves_a_doubt(client: Client, server: Server, tries: str, in_doubt: bool) -> None:
    server.answer = lambda request: request.send(200, b"{}", headers={TRIES: tries})
    assert client.call("POST", server.url, "abc").in_doubt is in_doubt


def test_a_call_without_a_body_sends_none(client: Client, server: Server) -> None:
    client.call("GET", f"{server.url}/grid", "abc")
    (received,) = server.received
    assert (received.method, received.body) == ("GET", b"")
    assert "Content-Type" not in received.headers


@pytest.mark.parametrize("status", [200, 207, 302, 404, 409, 422, 500, 503])
def test_any_status_is_an_answer(client: Client, server: Server, status: int) -> None:
    server.answer = lambda request: request.send_json({"status": status}, status)
    assert client.call("GET", server.url, "abc") == Reply(status, {"status": status})
    assert len(server.received) == 1, "nothing is asked twice"


def test_calls_share_a_connection(client: Client, server: Server) -> None:
    for _ in range(5):
        client.call("GET", server.url, "abc")
    assert len({received.connection for received in server.received}) == 1


def test_a_connection_that_was_closed_meanwhile_is_replaced(client: Client, server: Server) -> None:
    server.answer = lambda request: request.send_json({}, close=True)
    for _ in range(3):
        assert client.call("POST", server.url, "abc", {}).status == 200
        assert server.closed.acquire(timeout=SOON_S)
    assert len({received.connection for received in server.received}) == 3


def test_a_refused_connection_was_not_sent(client: Client, closed_port: int) -> None:
    with pytest.raises(NotSent):
        client.call("POST", f"http://127.0.0.1:{closed_port}/charge", "abc", {})


def test_a_connection_that_does_not_open_was_not_sent(hasty: Client, deaf_port: int) -> None:
    with pytest.raises(NotSent):
        hasty.call("POST", f"http://127.0.0.1:{deaf_port}/charge", "abc", {})


def hangs(request: Handler) -> None:
    request.server.test_is_over.wait(2 * SOON_S)
    request.close_connection = True


def hangs_up(request: Handler) -> None:
    request.close_connection = True


def hangs_up_in_the_middle(request: Handler) -> None:
    request.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
    request.close_connection = True


def hangs_in_the_middle(request: Handler) -> None:
    request.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
    hangs(request)


def talks_nonsense(request: Handler) -> None:
    request.wfile.write(b"220 smtp.example ready\r\n\r\n")
    request.close_connection = True


def answers_html(request: Handler) -> None:
    request.send(502, b"<html>Bad Gateway</html>")


def answers_nothing(request: Handler) -> None:
    request.send(200, b"")


def answers_no_utf8(request: Handler) -> None:
    request.send(200, b'"\xff"')


@pytest.mark.parametrize("answer", [hangs, hangs_in_the_middle])
def test_what_arrived_but_was_not_answered_in_time_may_have_had_an_effect(
    hasty: Client, server: Server, answer: Callable[[Handler], None]
) -> None:
    server.answer = answer
    with pytest.raises(NoAnswer):
        hasty.call("POST", f"{server.url}/charge", "abc", {})


@pytest.mark.parametrize(
    "answer",
    [
        hangs_up,
        hangs_up_in_the_middle,
        talks_nonsense,
        answers_html,
        answers_nothing,
        answers_no_utf8,
    ],
)
def test_what_arrived_but_was_not_answered_may_have_had_an_effect(
    client: Client, server: Server, answer: Callable[[Handler], None]
) -> None:
    server.answer = answer
    with pytest.raises(NoAnswer):
        client.call("POST", f"{server.url}/charge", "abc", {})
    assert len(server.received) == 1, "nothing is asked twice"


def test_a_call_may_have_less_time_than_others(server: Server) -> None:
    server.answer = hangs
    patient = Client(connections=1, connect_timeout_ms=60_000, timeout_ms=60_000)
    started = time.monotonic()
    with pytest.raises(NoAnswer):
        patient.call("GET", server.url, "abc", timeout_ms=20)
    assert time.monotonic() - started < SOON_S


@pytest.mark.parametrize("url", ["http:///charge", "smtp://one/charge", "http://one:port/"])
def test_an_address_that_is_none_is_no_answer(client: Client, url: str) -> None:
    with pytest.raises((NoAnswer, NotSent)):
        client.call("POST", url, "abc", {})


def test_many_threads_share_a_client(client: Client, server: Server) -> None:
    server.answer = lambda request: request.send_json(request.path)
    paths = [f"/{number}" for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda path: client.call("GET", server.url + path, "abc").body, paths)) == paths


# The containers' health check


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (204, True), (302, False), (404, False), (503, False)])
def test_a_probe_is_content_with_2xx_only(server: Server, status: int, healthy: bool) -> None:
    server.answer = lambda request: request.send(status, b"", close=True)
    assert probe(f"{server.url}/ready") is healthy
    assert [received.path for received in server.received] == ["/ready"]


def test_a_probe_of_nobody_fails(closed_port: int) -> None:
    assert probe(f"http://127.0.0.1:{closed_port}/health") is False


@pytest.mark.parametrize("answer", [hangs, hangs_up, talks_nonsense])
def test_a_probe_that_is_not_answered_fails(server: Server, answer: Callable[[Handler], None]) -> None:
    server.answer = answer
    assert probe(f"{server.url}/health", timeout_s=0.05) is False
