"""The proxy does to a connection what its modes say, to those that are open and to new ones."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from .proxy import Direction, Proxy

SOON_S = 0.15
IN_TIME_S = 5.0


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.server.heard.append(data)  # type: ignore[attr-defined]
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.heard: list[bytes] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A reset connection is what these tests are about."""

    def has_heard(self, data: bytes) -> bool:
        deadline = time.monotonic() + IN_TIME_S
        while data not in self.heard and time.monotonic() < deadline:
            time.sleep(0.005)
        return data in self.heard


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(echo: EchoServer) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo.server_address[1]) as proxy:
        yield proxy


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=IN_TIME_S)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection that has already carried something."""
    with connect(proxy) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        yield client


def says_nothing(client: socket.socket) -> bool:
    client.settimeout(SOON_S)
    try:
        return not client.recv(100)
    except TimeoutError:
        return True
    finally:
        client.settimeout(IN_TIME_S)


def test_delay_is_added_each_way(proxy: Proxy, client: socket.socket) -> None:
    proxy.delay(0.1)
    sent = time.monotonic()
    client.sendall(b"slow")
    assert client.recv(100) == b"slow"
    assert time.monotonic() - sent >= 0.2


def test_cut_resets_what_is_open_and_what_comes(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    with pytest.raises(ConnectionResetError), connect(proxy) as another:
        another.recv(100)
    proxy.heal()
    with connect(proxy) as another:
        another.sendall(b"again")
        assert another.recv(100) == b"again"


def test_swallowed_replies_are_gone_and_the_connection_with_them(
    proxy: Proxy, client: socket.socket, echo: EchoServer
) -> None:
    proxy.swallow_replies()
    client.sendall(b"lost")
    assert echo.has_heard(b"lost")
    assert says_nothing(client)
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_held_requests_arrive_when_healed_also_when_their_sender_has_left(
    proxy: Proxy, client: socket.socket, echo: EchoServer
) -> None:
    proxy.hold(Direction.REQUESTS)
    client.sendall(b"late")
    assert says_nothing(client)
    client.close()
    assert b"late" not in echo.heard
    proxy.heal()
    assert echo.has_heard(b"late")


def test_held_replies_arrive_when_healed_and_requests_at_once(
    proxy: Proxy, client: socket.socket, echo: EchoServer
) -> None:
    proxy.hold(Direction.REPLIES)
    client.sendall(b"answer me")
    assert echo.has_heard(b"answer me")
    assert says_nothing(client)
    proxy.heal()
    assert client.recv(100) == b"answer me"


def test_an_upstream_that_is_not_there_is_a_reset(proxy: Proxy, echo: EchoServer) -> None:
    echo.shutdown()
    echo.server_close()
    with pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(100)
