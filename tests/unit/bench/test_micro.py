"""What a decision costs: the arithmetic, and that each step does what its name says, on a real Redis."""

import io
import multiprocessing
from collections.abc import Iterator

import pytest
from redis import Redis
from rich.console import Console

from grid import session_ids
from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Ended
from loadtest.bench.micro import cost, line, protect, rate, scripts, table
from loadtest.bench.micro.cost import Cost
from loadtest.bench.micro.line import FullGrid
from loadtest.bench.micro.rate import Rate, Seen
from loadtest.bench.micro.zone import ENERGIES_WH, POWERS, Substation, Zone, car

CARS = 12
SUBSTATIONS = 3


@pytest.fixture
def redis(redis_server_url: str) -> Iterator[Redis]:
    """A client of an empty redis-server: fakeredis keeps no account."""
    with Redis.from_url(redis_server_url, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def zone(redis: Redis) -> Zone:
    return Zone(redis, "default", SUBSTATIONS, CARS)


def do(zone: Zone, step: str) -> int:
    """How many calls it is."""
    calls, _ = scripts.STEPS[step]
    prepared = calls(zone)
    for call in prepared:
        call()
    return len(prepared)


def test_what_a_call_costs_is_a_mean_and_only_commands_of_the_script_are_counted() -> None:
    stats = {
        "cmdstat_evalsha": {"calls": 4, "usec": 200},
        "cmdstat_config|resetstat": {"calls": 1, "usec": 9},
        "cmdstat_info": {"calls": 1, "usec": 9},
        "cmdstat_hget": {"calls": 8, "usec": 9},
        "cmdstat_time": {"calls": 4, "usec": 9},
    }

    assert cost.account(stats, client_us=800, calls=4) == Cost(server_us=50, client_us=200, commands=3)
    assert Cost(5_000, 7_000, 900).shared_by(100) == Cost(50, 70, 9)


def test_a_script_that_had_to_be_loaded_is_not_measured() -> None:
    with pytest.raises(AssertionError, match="one script once"):
        cost.account({"cmdstat_evalsha": {"calls": 5, "usec": 200}}, client_us=800, calls=4)


def test_calls_are_measured_by_redis_own_account(redis: Redis, zone: Zone) -> None:
    measured = cost.measure(redis, [lambda: zone.ledger.reserve([])] * 3)

    assert measured.commands == 3, "TIME, GET for the format, and EXISTS for the line"
    assert 0 < measured.server_us < measured.client_us


def test_a_car_is_as_real_ones_are() -> None:
    cars = [car("north") for _ in range(100)]

    assert {session_ids.zone_of(each.session) for each in cars} == {"north"}
    assert len({each.session for each in cars}) == 100
    assert {each.watts for each in cars} <= set(POWERS)
    assert all(ENERGIES_WH[0] <= each.energy_wh <= ENERGIES_WH[1] for each in cars)
    assert car("north", 3_700).watts == 3_700


def test_a_second_passes_from_heartbeat_to_heartbeat() -> None:
    substation = Substation("substation-1", 50_000)
    substation.plug_in(car("default", 11_000), attempt=2)

    ended = Ended("s", 1, "finished", 5, 1)
    first, second = substation.heartbeat(), substation.heartbeat([ended])

    assert (first.number, second.number) == (1, 2)
    assert (first.acknowledged, second.acknowledged) == (0, 1)
    assert first.could_take == 50_000 - 11_000
    assert [each.delivered_wh for each in (*first.sessions, *second.sessions)] == [3, 6]
    assert second.sessions[0].attempt == 2
    assert (first.ended, second.ended) == ([], [ended])


def test_a_zone_has_its_cars_at_the_first_substation_and_none_elsewhere(zone: Zone) -> None:
    assert [row.sessions for row in zone.ledger.grid()] == [CARS, 0, 0]
    assert zone.ledger.states() == {"charging": CARS, "cancelled": 1}


def test_each_step_does_what_its_name_says(zone: Zone) -> None:
    before = zone.ledger.session(zone.first.cars[0].session)
    beats = do(zone, "heartbeat")
    after = zone.ledger.session(zone.first.cars[0].session)
    assert before
    assert after
    assert after.delivered_wh - before.delivered_wh == beats * (after.watts // 3600) > 0

    single = do(zone, "reserve")
    assert zone.ledger.states() == {"charging": CARS, "cancelled": 1, "reserved": single}

    held = single + do(zone, "reserve, of 100") * 100
    assert zone.ledger.states() == {"charging": CARS, "cancelled": 1, "reserved": held}

    assert do(zone, "cancel") == held
    assert zone.ledger.states() == {"charging": CARS, "cancelled": 1 + held}
    assert zone.held == []


def test_a_cost_is_that_of_a_request_and_the_warming_round_is_none_of_them(redis: Redis) -> None:
    zones = [Zone(redis, f"grid-{number}", number, CARS) for number in (1, SUBSTATIONS)]

    small, large = scripts.take_turns(redis, zones, rounds=2)

    assert [len(costs) for costs in (*small.values(), *large.values())] == [2] * 2 * len(scripts.STEPS)
    for costs in (small, large):
        assert costs["reserve, of 100"][0].commands < costs["reserve"][0].commands < 30


def test_the_tables_of_scripts_have_a_row_for_each_size(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "SUBSTATIONS", (1, 20))
    monkeypatch.setattr(scripts, "CARS", (2, 5))
    monkeypatch.setattr(scripts, "ROUNDS", 1)
    monkeypatch.setattr(scripts, "MANY", 10)
    said = io.StringIO()
    console = Console(file=said, soft_wrap=True)

    scripts.by_substations(redis, console, Console(file=io.StringIO()))
    scripts.by_cars(redis, console)

    first, second = said.getvalue().strip("\n").split("\n\n")
    assert [row.split("  ")[0] for row in first.splitlines()[2:]] == [step for step in scripts.STEPS for _ in range(2)]
    assert [row.split()[0] for row in second.splitlines()[2:]] == ["2", "5"]


def test_a_rate_is_of_the_time_between_two_looks() -> None:
    measured = rate.rate_of(Seen(at_s=10, scripts=100, cpu_s=1), Seen(at_s=12, scripts=140, cpu_s=1.5), batch=100)

    assert measured == Rate(per_s=2_000, cores=0.25)
    assert measured.per_core_s == 8_000


@pytest.mark.parametrize("batch", [1, 100])
def test_processes_ask_until_they_are_stopped(redis: Redis, batch: int) -> None:
    others = set(multiprocessing.active_children())

    rates = rate.take(redis, clients=2, batch=batch, windows=2, window_s=0.1)
    placed = Ledger(redis, rate.ZONE).states()["reserved"]

    assert len(rates) == 2
    assert all(each.per_s > 0 and each.cores > 0 for each in rates)
    assert placed % batch == 2 % batch, "each of them asks for one before it begins, and then for as many as it is to"
    assert set(multiprocessing.active_children()) == others


@pytest.mark.parametrize("waiting", [5, 40])
def test_each_step_of_a_line_does_what_its_name_says(redis: Redis, waiting: int) -> None:
    grid = FullGrid(Ledger(redis, "default", LedgerConfig(longest_line=100, heartbeat_ttl=60_000)))
    grid.fill(waiting)
    assert grid.ledger.states()["waiting"] == waiting
    assert {row.load for row in grid.ledger.grid()} == {1.0}
    assert len(grid.first.cars) == line.CARS_AT_EACH

    line.STEPS["reserve: joins the line"](grid)
    assert grid.ledger.states()["waiting"] == waiting + 1

    line.STEPS["heartbeat: gives nobody"](grid)
    assert grid.ledger.states()["waiting"] == waiting + 1

    line.STEPS["heartbeat: gives to one"](grid)
    assert grid.ledger.states()["waiting"] == waiting
    assert grid.ledger.states()["finished"] == 1
    assert len(grid.first.cars) == line.CARS_AT_EACH
    assert {row.load for row in grid.ledger.grid()} == {1.0}


def test_lines_are_as_long_after_a_round_as_before(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "TURNS", 2)
    grids = {waiting: line.full_grid(redis, waiting) for waiting in (5, 10)}
    urgent = {waiting: line.urgent_grid(redis, waiting) for waiting in (5, 10)}

    server_us = line.take_turns(redis, grids, urgent, rounds=2)

    assert {len(each) for each in server_us.values()} == {2}
    assert set(server_us) == {(step, waiting) for step in (*line.STEPS, line.PREEMPTS) for waiting in grids}
    assert [grid.ledger.states()["waiting"] for grid in (*grids.values(), *urgent.values())] == [5, 10, 5, 10]


def test_what_was_measured_is_said_as_its_median_with_the_range() -> None:
    said = io.StringIO()
    table.show(
        Console(file=said, soft_wrap=True), "a title", ("what", "µs"), [("one", [3.0, 1.26, 2.0]), ("other", [1234.5])]
    )

    assert said.getvalue().splitlines() == [
        "",
        "a title",
        "what    µs",
        "one     2.0 (1.3 to 3.0)",
        "other   1,234 (1,234 to 1,234)",
    ]


@pytest.mark.parametrize("busy", [False, True])
def test_what_is_protected_is_measured_in_the_same_grid(redis: Redis, busy: bool) -> None:
    zone = protect.ProtectedZone(redis, "default", SUBSTATIONS, busy, lambda numbers, _: numbers)
    before = [row.committed / row.limit for row in zone.none.grid()]

    costs = protect.take_turns(redis, zone, rounds=2)

    assert [row.committed / row.limit for row in zone.none.grid()] == before
    assert all(load == 0 or (busy and 0.45 <= load <= 1) for load in before)
    assert [[len(arm) for arm in arms] for arms in costs.values()] == [[2, 2]] * len(protect.BATCHES)
    assert all(us > 0 for arms in costs.values() for arm in arms for us in arm)


def test_four_sizes_are_protected_in_one_arm_and_none_in_the_other(redis: Redis) -> None:
    """A small car goes to the least loaded, or where it breaks nothing."""
    zone = protect.ProtectedZone(redis, "default", 1, False, lambda numbers, _: numbers)
    zone.none.reserve([car("default", 320_000)])
    zone.none.heartbeat(Substation("least", 350_000).heartbeat())
    chosen = [ledger.reserve([car("default", 7_000)])[0].substation for ledger in (zone.four, zone.none)]
    assert chosen == ["substation-0", "least"]
