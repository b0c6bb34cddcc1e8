"""The ledger outlives its Redis."""

import pytest

from .stack import Stack, eventually


@pytest.mark.parametrize(
    ("setting", "value"), [("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory-policy", "noeviction")]
)
def test_redis_writes_everything_down_and_throws_nothing_away(stack: Stack, setting: str, value: str) -> None:
    assert stack.compose("exec", "-T", "redis", "redis-cli", "config", "get", setting).split() == [setting, value]


def test_sessions_survive_a_killed_redis(disturbed: Stack) -> None:
    def session(path: str) -> dict[str, object] | None:
        answer = disturbed.call("GET", path)
        return dict(answer.json()) if answer.status_code == 200 else None

    def state(path: str) -> object:
        return (session(path) or {}).get("state")

    car = disturbed.ask("ev-charging")
    charging = car.headers["Location"]
    # Only Redis knows a finished session; no heartbeat could bring it back.
    finished = disturbed.ask("ev-finished", energy_kwh=0.001).headers["Location"]
    eventually(lambda: (state(charging), state(finished)) == ("charging", "finished"))
    before = session(finished)

    disturbed.compose("kill", "redis")
    disturbed.up()

    assert eventually(lambda: session(finished)) == before
    assert state(charging) == "charging"
    disturbed.cancel(car)
