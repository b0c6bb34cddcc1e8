"""Many sessions in one request."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from grid.http import Reply

from ..conftest import Grid
from .conftest import attempts, charges, order, route, says_no


def test_a_batch_is_one_script_and_one_post_per_substation(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["one", "two", "three"]
    for name in names:
        grid.stub(name, charges)
    grid.ledger.reserve([])  # from now on Redis knows the script
    commands: Counter[str] = Counter()
    execute: Callable[..., Any] = grid.redis.execute_command

    def counting(*command: Any, **options: Any) -> Any:
        commands[command[0]] += 1
        return execute(*command, **options)

    monkeypatch.setattr(grid.redis, "execute_command", counting)
    decided = route(grid, *[order(number, watts=5_000) for number in range(48)])
    assert {item["status"] for item in decided} == {201}
    assert commands == {"EVALSHA": 1}
    assert Counter(call.url for call in grid.network.calls) == {f"http://{name}/charge": 1 for name in names}
    assert sorted(attempts(grid.network.calls)) == [(order(number)["session_id"], 1) for number in range(48)]
    assert grid.watts_held() == dict.fromkeys(names, 80_000)


def test_of_a_batch_only_what_was_refused_moves_on(grid: Grid) -> None:
    grid.stub("one", charges)
    grid.stub("two", lambda call: Reply(207, [{"status": 409 if i else 201} for i, _ in enumerate(call.body)]))
    decided = route(grid, *[order(number, watts=10_000) for number in range(6)])
    assert [item["status"] for item in decided] == [201] * 6
    assert Counter(item["substation"] for item in decided) == {"one": 5, "two": 1}
    assert grid.watts_held() == {"one": 50_000, "two": 10_000}
    assert Counter(attempt for _, attempt in attempts(grid.network.calls)) == {1: 6, 2: 2}


def test_the_same_session_twice_in_a_batch_is_one(grid: Grid) -> None:
    grid.stub("one", charges)
    decided = route(grid, order(), order(), order(watts=12_000))
    assert [item["status"] for item in decided] == [201, 201, 422]
    assert decided[0] == decided[1]
    assert grid.watts_held() == {"one": 11_000}


def test_the_same_session_twice_in_a_batch_is_given_back_once(grid: Grid) -> None:
    grid.stub("one", says_no)
    assert [item["status"] for item in route(grid, order(), order())] == [202, 202]
    assert grid.watts_held() == {"one": 0}
