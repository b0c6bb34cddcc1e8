"""What can be typed after `python -m loadtest.rush`."""

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from grid.settings import Settings
from loadtest.options import DEFAULT_TIME_SCALE, Options, add_options
from loadtest.recording import RushError, _cause
from loadtest.rush import TIME_SCALE, VARIABLES, Asked, make_line, parse, target_of

from ..conftest import Server

GOOD = "start,end,energy_kwh,charger_kw\n2017-12-02T10:00:00,2017-12-02T11:00:00,5,7\n"


@pytest.fixture(autouse=True)
def without_a_time_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIME_SCALE", raising=False)


def test_a_grid_of_our_own_has_a_day_as_long_as_the_shape() -> None:
    assert parse(["--shape", "workplace", "--duration", "48"]).options.time_scale == 1800
    assert parse(["--shape", "public", "--duration", "24"]).options.time_scale == 3600
    assert parse(["--shape", "steady"]).options.time_scale == TIME_SCALE


def test_of_a_running_grid_the_default_is_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = parse(["--host", "http://127.0.0.1:8080/"])
    assert asked.host == "http://127.0.0.1:8080"
    assert asked.options == Options(duration=60, time_scale=DEFAULT_TIME_SCALE)
    monkeypatch.setenv("TIME_SCALE", "720")
    assert parse(["--host", "http://127.0.0.1:8080"]).options.time_scale == 720


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--shape", "steady", "--duration", "0"], r"SHAPE (--shape) steady needs a DURATION (--duration)"),
        (["--shape", "trace"], "FILE (--trace) must name a file of sessions, not ''"),
        (["--shape", "gale"], "invalid choice"),
        (["--load", "-1"], "LOAD (--load) must be"),
        (["--duration", "nan"], "DURATION (--duration) must be"),
        (["--cancels", "2"], "--cancels must be"),
        (["--substations", "3 of them"], "SUBSTATIONS_KW (--substations) must be limits above 0"),
        (["--substations", "100,0"], "SUBSTATIONS_KW (--substations) must be limits above 0 in kW"),
        (["--substations=-5"], "SUBSTATIONS_KW (--substations) must be limits above 0 in kW"),
        (["--substations", ""], "SUBSTATIONS_KW (--substations) must be limits above 0 in kW"),
        (["--load", "much"], "LOAD (--load): invalid float value"),
    ],
)
def test_what_cannot_be_run_says_why(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert why in refusal(arguments, capsys)


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said, if it is one line and the exit code is 1."""
    with pytest.raises(SystemExit) as exit:
        parse(arguments)
    (said,) = capsys.readouterr().err.splitlines()
    assert exit.value.code == 1
    return said


@pytest.mark.parametrize(
    ("text", "day", "why"),
    [
        ("a,b\n1,2\n", "", "FILE (--trace): "),
        ("start,end,energy_kwh,charger_kw\n2017-12-02T10:00Z,2017-12-02T11:00,5,7\n", "", "has a time zone"),
        (GOOD, "2020-01-01", "DAY (--day): nobody came on 2020-01-01"),
        (GOOD, "yesterday", "DAY (--day) must be a date like 2019-03-20, not 'yesterday'"),
    ],
)
def test_a_trace_that_cannot_be_replayed_says_why_before_anything_starts(
    text: str, day: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    assert why in refusal(["--shape", "trace", "--trace", str(path), *(["--day", day] if day else [])], capsys)


def test_a_time_scale_of_the_shell_that_is_no_number_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIME_SCALE", "fast")
    assert "TIME_SCALE (--time-scale): invalid float value: 'fast'" in refusal([], capsys)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"status": "ok"}, "is not a grid"),
        ([1], "is not a grid"),
        ({"substations": [{"zone": "north", "limit_kw": 100, "state": "down"}]}, "no substation is up"),
    ],
)
def test_what_answers_at_the_host_but_is_no_grid_says_so(server: Server, body: Any, why: str) -> None:
    server.answer = lambda request: request.send_json(body)

    with pytest.raises(RushError, match=rf"^HOST \(--host\): .*{why}"), target_of(asked_of(server.url), Console()):
        pass


@pytest.mark.parametrize(
    ("host", "why"),
    [("http://127.0.0.1:1", "nobody answers at http://127.0.0.1:1$"), ("127.0.0.1:1", "is not an address like http")],
)
def test_a_host_where_nobody_is_says_so(host: str, why: str) -> None:
    with pytest.raises(RushError, match=why), target_of(asked_of(host), Console()):
        pass


def asked_of(host: str) -> Asked:
    return Asked(host, [100], Options())


def test_of_a_locust_that_failed_the_error_is_the_last_word() -> None:
    log = (
        "[2026] host/INFO/locust.main: Starting\n[2026] host/ERROR/loadtest.locustfile: no column x\nType  Name\n---\n"
    )
    assert _cause(log) == "no column x"
    assert _cause("Killed\n\n") == "Killed"
    assert _cause("") == "it said nothing"


def test_options_survive_being_typed() -> None:
    options = Options("trace", duration=3, trace="a b.csv", peak=0.5, cancels=0)
    parser = ArgumentParser()
    add_options(parser)

    assert Options.of(parser.parse_args(options.arguments())) == options


def test_the_default_time_scale_is_the_grids() -> None:
    assert Settings.model_fields["time_scale"].default == DEFAULT_TIME_SCALE


def test_every_variable_of_make_rush_is_known_by_its_name() -> None:
    recipe = Path("Makefile").read_text().partition("\nrush:")[2].partition("\n\n")[0]
    given = dict(re.findall(r"call given,([A-Z_]+),([a-z-]+)", recipe))
    always = {name: option for option, name in re.findall(r"--([a-z-]+) \$\(([A-Z_]+)\)", recipe)}

    assert {name: option for option, name in VARIABLES.items()} == given | always


def test_a_rush_can_be_run_again_with_make() -> None:
    assert make_line(["--shape", "steady", "--duration=12"]) == "make rush SHAPE=steady DURATION=12"
    assert make_line(["--trace", "a b.csv"]) == "make rush 'FILE=a b.csv'"
    assert make_line(["--shape", "steady", "--seed", "3"]) == ""
