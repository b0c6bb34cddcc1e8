"""From what was measured to what is said."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from loadtest.bench import overload, ratios, table, turn
from loadtest.bench.open_loop import Answers
from loadtest.bench.ratios import TARGETS, Target
from loadtest.bench.saturate import Saturation
from loadtest.bench.turn import Turn, Used, percentile

FULL = Used({"api": 2.0, "redis": 0.5}, machine=4.0, seconds=5.0)
HALF = Used({"api": 1.0, "redis": 0.0}, machine=9.9, seconds=5.0)
ENDS = Used({"api": 0.0, "redis": 0.1}, machine=9.9, seconds=5.0)
PEAK = {"api": 46.0, "redis": 17.0}


def result(cars: int = 1, begun: int = 1_000, failed: int = 0, answers: Answers | None = None) -> Turn:
    most = Saturation(answered=1_000 // cars, failed=failed, seconds=5.0, generator_cpu_s=0.5)
    latencies = [float(ms) for ms in range(100, 0, -1)]
    answers = answers or Answers(latencies, late_ms=[0.1] * 99 + [7.0], seconds=5.0, generator_cpu_s=1.0)
    return turn.result(cars, begun, most, answers, FULL, HALF, ENDS, PEAK)


def test_what_is_used_is_shared_by_those_who_were_answered() -> None:
    single = result()

    assert single.cars_per_s == 200
    assert single.cpu_us == {"api": 2_000, "redis": 500}
    assert single.cpu_us_at_half == {"api": 10_000, "redis": 0}
    assert single.cpu_us_of_ends == {"api": 0, "redis": pytest.approx(100)}


def test_a_fleet_shares_it_by_its_cars() -> None:
    fleet = result(cars=100)

    assert fleet.cars_per_s == 200
    assert fleet.cpu_us == {"api": 2_000, "redis": 500}
    assert fleet.cpu_us_at_half == {"api": 100, "redis": 0}


def test_latencies_are_put_in_order_and_those_of_a_delayed_ack_are_counted() -> None:
    single = result()

    assert (single.p50_ms, single.p99_ms) == (50, 99)
    assert (single.in_cluster, single.answers) == (13, 100)


def test_the_generators_say_what_they_used_and_what_is_left_is_that_of_others() -> None:
    single = result()

    assert single.generator_cores == 0.1
    assert single.generator_cores_at_half == 0.2
    assert single.generator_late_ms == 0.1
    assert single.others_cores == pytest.approx((4.0 - 2.5 - 0.5) / 5)


@pytest.mark.parametrize(
    ("failed", "begun", "lost", "all_failed"),
    [(0, 1000, 0, 0), (0, 990, 0, 10), (100, 1000, 0, 100), (0, 1000, 2, 2)],
)
def test_errors_and_cars_of_a_fleet_that_do_not_charge_have_failed(
    failed: int, begun: int, lost: int, all_failed: int
) -> None:
    answers = Answers([1.0], late_ms=[0.0], failed=lost, seconds=1.0)

    assert result(begun=begun, failed=failed, answers=answers).failed == all_failed


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4), (0.0, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], share) == value


def test_a_ratio_is_that_of_each_round_and_then_the_median() -> None:
    target = Target("cars per second", lambda turn: turn.cars_per_s, "grid", "polling", at_most=False, bound=3.0)
    turns = {
        "grid": [replace(result(), cars_per_s=rate) for rate in (300.0, 600.0, 100.0)],
        "polling": [replace(result(), cars_per_s=rate) for rate in (100.0, 100.0, 100.0)],
    }

    assert target.ratio(turns) == ratios.Spread(median=3, least=1, most=6)
    assert target.is_met(turns)
    assert replace(target, at_most=True).is_met(turns)
    assert not replace(target, bound=3.1).is_met(turns)


def test_cars_above_a_limit_are_counted_at_each_substation() -> None:
    assert overload.above([110_000, 110_000, 110_000]) == 0
    assert overload.above([330_000, 0, 0]) == 20
    assert overload.above([121_000, 99_000, 132_000]) == 3


def test_all_is_shown_and_written() -> None:
    turns = {arm: [result(), result()] for arm in ("grid", "floor", "polling", "alone", "batch")}
    console = Console(file=io.StringIO(), soft_wrap=True)
    table.show(turns, {"grid": [0, 0], "polling": [20, 19]}, console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()

    assert "polling: 39 cars above a limit in 2 bursts" in shown
    assert shown.count("NOT MET") == 4
    assert "CPU per car, grid ÷ floor: 1 (1 to 1), to be ≤ 1.20: met" in shown
    written = table.as_json(turns, {"grid": [0, 0]}, {"versions": {"wrk": "4"}})
    assert written["versions"] == {"wrk": "4"}
    assert [len(each) for each in written["turns"].values()] == [2] * 5
    assert [ratio["met"] for ratio in written["ratios"]] == [True] * 3 + [False] * 4
    assert len(written["ratios"]) == len(TARGETS)
