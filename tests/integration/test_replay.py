"""A few visits through the real ledger and feeders, on a virtual clock: who gets what, and when, worked out by hand."""

import io
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from rich.console import Console

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Request
from loadtest.cars import Car
from loadtest.own_redis import own_redis
from loadtest.replay.__main__ import parse, run
from loadtest.replay.orders import Order, Replayed, replay
from loadtest.replay.satisfaction import Outcome, Served, judge
from loadtest.replay.virtual import Clock, DisagreementError, VirtualGrid
from loadtest.trace import Visit
from substation import station

MIDNIGHT = datetime(2019, 3, 1)
MIDNIGHT_MS = 1_551_398_400_000
HALF_AN_HOUR, AN_HOUR = (LedgerConfig(preemption_slack=slack) for slack in (1_800_000, 3_600_000))
TRACE = """session_id,arrival_utc,departure_utc,energy_kwh,max_kw
a,2019-03-01T00:00:00Z,2019-03-01T04:00:00Z,10,10
b,2019-03-01T00:10:00Z,2019-03-01T06:10:00Z,10,10
c,2019-03-01T00:20:00Z,2019-03-01T01:40:00Z,5,10
"""


@pytest.fixture
def redis() -> Iterator[Redis]:
    """The one that a replay has: a heartbeat a minute takes fakeredis too long for every test."""
    with own_redis() as (redis, _):
        yield redis


def comes(minute: int, kw: float, kwh: float, stays_min: int) -> Visit:
    arrived = MIDNIGHT + timedelta(minutes=minute)
    return Visit(arrived, Car(kw, kwh, stays_min * 60), MIDNIGHT_MS + minute * 60_000)


# One place of 10 kW. The third must begin by 1:10, and is gone at 1:40; the first could have begun by 3:00.
THREE = [comes(0, 10, 10, 240), comes(10, 10, 10, 360), comes(20, 10, 5, 80)]


def minutes(served: Sequence[Served]) -> list[tuple[str, int, int]]:
    """How each ended, its Wh, and how many minutes it waited."""
    return [(each.outcome, each.delivered_wh, round(each.waited_s / 60)) for each in served]


def within_limits(replayed: Replayed) -> bool:
    return all(each.peak <= each.limit and each.overload_s == 0 for each in replayed.carried)


@pytest.mark.parametrize(
    ("order", "expected", "energy"),
    [
        (Order.REFUSE, [("met", 10_000, 0), ("refused", 0, 0), ("refused", 0, 0)], 10 / 25),
        (Order.ARRIVAL, [("met", 10_000, 0), ("met", 10_000, 50), ("nothing", 0, 80)], 20 / 25),
        (Order.LEAST_LAXITY, [("met", 10_000, 0), ("met", 10_000, 80), ("met", 5_000, 1)], 1),
    ],
)
def test_the_order_says_who_gets_the_room(
    redis: Redis, order: Order, expected: list[tuple[str, int, int]], energy: float
) -> None:
    replayed = replay(THREE, [10_000], order, redis, config=AN_HOUR)

    assert minutes(replayed.served) == expected
    assert judge(replayed.served, replayed.carried).energy == energy
    assert [(each.substation, each.peak) for each in replayed.carried] == [("substation-1", 10_000)]
    assert within_limits(replayed)


def test_who_leaves_takes_what_it_has_and_makes_room_at_once(redis: Redis) -> None:
    visits = [comes(0, 10, 10, 30), comes(10, 10, 10, 120), comes(30, 10, 10, 300)]
    for order in Order:
        served = replay(visits, [10_000], order, redis, config=AN_HOUR).served

        assert served[0].outcome is Outcome.PART
        assert served[0].delivered_wh == 5_000
        if order is Order.REFUSE:  # the third finds the room that was made in the same minute
            assert minutes(served)[1:] == [("refused", 0, 0), ("met", 10_000, 0)]
        else:
            assert minutes(served)[1:] == [("met", 10_000, 20), ("met", 10_000, 60)]


def test_who_is_done_at_the_last_minute_is_met_and_makes_room_in_it(redis: Redis) -> None:
    served = replay([comes(0, 10, 10, 60), comes(60, 10, 10, 60)], [10_000], Order.REFUSE, redis).served

    assert minutes(served) == [("met", 10_000, 0)] * 2


def test_what_does_not_fit_the_stay_is_not_delivered(redis: Redis) -> None:
    (served,) = replay([comes(0, 10, 10, 45)], [10_000], Order.LEAST_LAXITY, redis).served

    assert (served.outcome, served.delivered_wh, served.asked_wh) == (Outcome.PART, 7_500, 10_000)


def test_too_big_for_every_substation(redis: Redis) -> None:
    (served,) = replay([comes(0, 11, 10, 600)], [10_000, 10_000], Order.ARRIVAL, redis).served

    assert minutes([served]) == [("too-big", 0, 0)]


def test_energy_is_summed_over_attempts(redis: Redis) -> None:
    """The second must begin by 1:30: a minute after it came it takes the first one's place, until 2:01."""
    visits = [comes(0, 10, 30, 300), comes(60, 10, 10, 90)]
    served = replay(visits, [10_000], Order.LEAST_LAXITY, redis, config=HALF_AN_HOUR).served

    assert minutes(served) == [("met", 30_000, 0), ("met", 10_000, 1)]
    assert [each.interruptions for each in served] == [1, 0]


def test_an_interrupted_one_gets_nothing_after_its_departure(redis: Redis) -> None:
    """The second takes the first one's place at 1:31. Both leave at 2:30, before either has all."""
    visits = [comes(0, 10, 20, 150), comes(60, 10, 10, 90)]
    first, second = replay(visits, [10_000], Order.LEAST_LAXITY, redis, config=HALF_AN_HOUR).served

    assert (first.outcome, first.interruptions, first.delivered_wh) == (Outcome.PART, 1, 91 * 10_000 // 60)
    assert (second.outcome, second.waited_s, second.delivered_wh) == (Outcome.PART, 31 * 60, 59 * 10_000 // 60)


def test_what_is_protected_is_kept_whole(redis: Redis) -> None:
    """The second breaks the room for 50 kW at the least loaded, and nothing at the other. The third needs 50 kW."""
    visits = [comes(0, 30, 100, 300), comes(1, 11, 10, 300), comes(2, 50, 10, 300)]

    def places(protect: Sequence[int]) -> list[str]:
        redis.flushall()
        served = replay(
            visits, [50_000, 45_000, 50_000], Order.REFUSE, redis, config=LedgerConfig(protect=protect)
        ).served
        return [each.substation for each in served]

    assert places(()) == ["substation-1", "substation-2", "substation-3"]
    assert places((50_000,)) == ["substation-2", "substation-2", "substation-1"]


def test_months_pass_and_nobody_is_silenced(redis: Redis) -> None:
    visits = [comes(60 * 24 * 30 * month, 10, 10, 120) for month in range(6)]
    steps: list[int] = []
    served = replay(visits, [10_000], Order.ARRIVAL, redis, lambda: steps.append(1)).served

    assert minutes(served) == [("met", 10_000, 0)] * 6
    assert len(steps) == 6


def test_a_session_may_end_between_two_clock_ticks(redis: Redis) -> None:
    """This one ends at ...468.9720001 s: a clock that could only show ...468.972 would never come to its end."""
    visit = Visit(MIDNIGHT, Car(50, 16.083, 3600), came_ms=1_522_932_310_996)
    (served,) = replay([visit], [50_000], Order.ARRIVAL, redis).served

    assert minutes([served]) == [("met", 16_083, 0)]


def test_a_substation_that_refuses_what_fits_by_the_ledger_ends_the_run(redis: Redis) -> None:
    """The ledger does not know of the car that is there already."""
    clock = Clock(MIDNIGHT_MS / 1000)
    grid = VirtualGrid(Ledger(redis, "default", clock=clock.ms), [10_000], clock, lambda substation, end: None)
    grid.substations[0].station.charge([station.Order("other", 1, "car", 10_000, 10_000)])

    with pytest.raises(DisagreementError, match="no-room"):
        grid.ask(Request("s", "car", 10_000, 10_000))


def test_without_redis_server_it_runs_on_fakeredis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    (tmp_path / "trace.csv").write_text("".join(TRACE.splitlines(keepends=True)[:2]))
    asked = parse(["--trace", str(tmp_path / "trace.csv"), "--limit-kw", "10", "--csv", str(tmp_path)])
    out = io.StringIO()
    run(asked, Console(file=out, width=120), Console(quiet=True))

    assert _rows(out)["energy delivered"] == ["100.00%"] * 3
    assert "on fakeredis" in out.getvalue()


def test_the_orders_are_compared_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text(TRACE)
    asked = parse(["--trace", str(tmp_path / "trace.csv"), "--limit-kw", "10", "--csv", str(tmp_path)])
    asked = replace(asked, config=AN_HOUR)
    out = io.StringIO()
    figures = run(asked, Console(file=out, width=120), Console(quiet=True))

    shown = _rows(out)
    assert "too big for every substation" not in shown
    assert shown["energy delivered"] == ["40.00%", "80.00%", "100.00%"]
    assert shown["energy that fits the stays"] == ["100.00%"] * 3
    assert shown["sessions fully met"] == ["33.33%", "66.67%", "100.00%"]
    assert shown["sessions with nothing"] == ["66.67%", "33.33%", "0.00%"]
    assert shown["waited, p50 / p95 / max min, up to 12 kW"] == ["0 / 0 / 0", "50 / 80 / 80", "1 / 80 / 80"]
    assert shown["interruptions per session, most"] == ["0.000, 0", "0.000, 0", "0.333, 1"]
    assert shown["Jain's index of delivered ÷ asked"] == ["0.3333", "0.6667", "1.0000"]
    assert shown["highest peak ÷ limit"] == ["100.0%"] * 3
    assert shown["overload s"] == ["0"] * 3
    assert "3 sessions, 25.0 kWh, 1 x 10 kW, PROTECT_KW none" in out.getvalue()
    assert "PREEMPTION_SLACK_MS 3600000" in out.getvalue()
    assert all(each.kept for each in figures.values())
    assert [len((tmp_path / f"{order}.csv").read_text().splitlines()) for order in Order] == [4, 4, 4]


def test_what_nobody_has_is_a_dash(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text(TRACE)
    asked = parse(["--trace", str(tmp_path / "trace.csv"), "--limit-kw", "9", "--csv", str(tmp_path)])
    out = io.StringIO()
    run(asked, Console(file=out, width=120), Console(quiet=True))

    shown = _rows(out)
    assert shown["too big for every substation"] == ["3"] * 3
    assert shown["waited, p50 / p95 / max min, up to 12 kW"] == ["\N{EN DASH}"] * 3
    assert shown["Jain's index of delivered ÷ asked"] == ["\N{EN DASH}"] * 3
    assert shown["energy delivered"] == ["0.00%"] * 3


def _rows(table: io.StringIO) -> dict[str, list[str]]:
    return {cells[0]: cells[1:] for cells in map(_cells, table.getvalue().split("\n"))}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]
