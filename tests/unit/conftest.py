"""A real HTTP server on a loopback port, which answers as the test tells it."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The client's port: the same for requests on one connection."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append(Received(self.command, self.path, dict(self.headers), body, self.client_address[1]))
        self.server.answer(self)

    do_POST = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def send(self, status: int, body: bytes, close: bool = False, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.close_connection = True  # without saying so: the client finds a dead connection
        self.end_headers()
        self.wfile.write(body)

    def send_json(self, body: Any, status: int = 200, close: bool = False) -> None:
        self.send(status, json.dumps(body).encode(), close)


@dataclass
class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100
    request_queue_size = 128
    answer: Callable[[Handler], None] = lambda request: request.send_json({})
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.test_is_over = threading.Event()
        self.closed = threading.Semaphore(0)
        """Counts the connections that this side has closed."""

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.closed.release()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.test_is_over.set()
        server.shutdown()
        thread.join()
