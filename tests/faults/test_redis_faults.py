"""The fault table's Redis rows on real processes: a Redis that forgets all, or the newest."""

from collections.abc import Iterator

import pytest

from .conftest import LONG, Faulty
from .harness import eventually
from .three_substations import charge, run_three_substations

FINISHED_SOON = {**LONG, "energy_kwh": 22}  # 2 s


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with run_three_substations(tmp_path_factory.mktemp("logs")) as grid:
        yield grid


def test_a_wiped_redis_learns_again_what_charges_and_nothing_is_overloaded(grid: Faulty) -> None:
    sessions = charge(grid, 20)
    grid.local.wipe()
    grid.ask_at_once(30)  # room for ten; a ledger that knows nothing yet has to be told so by the substations
    took = eventually(
        lambda: grid.is_in_balance() and all(grid.session(session)["state"] == "charging" for session in sessions),
        within_s=8,
    )
    print(f"\neverything is known again {took:.1f} s after the wipe; refused: {_refusals(grid)}")
    grid.assert_never_overloaded()


def test_a_redis_rolled_back_learns_what_happened_since(grid: Faulty) -> None:
    stay, leave = charge(grid, 6), charge(grid, 4)
    finish = [grid.ask(FINISHED_SOON).json()["session_id"] for _ in range(4)]
    eventually(lambda: all(grid.session(session)["state"] == "charging" for session in finish), within_s=2)
    image = grid.local.image()
    for session in leave:
        grid.cancel(session)
    eventually(lambda: all(grid.session(session)["state"] == "finished" for session in finish), within_s=5)
    came = charge(grid, 15)
    grid.local.roll_back(image)
    grid.ask_at_once(20)
    took = eventually(
        lambda: (
            grid.is_in_balance()
            and all(grid.session(session)["state"] == "charging" for session in stay + came)
            and all(grid.session(session)["state"] == "finished" for session in finish)
            and not any(grid.places(session) for session in leave)
        ),
        within_s=10,
    )
    print(f"\neverything is true again {took:.1f} s after the rollback; refused: {_refusals(grid)}")
    grid.assert_never_overloaded()


def _refusals(grid: Faulty) -> int:
    """409s of all substations since they started."""
    return round(
        sum(grid.metric(substation, "grid_substation_refusals_total") for substation in grid.local.substations)
    )
