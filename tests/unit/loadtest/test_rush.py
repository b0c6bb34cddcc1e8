"""What can be typed after `python -m loadtest.rush`."""

from argparse import ArgumentParser

import pytest

from loadtest.options import DEFAULT_TIME_SCALE, Options, add_options
from loadtest.rush import TIME_SCALE, parse


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
        (["--shape", "steady", "--duration", "0"], "needs a --duration"),
        (["--shape", "trace"], "needs a --trace file"),
        (["--shape", "gale"], "invalid choice"),
        (["--load", "-1"], "--load must be"),
        (["--duration", "nan"], "--duration must be"),
        (["--cancels", "2"], "--cancels must be"),
        (["--substations", "3 of them"], "--substations must be"),
    ],
)
def test_what_cannot_be_run_says_why(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert why in capsys.readouterr().err


def test_options_survive_being_typed() -> None:
    options = Options("trace", duration=3, trace="a b.csv", peak=0.5, cancels=0)
    parser = ArgumentParser()
    add_options(parser)

    assert Options.of(parser.parse_args(options.arguments())) == options


def test_the_default_time_scale_is_the_grids() -> None:
    from grid.settings import Settings

    assert Settings.model_fields["time_scale"].default == DEFAULT_TIME_SCALE
