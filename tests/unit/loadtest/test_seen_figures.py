"""What can be said of substations that are not asked: what GET /grid showed, and the sessions that began."""

from grid.session_ids import new
from loadtest.answers import Answer
from loadtest.line import Fate
from loadtest.recording import seen_figures
from loadtest.samples import Load, Sample
from loadtest.verdict import SubstationFigures


def charging(zone: str, substation: str) -> Answer:
    return Answer(0.0, "charging", new(zone), power_kw=11, substation=substation)


def test_a_peak_is_what_the_grid_showed() -> None:
    samples = [
        Sample(at, (Load("z", "one", one, 100, 1), Load("z", "two", two, 100, 1)), 0)
        for at, one, two in ((0.0, 0, 0), (0.25, 100, 90), (0.5, 101, 20))
    ]
    answered = [charging("z", "one"), charging("z", "one"), Answer(0.0, "refused", None)]

    assert seen_figures(samples, answered, {new("z"): Fate("started", "two"), new("z"): Fate("waiting")}) == [
        SubstationFigures("one", 100, 101, 0.25, 2),
        SubstationFigures("two", 100, 90, 0.0, 1),
    ]


def test_two_zones_may_have_substations_of_the_same_name() -> None:
    samples = [Sample(0.0, (Load("north", "one", 60, 100, 3), Load("south", "one", 70, 50, 1)), 0)]

    assert seen_figures(samples, [charging("south", "one")], {new("north"): Fate("started", "one")}) == [
        SubstationFigures("north one", 100, 60, 0.0, 1),
        SubstationFigures("south one", 50, 70, 0.25, 1),
    ]
