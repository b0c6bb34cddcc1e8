"""The two generators: what they send, and what they make of the answers."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from loadtest.bench import open_loop, payloads, saturate
from loadtest.bench.open_loop import Answer

CREATED = b"HTTP/1.1 201 CREATED\r\nContent-Length: 2\r\n"


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        (CREATED, None),
        (CREATED + b"\r\n{", None),
        (CREATED + b"\r\n{}", Answer(201, True)),
        (CREATED + b"Connection: close\r\n\r\n{}", Answer(201, False)),
        (b"HTTP/1.0 503 SERVICE UNAVAILABLE\r\nContent-Length: 0\r\n\r\n", Answer(503, False)),
    ],
)
def test_an_answer_is_one_when_it_is_whole(received: bytes, answer: Answer | None) -> None:
    assert open_loop.parse(received) == answer


class Late(BaseHTTPRequestHandler):
    """Answers nobody until the server opens."""

    protocol_version = "HTTP/1.1"
    server: "Stalled"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.counting:
            self.server.come += 1
        self.server.opens.wait()
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Stalled(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Late)
        self.opens = threading.Event()
        self.counting = threading.Lock()
        self.come = 0


PAUSE_S = 0.4


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    with Stalled() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.opens.set()
        server.shutdown()
        thread.join()


def test_whoever_was_due_while_nobody_was_answered_counts_all_of_his_wait(stalled: Stalled) -> None:
    done: list[open_loop.Answers] = []
    url = f"http://127.0.0.1:{stalled.server_port}"
    asking = threading.Thread(target=lambda: done.append(open_loop.ask(url, rate=100, count=20, cars=1)))
    asking.start()
    while stalled.come < 20:
        assert asking.is_alive()
        time.sleep(0.01)
    time.sleep(PAUSE_S)
    stalled.opens.set()
    asking.join()

    (answers,) = done
    assert len(answers.latencies_ms) == 20
    assert answers.failed == 0
    # The first was due 190 ms before the last, and the last has waited as long as the pause.
    assert max(answers.latencies_ms) > PAUSE_S * 1000 + 100
    assert answers.generator_cpu_s > 0


def test_who_gets_no_answer_or_an_error_has_failed() -> None:
    answers = open_loop.ask("http://127.0.0.1:9", rate=1_000, count=3, cars=1)

    assert (answers.latencies_ms, answers.failed) == ([], 3)


def test_what_wrk_says_is_read_from_its_last_line() -> None:
    said = saturate.parse('Running 3s test\n  Requests/sec: 9\n{"answered": 900, "us": 3000000, "failed": 300}\n', 0.5)

    assert said.calls_per_s == 200
    assert (said.answered, said.failed, said.generator_cpu_s) == (900, 300, 0.5)


def test_both_send_the_same_bodies_in_turn() -> None:
    bodies = payloads.bodies(1)
    script = saturate.lua(bodies)

    assert len(set(bodies)) == payloads.BODIES
    assert all(f"[==[{body}]==]" in script for body in bodies)
    assert script.count("{{") == script.count("}}") == 0


def test_every_car_charges_for_as_long_as_is_said() -> None:
    fleets = [json.loads(body) for body in payloads.bodies(payloads.FLEET)]

    assert all(len(fleet) == payloads.FLEET for fleet in fleets)
    hours = {car["energy_kwh"] / car["power_kw"] for fleet in fleets for car in fleet}
    assert [hour * 3600 / payloads.time_scale(6.5) for hour in hours] == [6.5]
