"""A thread that has answered stays with its connection for a moment."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]


@dataclass
class Connection:
    """A driver's connection; `kept` says of each answer whether the connection is kept after it."""

    sock: socket.socket
    driver: socket.socket
    kept: list[bool] = field(default_factory=lambda: [True, False])
    answered: int = 0
    read_already: BytesIO = field(default_factory=BytesIO)

    @property
    def parser(self) -> Any:
        return SimpleNamespace(unreader=SimpleNamespace(buf=self.read_already))


@pytest.fixture
def connection() -> Iterator[Connection]:
    ours, drivers = socket.socketpair()
    with ours, drivers:
        yield Connection(ours, drivers)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Any:
    """One place to stay; each request is answered by counting it."""

    def handle(self: Any, conn: Connection) -> bool:
        conn.answered += 1
        return conn.kept.pop(0)

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # set by the import: these tests are one process
    from grid.gunicorn_conf import Worker

    monkeypatch.setattr(ThreadWorker, "handle", handle)
    worker = object.__new__(Worker)
    worker.alive = True
    worker._staying = threading.Semaphore(1)
    return worker


def test_the_next_request_is_answered_by_the_same_thread(worker: Any, connection: Connection) -> None:
    connection.driver.send(b"GET")
    assert worker.handle(connection) is False
    assert connection.answered == 2


def test_what_was_read_together_with_the_last_request_is_not_waited_for(worker: Any, connection: Connection) -> None:
    connection.read_already = BytesIO(b"GET")
    worker.handle(connection)
    assert connection.answered == 2


def test_a_silent_connection_goes_back_to_the_main_thread(worker: Any, connection: Connection) -> None:
    assert worker.handle(connection) is True
    assert connection.answered == 1


def test_when_enough_threads_stay_no_other_does(worker: Any, connection: Connection) -> None:
    connection.driver.send(b"GET")
    with worker._staying:
        assert worker.handle(connection) is True
    assert worker._staying.acquire(blocking=False), "and the place is free again"


def test_who_is_told_to_stop_does_not_stay(worker: Any, connection: Connection) -> None:
    connection.driver.send(b"GET")
    worker.alive = False
    worker.handle(connection)
    assert connection.answered == 1
