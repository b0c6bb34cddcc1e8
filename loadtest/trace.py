"""Real sessions from a CSV file (may be .gz), one row each. The columns, by either set of names:

arrival_local or arrival_utc, departure_utc, energy_kwh, max_kw       as ACN-Data's (Caltech) are published
start, end, energy_kwh, charger_kw                                    as Dundee City Council's are published

Times are ISO 8601. arrival_local says which day and hour it was there; without it arrival_utc does. energy_kwh is what
was delivered, max_kw or charger_kw what the car could draw. If they are there, session_id or charging_event names a
session, and station_id, or cp_id and connector, where it was. Other columns are ignored.
"""

import csv
import gzip
import io
import random
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from loadtest import expected
from loadtest.cars import Car
from loadtest.shapes import DAY_S, Due

NAMED = 3
SESSION = ("session_id", "charging_event")
OUTLET = ("station_id", "cp_id", "connector")
# What POST /request-charge takes.
POWER_KW = (1.0, 1_000.0)
ENERGY_KWH = (0.001, 1_000.0)
SHORTEST_STAY_S = 1.0
ROUNDED_TO_S = 300.0


class TraceError(Exception):
    """The file cannot be replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class Visit:
    """`arrived` is local time, without a zone; `came_ms` the same instant, in ms since the epoch.

    If the file has no zones either, `came_ms` is as if its times were UTC. `session` and `outlet` (where the car is
    plugged in) are empty if the file does not say.
    """

    arrived: datetime
    car: Car
    came_ms: int
    session: str = ""
    outlet: str = ""


@dataclass
class Trace:
    """`bad` names each row that cannot be replayed: its line and what is wrong with it."""

    visits: list[Visit] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)

    def busiest_day(self) -> date:
        days = Counter(visit.arrived.date() for visit in self.visits)
        return max(days, key=lambda day: days[day])


def read(path: Path) -> Trace:
    """Every row. Raises TraceError if there is no such file, a column is missing or no row is good."""
    try:
        text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise TraceError(f"{path}: {error}") from None
    rows = csv.DictReader(io.StringIO(text))
    trace = Trace()
    try:
        names = _names(rows.fieldnames or (), path)
        for row in rows:
            try:
                trace.visits.append(_visit(row, *names))
            except ValueError as error:
                trace.bad.append(f"line {rows.line_num}: {error}")
    except csv.Error as error:
        raise TraceError(f"{path}, line {rows.line_num}: {error}") from None
    if not trace.visits:
        raise TraceError(f"{path}: no row can be replayed: {'; '.join(trace.bad[:NAMED]) or 'there are none'}")
    return trace


def _names(columns: Sequence[str], path: Path) -> tuple[str, str, str, str]:
    if "start" in columns:
        names = ("start", "start", "end", "charger_kw")
    else:
        local = "arrival_local" if "arrival_local" in columns else "arrival_utc"
        names = (local, "arrival_utc", "departure_utc", "max_kw")
    if missing := [name for name in (*names, "energy_kwh") if name not in columns]:
        raise TraceError(f"{path}: no column {', '.join(dict.fromkeys(missing))}; there are {', '.join(columns)}")
    return names


def _visit(row: Mapping[str, str | None], local: str, arrival: str, departure: str, power: str) -> Visit:
    arrived, left = _time(row, arrival), _time(row, departure)
    if (arrived.tzinfo is None) != (left.tzinfo is None):
        raise ValueError(f"only one of {arrival} and {departure} has a time zone")
    stay_s = (left - arrived).total_seconds()
    if stay_s < SHORTEST_STAY_S:
        raise ValueError(f"{departure} is not {SHORTEST_STAY_S:g} s or more after {arrival}")
    car = Car(_number(row, power, POWER_KW), _number(row, "energy_kwh", ENERGY_KWH), stay_s)
    return Visit(
        arrived=_time(row, local).replace(tzinfo=None),
        car=car,
        came_ms=round((arrived if arrived.tzinfo else arrived.replace(tzinfo=UTC)).timestamp() * 1000),
        session=_said(row, SESSION),
        outlet=_said(row, OUTLET),
    )


def _said(row: Mapping[str, str | None], names: Sequence[str]) -> str:
    return " ".join(value for name in names if (value := row.get(name)))


def _time(row: Mapping[str, str | None], name: str) -> datetime:
    try:
        return datetime.fromisoformat(row[name] or "")
    except ValueError:
        raise ValueError(f"{name} is {row[name]!r}, not a time") from None


def _number(row: Mapping[str, str | None], name: str, between: tuple[float, float]) -> float:
    try:
        value = float(row[name] or "")
    except ValueError:
        raise ValueError(f"{name} is {row[name]!r}, not a number") from None
    if not between[0] <= value <= between[1]:
        raise ValueError(f"{name} is {value:g}, not {between[0]:g} to {between[1]:g}")
    return value


@dataclass(frozen=True)
class Replay:
    """One day of a trace, compressed so that its 24 hours take `duration_s` real seconds."""

    visits: Sequence[Visit]
    duration_s: float
    time_scale: float

    def copies(self, load: float, limit_kw: float) -> float:
        """How often each visit must be made for an expected peak of `load` times the power of the grid."""
        return load * limit_kw / self.peak_kw(1)

    def peak_kw(self, copies: float) -> float:
        """The most power that is expected to be committed at any instant, if nobody had to wait."""
        spread_s = ROUNDED_TO_S * self.duration_s / DAY_S
        coming = (
            expected.Coming(at, at + spread_s, copies / spread_s, visit.car)
            for visit in self.visits
            for at in [self._arrives_s(visit) * self.duration_s / DAY_S]
        )
        return expected.peak_kw(coming, self.time_scale, self.duration_s + spread_s)

    def arrivals(self, copies: float, rng: random.Random) -> Iterator[Due]:
        """The first copy of a visit comes when it came; others within five minutes, the resolution of such files."""
        due = []
        for visit in self.visits:
            arrived_s = self._arrives_s(visit)
            for number in range(int(copies) + (rng.random() < copies % 1)):
                later_s = rng.uniform(0, ROUNDED_TO_S) if number else 0.0
                due.append(Due((arrived_s + later_s) * self.duration_s / DAY_S, (visit.car,)))
        yield from sorted(due, key=lambda each: each.at_s)

    @staticmethod
    def _arrives_s(visit: Visit) -> float:
        midnight = visit.arrived.replace(hour=0, minute=0, second=0, microsecond=0)
        return (visit.arrived - midnight).total_seconds()


def one_day(trace: Trace, day: str) -> list[Visit]:
    """The visits of that day (YYYY-MM-DD), or of the one with the most."""
    try:
        wanted = date.fromisoformat(day) if day else trace.busiest_day()
    except ValueError:
        raise TraceError(f"--day must be a date like 2019-03-20, not {day!r}") from None
    visits = [visit for visit in trace.visits if visit.arrived.date() == wanted]
    if not visits:
        raise TraceError(f"--day: nobody came on {wanted}")
    return visits
