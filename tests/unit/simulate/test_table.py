"""The tables and the JSON of a few figures."""

import io
import json

import pytest
from rich.console import Console

from loadtest.simulate.arms import Arm, Rule
from loadtest.simulate.cells import Cell, Result, run
from loadtest.simulate.report import as_json
from loadtest.simulate.scenario import Scenario
from loadtest.simulate.studies import BEST_FIT
from loadtest.simulate.table import grid, show
from loadtest.simulate.theory import herd

from .conftest import ONE, scenario


def results(of: Scenario) -> list[Result]:
    return [run(Cell(arm, of)) for arm in (BEST_FIT, Arm(Rule.POLLING, per_period=10))]


def shown(of: Scenario) -> dict[str, list[list[str]]]:
    """The cells of each row, by its name: of the first table, and of the second."""
    out = io.StringIO()
    show(results(of), Console(file=out, width=160))
    rows: dict[str, list[list[str]]] = {}
    for line in out.getvalue().splitlines():
        name, *cells = [cell.strip() for cell in line.strip("│").split("│")]
        rows.setdefault(name, []).append(cells)
    return rows


def test_limits_are_said_in_short() -> None:
    assert grid(scenario((100_000, 250_000, 250_000))) == "100 + 2 x 250 kW"


def test_erlangs_formula_is_beside_places_of_one_size() -> None:
    assert "places (Erlang B)" in shown(scenario(classes=ONE))
    assert "places (Erlang B)" not in shown(scenario())


def test_the_herd_is_beside_its_formula() -> None:
    of = scenario()
    rows = shown(of)

    _, polling = rows["polling @10"]
    assert float(polling[5]) == pytest.approx(herd(3, 10 / of.rate), abs=1e-4)
    assert float(polling[4]) > 1
    _, best = rows["best-fit"]
    assert best[4:6] == ["\N{EN DASH}"] * 2


def test_what_is_not_known_is_a_dash_and_null() -> None:
    short = scenario(arrivals=100)

    assert shown(short)["best-fit"][0][1] == "\N{EN DASH}"
    (one,) = json.loads(json.dumps(as_json(results(short), {})))["scenarios"]
    assert one["arms"][0]["carried"]["plus_minus"] is None
    assert one["arms"][0]["herd_formula"] is None
