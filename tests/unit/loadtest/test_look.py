"""What a rush sees of the grid meanwhile, and says of it."""

import requests

from loadtest.samples import Load, Sample
from loadtest.watch import _line, look, unknown

from ..conftest import Server


def test_a_look_that_failed_is_a_gap_as_long_as_it_took() -> None:
    assert unknown(100.0, 101.0, well=False) == [Sample(100 + at, ()) for at in (0, 0.25, 0.5, 0.75)]
    assert unknown(100.0, 100.01, well=False) == [Sample(100, ())]
    assert len(unknown(100.0, 104.0, well=True)) == 16
    assert unknown(100.0, 100.9, well=True) == []


def test_a_look_at_the_grid_sees_loads_and_the_line(server: Server) -> None:
    row = {"zone": "north", "substation": "one", "state": "up", "committed_kw": 90, "limit_kw": 100, "sessions": 4}
    grid = {"substations": [row, row | {"substation": "two", "state": "lost"}], "totals": {"waiting": 7}}
    server.answer = lambda request: request.send_json(grid)
    with requests.Session() as session:
        seen = look(session, server.url)
        server.answer = lambda request: request.send_json(
            {"drawn_watts": 60_000} if request.path == "/status" else grid
        )
        drawn = look(session, server.url, [server.url, server.url])
        server.answer = lambda request: request.send_json({}, 503)
        nothing = look(session, server.url)

    assert seen is not None
    assert (seen.loads, seen.waiting) == ((Load("north", "one", 90, 100, 4),), 7)
    assert drawn is not None
    assert (seen.drawn_kw, seen.drawn) == (None, 0.9)
    assert (drawn.drawn_kw, drawn.drawn) == (120, 1.2)
    assert nothing is None


def test_a_substation_is_shown_with_its_zone_where_there_are_several() -> None:
    north, south = Load("north", "one", 90, 100, 4), Load("south", "one", 20, 50, 1)

    assert _line(Sample(100.0, (north,), 7), 2) == "  2 s  one 90/100 kW   7 in line"
    assert _line(Sample(100.0, (north, south), 7), 2) == "  2 s  north one 90/100 kW   south one 20/50 kW   7 in line"
