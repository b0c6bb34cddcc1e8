"""Latency counts from when a call was due: a server that stalls cannot hide those who queue for it."""

import json
import subprocess
import time
from pathlib import Path

import gevent
import pytest

from loadtest import answers
from loadtest.cars import Car
from loadtest.desk import LAST_ANSWERS_S, NETWORK_TIMEOUT_S, UNANSWERED, Ask, Desk, LookUp
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
        assert desk.done(errand)

    takers = [gevent.spawn(take, fleets) for fleets in (False, True)]
    desk.run(arrivals)
    gevent.joinall(takers)

    assert [errand for errand, _ in handed_out] == [Ask(each.cars, desk.began + each.at_s) for each in arrivals]
    assert all(errand.due <= at < errand.due + 1 for errand, at in handed_out)


def test_what_is_still_open_at_the_end_is_noted_and_an_answer_after_that_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loadtest.desk.LAST_ANSWERS_S", 0.1)
    desk = Desk()
    desk.later(LookUp("s1", time.perf_counter()))
    desk.run([Due(0.0, (CAR,)), Due(0.0, (CAR,)), Due(0.01, (CAR, CAR))])
    answered, in_flight = desk.next(fleets=False), desk.next(fleets=False)
    assert desk.done(answered)
    left = desk.close()

    assert desk.cars == 4
    assert [(each.call, each.outcome) for each in left].count(("fleet", UNANSWERED)) == 2
    assert sorted(each.call for each in left) == ["charge", "fleet", "fleet", "look-up"]
    assert all(each.latency_ms >= 100 for each in left if each.asks)
    assert not desk.done(in_flight)
    assert LAST_ANSWERS_S > NETWORK_TIMEOUT_S  # or the drivers' own outcome never comes


def test_every_car_of_a_grid_that_hangs_is_written_down(server: Server, tmp_path: Path) -> None:
    def hang(request: Handler) -> None:
        if request.path == "/grid":
            request.send_json({"substations": [{"zone": "north", "limit_kw": 100, "state": "up"}]})
        else:
            server.test_is_over.wait()

    server.answer = hang
    written, result = tmp_path / "answers.jsonl", tmp_path / "run.json"
    options = Options("burst", duration=1.1, peak=CARS)
    hurried = tmp_path / "locustfile.py"
    hurried.write_text(
        "from loadtest import desk\n"
        "from loadtest.locustfile import *\n"
        "from loadtest.locustfile import add_options, begin, end\n"
        "desk.LAST_ANSWERS_S = 1.0\n"
    )
    command = [*locust_command(server.url, options, at_once=2), "--answers", str(written), "--result", str(result)]
    command[command.index("-f") + 1] = str(hurried)
    subprocess.run(command, capture_output=True, text=True, timeout=30)

    noted = [(answer.outcome, answer.zone) for answer in answers.read(written)]
    assert len(noted) == CARS == json.loads(result.read_text())["cars"]
    assert set(noted) == {(UNANSWERED, "north")}


def test_who_waits_for_a_free_connection_has_waited(server: Server, tmp_path: Path) -> None:
    def stall(request: Handler) -> None:
        if request.path == "/grid":
            request.send_json({"substations": [{"zone": "north", "limit_kw": 100, "state": "up"}]})
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
    generator = json.loads(result.read_text())["generator"]
    assert (generator["calls"], generator["all_busy"]) == (CARS, CARS - 1)
    assert generator["late_ms_p99"] == pytest.approx(1000 * STALL_S * (CARS - 1), rel=0.5)
    assert "all of its users were busy when 4 calls were due" in done.stderr
    line = next(line for line in done.stderr.splitlines() + done.stdout.splitlines() if line.startswith("POST"))
    average_ms = float(line.partition("|")[2].split()[0])  # in Locust's own statistics
    assert average_ms == pytest.approx(1000 * sum(waited_s) / CARS, rel=0.05)
