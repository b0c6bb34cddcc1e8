"""What is in which picture, and where."""

from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from loadtest.simulate.arms import Arm, Rule
from loadtest.simulate.cells import Cell, Result, run
from loadtest.simulate.plot import draw, picture, pictures
from loadtest.simulate.studies import BEST_FIT

from .conftest import scenario

RANDOM = Arm(Rule.RANDOM)
EQUAL, MIXED = (200_000,) * 3, (100_000, 200_000, 300_000)


def results(
    grids: tuple[tuple[int, ...], ...], loads: tuple[float, ...], arms: tuple[Arm, ...] = (BEST_FIT, RANDOM)
) -> list[Result]:
    scenarios = [scenario(limits, load=load, arrivals=200) for limits in grids for load in loads]
    return [run(Cell(arm, each)) for each in scenarios for arm in arms]


def points(axes: Axes) -> list[list[float]]:
    """The x of each arm."""
    return [
        list(cast(Iterable[float], each.lines[0].get_xdata()))
        for each in axes.containers
        if isinstance(each, ErrorbarContainer)
    ]


def subtitle(figure: Figure) -> str:
    return figure.texts[1].get_text()


def test_several_grids_at_several_loads_are_a_picture_each() -> None:
    of = pictures(results((EQUAL, MIXED), (0.9, 0.5, 1.2)))

    assert [{result.cell.scenario.limits for result in each} for each in of] == [{EQUAL}, {MIXED}]
    for each, name in zip(of, ("3 x 200 kW; ", "100 + 200 + 300 kW; "), strict=True):
        figure = picture(each)
        assert subtitle(figure).startswith(name)
        for axes in figure.axes:
            assert points(axes) == [[0.5, 0.9, 1.2]] * 2
            assert [text.get_text() for text in axes.get_xticklabels()] == ["0.5", "0.9", "1.2"]
            assert axes.get_xlabel() == "offered load"


def test_several_grids_at_one_load_are_beside_each_other_however_many_substations_they_have() -> None:
    of = results((EQUAL, MIXED), (0.9,))

    assert pictures(of) == [of]
    figure = picture(of)
    assert subtitle(figure).startswith("offered load 0.9; ")
    for axes in figure.axes:
        assert [[round(x) for x in each] for each in points(axes)] == [[0, 1]] * 2
        assert len({x for each in points(axes) for x in each}) == 4, "no arm hides another"
        assert [text.get_text() for text in axes.get_xticklabels()] == ["3 x 200 kW", "100 + 200 + 300 kW"]


def test_one_grid_at_one_load_is_named() -> None:
    assert subtitle(picture(results((EQUAL,), (0.9,)))).startswith("3 x 200 kW, offered load 0.9; ")


def test_no_two_arms_look_alike() -> None:
    arms = tuple(Arm(Rule.POLLING_CAPPED, per_period=number) for number in range(1, 16))
    (main, *_) = picture(results((EQUAL,), (0.9,), arms)).axes
    lines = [each.lines[0] for each in main.containers if isinstance(each, ErrorbarContainer)]

    assert len({(line.get_color(), line.get_marker()) for line in lines}) == len(arms)


@pytest.mark.parametrize(
    ("grids", "loads", "names"),
    [
        ((EQUAL, MIXED), (0.5, 0.9), ["name-1.png", "name-2.png"]),
        ((EQUAL,), (0.5, 0.9), ["name.png"]),
        ((EQUAL, MIXED), (0.9,), ["name.png"]),
    ],
)
def test_pictures_are_numbered_if_there_are_several(
    grids: tuple[tuple[int, ...], ...], loads: tuple[float, ...], names: list[str], tmp_path: Path
) -> None:
    drawn = draw(results(grids, loads), tmp_path / "name.png")

    assert drawn == [tmp_path / name for name in names]
    assert all(path.stat().st_size > 10_000 for path in drawn)
