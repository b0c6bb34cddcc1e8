"""What `make replay` is asked: limits, or a share of the installed power."""

import csv
import re
from datetime import datetime
from pathlib import Path

import pytest

from grid.settings import load_settings
from loadtest.cars import Car
from loadtest.replay.__main__ import installed_kw, limits_of, parse, shared_limits, write_csv
from loadtest.replay.orders import Order
from loadtest.replay.satisfaction import Outcome, Served
from loadtest.trace import Visit

TRACE = """session_id,station_id,arrival_utc,departure_utc,energy_kwh,max_kw
a,one,2019-03-01T14:00:00Z,2019-03-01T15:00:00Z,4.2,6
b,two,2019-03-01T14:00:00Z,2019-03-01T15:00:00Z,4.2,14
c,one,2019-03-01T16:00:00Z,2019-03-01T17:00:00Z,4.2,7
"""


@pytest.fixture
def trace(tmp_path: Path) -> str:
    (tmp_path / "trace.csv").write_text(TRACE)
    return str(tmp_path / "trace.csv")


def test_one_limit_or_one_for_each() -> None:
    assert limits_of("40") == [40_000]
    assert limits_of("100,150.5") == [100_000, 150_500]


@pytest.mark.parametrize("typed", ["", "0", "40,-1", "forty", "inf", "nan"])
def test_a_limit_is_above_zero(typed: str) -> None:
    with pytest.raises(ValueError, match="--limit-kw"):
        limits_of(typed)


def test_it_places_as_the_grid_does_that_is_started_here(trace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROTECT_KW", "50")
    load_settings.cache_clear()
    try:
        assert parse(["--trace", trace, "--limit-kw", "40"]).config.protect == (50_000,)
    finally:
        load_settings.cache_clear()


def test_installed_is_the_most_that_each_outlet_gave(trace: str) -> None:
    visits = parse(["--trace", trace, "--limit-kw", "1"]).visits

    assert installed_kw(visits) == 7 + 14


def test_a_share_is_of_the_installed_power_in_equal_parts(trace: str) -> None:
    asked = parse(["--trace", trace, "--share", "0.2", "--substations", "3"])

    assert asked.limits == [1_400] * 3
    assert asked.orders == list(Order)
    assert parse(["--trace", trace, "--share", "0.2"]).limits == [4_200]


@pytest.mark.parametrize(("share", "substations"), [(0, 1), (-1, 1), (float("nan"), 1), (float("inf"), 1), (1, 0)])
def test_a_share_is_above_zero_and_somebody_has_it(share: float, substations: int) -> None:
    visit = Visit(datetime(2019, 3, 1), Car(7, 10, 3600), came_ms=0, outlet="one")
    with pytest.raises(ValueError, match="--share"):
        shared_limits([visit], share, substations)


def test_a_share_needs_to_know_the_outlets() -> None:
    with pytest.raises(ValueError, match="plugged in"):
        shared_limits([Visit(datetime(2019, 3, 1), Car(7, 10, 3600), came_ms=0)], 0.2, 1)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--limit-kw", "x"], "--limit-kw must be"),
        (["--limit-kw", ""], "--limit-kw must be"),
        (["--limit-kw", "40", "--share", "0.2"], "not allowed with"),
        (["--limit-kw", "40", "--substations", "2"], "--substations goes with --share"),
        (["--share", "0.2", "--substations", "0"], "--substations 1 or more"),
        ([], "required"),
        (["--limit-kw", "40", "--order", "shortest"], "invalid choice"),
        (["--limit-kw", "40", "--trace", "none.csv"], "none.csv"),
    ],
)
def test_what_is_wrong_is_said(trace: str, arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        parse(["--trace", trace, *arguments])

    assert exit.value.code != 0
    assert why in capsys.readouterr().err


def test_the_orders_there_are_are_said_as_they_are_typed(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--trace", trace, "--limit-kw", "40", "--order", "shortest"])

    choices = capsys.readouterr().err.rpartition("choose from")[2]
    assert re.findall(r"[\w<.-]+", choices) == ["refuse", "arrival", "least-laxity", "all"]


def test_rows_that_are_left_out_are_named(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(trace).write_text(TRACE + "d,one,never,2019-03-01T15:00:00Z,4.2,6\n")
    asked = parse(["--trace", trace, "--limit-kw", "40", "--order", "arrival"])

    assert "1 rows are left out: line 5" in capsys.readouterr().err
    assert len(asked.visits) == 3
    assert asked.orders == [Order.ARRIVAL]


def test_every_session_is_a_row(tmp_path: Path) -> None:
    visit = Visit(datetime(2019, 3, 1, 6), Car(6.6, 4.2, 5400), came_ms=0, session="a")
    write_csv([Served(visit, 6_600, 4_200, 2_100, 61.7, "one", Outcome.PART, 2)], tmp_path / "new" / "a.csv")

    with (tmp_path / "new" / "a.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "session": "a",
        "arrived": "2019-03-01T06:00:00",
        "departed": "2019-03-01T07:30:00",
        "power_kw": "6.6",
        "asked_kwh": "4.2",
        "delivered_kwh": "2.1",
        "waited_s": "62",
        "interruptions": "2",
        "substation": "one",
        "outcome": "part",
    }
