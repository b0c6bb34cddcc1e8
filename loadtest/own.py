"""A grid of our own to rush: what it is told, and what we know of it."""

from grid.local import LocalGrid
from grid.settings import Settings
from loadtest.recording import Target

PATIENCE = ("patience_ms", "give_up_ms", "priority_shift_ms")


def simulated(time_scale: float) -> dict[str, str]:
    """The settings of a grid whose day passes so many times faster.

    Charging does by TIME_SCALE. How long people wait is real time to the ledger, so these defaults are made as much
    shorter: half an hour of patience is half a simulated hour.
    """
    shorter = {name: max(1, round(Settings.model_fields[name].default / time_scale)) for name in PATIENCE}
    patience = {name.upper(): str(ms) for name, ms in shorter.items()}
    return {"TIME_SCALE": f"{time_scale:g}", "LOG_LEVEL": "WARNING", **patience}


def own_target(grid: LocalGrid, what: str) -> Target:
    return Target(grid.url, what, [each.url for each in grid.substations], grid.redis_url or "")
