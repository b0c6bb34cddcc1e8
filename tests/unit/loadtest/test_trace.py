"""Recorded sessions are replayed as they were, and rows that cannot be are named."""

import gzip
import random
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from loadtest.cars import Car
from loadtest.trace import Replay, TraceError, one_day, read

ACN = """session_id,arrival_utc,departure_utc,arrival_local,energy_kwh,max_kw
a,2019-03-01T14:20:00Z,2019-03-01T15:40:00Z,2019-03-01T06:20:00-08:00,4.216,6.6
b,2019-03-02T05:30:00Z,2019-03-02T06:30:00Z,2019-03-01T21:30:00-08:00,1.5,6.6
c,2019-03-02T15:00:00Z,2019-03-02T16:00:00Z,2019-03-02T07:00:00-08:00,2,6.6
"""
DUNDEE = """start,end,duration_min,energy_kwh,charger_kw,site
2017-12-02T12:00:00,2017-12-02T12:12:00,12.0,6.32,50,"Queen Street, Dundee"
"""
BAD = """start,end,energy_kwh,charger_kw
2017-12-02T10:00:00,2017-12-02T11:00:00,5,7
2017-12-02T10:00:00,2017-12-02T09:00:00,5,7
yesterday,2017-12-02T09:00:00,5,7
2017-12-02T10:00:00,2017-12-02T11:00:00,0,7
2017-12-02T10:00:00,2017-12-02T11:00:00,5,fast
2017-12-02T10:00:00,2017-12-02T11:00:00
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text)
    return path


def test_acn_columns(tmp_path: Path) -> None:
    trace = read(written(tmp_path, ACN))

    assert trace.bad == []
    assert trace.visits[0].car == Car(6.6, 4.216, stay_s=80 * 60)
    assert trace.visits[1].arrived == datetime(2019, 3, 1, 21, 30)  # the hour that it was there
    assert trace.visits[1].came_ms == datetime(2019, 3, 2, 5, 30, tzinfo=UTC).timestamp() * 1000
    assert [visit.session for visit in trace.visits] == ["a", "b", "c"]
    assert len(one_day(trace, "")) == 2
    assert len(one_day(trace, "2019-03-02")) == 1


def test_without_local_times_utc_says_when(tmp_path: Path) -> None:
    visits = read(written(tmp_path, ACN.replace("arrival_local", "other"))).visits

    assert visits[1].arrived == datetime(2019, 3, 2, 5, 30)


def test_dundee_columns_compressed(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(DUNDEE.encode()))
    (visit,) = read(path).visits

    assert visit.arrived == datetime(2017, 12, 2, 12)
    assert visit.car == Car(50, 6.32, stay_s=12 * 60)
    assert visit.came_ms == datetime(2017, 12, 2, 12, tzinfo=UTC).timestamp() * 1000
    assert (visit.session, visit.outlet) == ("", "")


def test_where_a_car_was_plugged_in(tmp_path: Path) -> None:
    heading, row, _ = DUNDEE.split("\n")
    dundee = f"charging_event,cp_id,connector,{heading}\n4034730,50911,2,{row}\n"
    (visit,) = read(written(tmp_path, dundee)).visits

    assert (visit.session, visit.outlet) == ("4034730", "50911 2")


def test_bad_rows_are_named_with_their_line(tmp_path: Path) -> None:
    trace = read(written(tmp_path, BAD))

    assert len(trace.visits) == 1
    assert trace.bad == [
        "line 3: end is not 1 s or more after start",
        "line 4: start is 'yesterday', not a time",
        "line 5: energy_kwh is 0, not 0.001 to 1000",
        "line 6: charger_kw is 'fast', not a number",
        "line 7: charger_kw is None, not a number",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("start,end,energy_kwh\n", "no column charger_kw"),
        ("", "no column arrival_utc, departure_utc, max_kw, energy_kwh"),
        (BAD.replace("2017-12-02T10", "x"), "no row can be replayed: line 2"),
        ("start,end,energy_kwh,charger_kw\n", "there are none"),
    ],
)
def test_a_file_that_cannot_be_replayed_says_why(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(TraceError, match=why):
        read(written(tmp_path, text))


def test_a_file_that_is_not_there_or_not_compressed_says_so(tmp_path: Path) -> None:
    (tmp_path / "trace.csv.gz").write_text(DUNDEE)
    for name in ("none.csv", "trace.csv.gz"):
        with pytest.raises(TraceError, match=name):
            read(tmp_path / name)


def test_a_day_that_nobody_came_says_so(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="2020-01-01"):
        one_day(read(written(tmp_path, ACN)), "2020-01-01")


def test_a_day_is_replayed_in_its_duration(tmp_path: Path) -> None:
    trace = read(written(tmp_path, ACN))
    visits = one_day(trace, "")
    due = list(Replay(visits, duration_s=24, time_scale=3600).arrivals(1, random.Random(1)))

    assert visits[0].arrived.date() == trace.busiest_day() == date(2019, 3, 1)
    assert [each.at_s for each in due] == pytest.approx([6 + 20 / 60, 21.5])
    assert [each.cars[0].energy_kwh for each in due] == [4.216, 1.5]


def test_visits_are_made_as_often_as_the_load_takes(tmp_path: Path) -> None:
    replay = Replay(one_day(read(written(tmp_path, DUNDEE)), ""), duration_s=24, time_scale=3600)
    copies = replay.copies(load=2, limit_kw=500)  # it charges for longer than the copies take to come
    due = list(replay.arrivals(copies, random.Random(1)))

    assert copies == pytest.approx(2 * 500 / 50)
    assert replay.peak_kw(copies) == pytest.approx(2 * 500)
    assert len(due) == pytest.approx(copies, abs=1)
    assert all(12 <= each.at_s <= 12 + 5 / 60 for each in due)
