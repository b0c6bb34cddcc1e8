"""What a call of each script costs, by the size of the grid and by the cars at one substation."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from statistics import median

from redis import Redis
from rich.console import Console
from rich.progress import track

from loadtest.bench.micro.cost import Call, Cost, measure
from loadtest.bench.micro.table import Cell, show
from loadtest.bench.micro.zone import Zone

SUBSTATIONS = (10, 1_000, 100_000)
CARS = (10, 50, 100, 1_000, 10_000)
FIGURES = ("server µs", "client µs", "commands")
ROUNDS = 21
"""Many and short: then most of them are not interrupted."""
SINGLY = 40
"""Calls in a round."""
BATCHES = 2
"""In a round."""
BATCH = 100
MANY = 10_000
"""So many heartbeats take a while."""


def _heartbeat(zone: Zone) -> list[Call]:
    """Fewer where each takes long."""
    calls = max(2, SINGLY * CARS[0] // len(zone.first.cars))
    return [partial(zone.beat, zone.first.heartbeat()) for _ in range(calls)]


def _reserve_one(zone: Zone) -> list[Call]:
    return [partial(zone.reserve, zone.cars(1)) for _ in range(SINGLY)]


def _reserve_batch(zone: Zone) -> list[Call]:
    return [partial(zone.reserve, zone.cars(BATCH)) for _ in range(BATCHES)]


def _cancel_each(zone: Zone) -> list[Call]:
    held, zone.held = zone.held, []
    return [partial(zone.cancel, session) for session in held]


STEPS: Mapping[str, tuple[Callable[[Zone], list[Call]], int]] = {
    "heartbeat": (_heartbeat, 1),
    "reserve": (_reserve_one, 1),
    f"reserve, of {BATCH}": (_reserve_batch, BATCH),
    "cancel": (_cancel_each, 1),
}
"""What is done in a round, in this order, and how many requests are in a call. What a long heartbeat leaves behind
(Lua's garbage) is met by the reserve after it, as in a grid that has such heartbeats."""

Costs = Mapping[str, Sequence[Cost]]
"""Of a zone: by step, a cost for each round."""


def by_substations(redis: Redis, console: Console, progress: Console) -> None:
    """Print the first table."""
    redis.flushall()

    def announce(numbers: Sequence[int]) -> Iterable[int]:
        few = len(numbers) < MANY
        return track(numbers, f"{len(numbers):,} heartbeats", console=progress, transient=True, disable=few)

    zones = [Zone(redis, f"grid-{number}", number, CARS[0], announce) for number in SUBSTATIONS]
    costs = take_turns(redis, zones, ROUNDS)
    rows = [
        (step, f"{substations:,}", *_cells(each[step]), _times(each[step], costs[0][step]))
        for step in STEPS
        for substations, each in zip(SUBSTATIONS, costs, strict=True)
    ]
    head = ("per request", "substations", *FIGURES, f"÷ at {SUBSTATIONS[0]}")
    show(console, f"By the size of the grid; {CARS[0]} cars are listed in a heartbeat", head, rows)


def by_cars(redis: Redis, console: Console) -> None:
    """Print the second table."""
    redis.flushall()
    zones = [Zone(redis, f"cars-{cars}", SUBSTATIONS[0], cars) for cars in CARS]
    costs = take_turns(redis, zones, ROUNDS)
    rows = [
        (f"{cars:,}", *_cells(each["heartbeat"]), _per_car(each["heartbeat"], cars), *_cells(each["reserve"]))
        for cars, each in zip(CARS, costs, strict=True)
    ]
    head = ("cars", *(f"heartbeat: {name}" for name in FIGURES), "µs a car", *(f"reserve: {name}" for name in FIGURES))
    show(console, f"By the cars at one of {SUBSTATIONS[0]} substations", head, rows)


def take_turns(redis: Redis, zones: Sequence[Zone], rounds: int) -> list[Costs]:
    """The costs in each zone. The round before the first warms up."""
    costs: list[dict[str, list[Cost]]] = [defaultdict(list) for _ in zones]
    for number in range(rounds + 1):
        for zone, its_costs in zip(zones, costs, strict=True):
            for step, (calls, requests) in STEPS.items():
                cost = measure(redis, calls(zone)).shared_by(requests)
                if number > 0:
                    its_costs[step].append(cost)
    return list(costs)


def _cells(costs: Sequence[Cost]) -> tuple[Cell, ...]:
    server, client, commands = zip(*costs, strict=True)
    return list(server), list(client), f"{median(commands):.3g}"


def _times(costs: Sequence[Cost], reference: Sequence[Cost]) -> str:
    return f"{_server_us(costs) / _server_us(reference):.2f}"


def _per_car(costs: Sequence[Cost], cars: int) -> str:
    return f"{_server_us(costs) / cars:.1f}"


def _server_us(costs: Sequence[Cost]) -> float:
    return median(cost.server_us for cost in costs)
