"""The laboratory's own account of who is where: what no rule can talk itself out of."""

import math
from collections.abc import Sequence


class Books:
    """What each substation carries, in W. The sums are whole numbers: millions of changes do not blur them."""

    def __init__(self, limits: Sequence[int]) -> None:
        self.limits = limits
        self.committed = [0] * len(limits)
        self.overloaded = 0
        """Substations above their limit."""
        self.peak = 0.0
        """The highest load of any substation since it was last set to 0."""
        self._held: dict[int, tuple[int, int]] = {}
        # A load is this many parts of `_full`, the same for each substation.
        self._full = math.lcm(*limits)
        self._parts = [self._full // limit for limit in limits]
        self._sum = self._squares = 0

    def take(self, number: int, substation: int, watts: int) -> None:
        """A car begins to charge."""
        self._held[number] = substation, watts
        self._change(substation, watts)
        self.peak = max(self.peak, self.committed[substation] / self.limits[substation])

    def leave(self, number: int) -> None:
        """It leaves; nothing happens if it was refused."""
        if held := self._held.pop(number, None):
            self._change(held[0], -held[1])

    def fits_somewhere(self, watts: int) -> bool:
        return any(limit - used >= watts for limit, used in zip(self.limits, self.committed, strict=True))

    @property
    def jain(self) -> float:
        """Jain's index of the loads, as `loadtest.balance.jain` has it of a list of them."""
        return self._sum * self._sum / (len(self.limits) * self._squares) if self._squares else 1.0

    @property
    def mean_load(self) -> float:
        return self._sum / (self._full * len(self.limits))

    @property
    def highest_load(self) -> float:
        return max(used / limit for used, limit in zip(self.committed, self.limits, strict=True))

    def _change(self, substation: int, watts: int) -> None:
        before, limit, parts = self.committed[substation], self.limits[substation], self._parts[substation]
        after = self.committed[substation] = before + watts
        self.overloaded += (after > limit) - (before > limit)
        self._sum += watts * parts
        self._squares += (after - before) * (after + before) * parts * parts
