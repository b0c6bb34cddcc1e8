"""What a grid says of its load at one instant. For Locust's process too, so it imports nothing else."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What a substation had committed at one moment."""

    substation: str
    committed_kw: float
    limit_kw: float
    sessions: int

    @property
    def share(self) -> float:
        return self.committed_kw / self.limit_kw


@dataclass(frozen=True)
class Sample:
    """`at` is the clock's time in seconds. `loads` are of what was up; none if the grid did not say.

    `waiting` is how many were in line; None if it did not say.
    """

    at: float
    loads: tuple[Load, ...]
    waiting: int | None = None

    @property
    def used(self) -> float | None:
        """How much of the grid was in use; of what of it was up."""
        limit_kw = sum(load.limit_kw for load in self.loads)
        return sum(load.committed_kw for load in self.loads) / limit_kw if limit_kw else None
