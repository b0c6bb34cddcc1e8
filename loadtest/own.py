"""A grid of our own to rush: what it is told, and what we know of it."""

from grid.local import LocalGrid
from loadtest.recording import Target


def simulated(time_scale: float) -> dict[str, str]:
    """The settings of a grid whose day passes so many times faster."""
    return {"TIME_SCALE": f"{time_scale:g}", "LOG_LEVEL": "WARNING"}


def own_target(grid: LocalGrid, what: str) -> Target:
    return Target(grid.url, what, [each.url for each in grid.substations])
