"""Latency counts from when a call was due: a server that stalls cannot hide those who queue for it."""

import json
import subprocess
import time
from pathlib import Path

import gevent
import pytest

from loadtest import answers
from loadtest.cars import Car
from loadtest.desk import Ask, Desk
from loadtest.drivers import locust_command
from loadtest.options import Options
from loadtest.shapes import Due

from ..conftest import Handler, Server

CAR = Car(11, 10)
STALL_S = 0.2
CARS = 5


def test_a_call_that_is_sent_late_is_as_slow_as_its_driver_waited() -> None:
    timing = Desk(began=100.0).timing(Ask((CAR,), due=101.0), sent=103.0, answered=103.05)

    assert timing == {"due_s": 1.0, "latency_ms": 2050.0, "late_ms": 2000.0}


def test_a_call_is_handed_out_when_it_is_due_and_not_before() -> None:
    desk = Desk()
    arrivals = [Due(0.05, (CAR,)), Due(0.1, (CAR, CAR))]
    handed_out = []

    def take(fleets: bool) -> None:
        errand = desk.next(fleets)
        handed_out.append((errand, time.perf_counter()))
        desk.done()

    takers = [gevent.spawn(take, fleets) for fleets in (False, True)]
    desk.run(arrivals)
    gevent.joinall(takers)

    assert [errand for errand, _ in handed_out] == [Ask(each.cars, desk.began + each.at_s) for each in arrivals]
    assert all(errand.due <= at < errand.due + 1 for errand, at in handed_out)


def test_who_waits_for_a_free_connection_has_waited(server: Server, tmp_path: Path) -> None:
    def stall(request: Handler) -> None:
        if request.path == "/grid":
            request.send_json({"substations": [{"limit_kw": 100, "state": "up"}]})
        else:
            time.sleep(STALL_S)
            request.send_json({"type": "/problems/grid-full", "retry_after_s": 5}, status=503)

    server.answer = stall
    written, result = tmp_path / "answers.jsonl", tmp_path / "run.json"
    options = Options("burst", duration=1.1, peak=CARS)
    command = [*locust_command(server.url, options, at_once=1), "--answers", str(written), "--result", str(result)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)

    assert done.returncode == 0, done.stderr
    waited_s = [answer.latency_ms / 1000 for answer in answers.read(written)]
    assert len(waited_s) == CARS
    for number, each_s in enumerate(waited_s, start=1):
        assert number * STALL_S <= each_s < number * STALL_S + 0.5
    assert json.loads(result.read_text())["generator"]["calls"] == CARS
    line = next(line for line in done.stderr.splitlines() + done.stdout.splitlines() if line.startswith("POST"))
    average_ms = float(line.partition("|")[2].split()[0])  # in Locust's own statistics
    assert average_ms == pytest.approx(1000 * sum(waited_s) / CARS, rel=0.05)
