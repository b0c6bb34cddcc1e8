"""The promise, through containers: a burst fills every substation to the watt, and no further."""

import json
from concurrent.futures import ThreadPoolExecutor

from .conftest import ROOM
from .stack import BALANCERS, SUBSTATIONS, Stack, eventually


def committed(stack: Stack) -> list[float]:
    return [row["committed_kw"] for row in stack.substations().values()]


def test_a_burst_fills_every_substation_and_overloads_none(stack: Stack) -> None:
    eventually(lambda: committed(stack) == [0.0] * SUBSTATIONS)
    cars = ROOM * SUBSTATIONS
    placed_before = stack.placed()

    with ThreadPoolExecutor(cars) as drivers:
        answers = list(drivers.map(lambda i: stack.ask(f"ev-{i}"), range(cars)))
    one_more = stack.ask("ev-too-many")

    assert [answer.status_code for answer in answers] == [201] * cars
    assert [row["sessions"] for row in stack.substations().values()] == [ROOM] * SUBSTATIONS
    assert committed(stack) == [11.0 * ROOM] * SUBSTATIONS

    assert (one_more.status_code, one_more.json()["position"]) == (202, 1)
    stack.cancel(one_more)

    placed = [count - placed_before[balancer] for balancer, count in stack.placed().items()]
    assert sum(placed) == cars
    assert len(placed) == BALANCERS
    assert min(placed) > 0, "one balancer got nothing"

    for container in stack.containers("substation"):
        status = json.loads(stack.get_inside(container, "/status"))
        assert len(status["sessions"]) == ROOM
        assert status["peak_watts"] == status["limit_watts"] == 11_000 * ROOM
        assert status["overload_seconds"] == 0

    for answer in answers:
        stack.cancel(answer)
    eventually(lambda: committed(stack) == [0.0] * SUBSTATIONS)
