"""How far a measured share may be from the true one."""

import math
from collections.abc import Sequence
from typing import NamedTuple

BATCHES = 20
"""Parts of a run, so long that they hardly depend on each other ("batch means")."""
SHORTEST_BATCH = 5.0
"""Stays of the class that stays longest. In shorter ones, who is there at the end of one still is at the next one's."""
T95, T999 = 2.093, 3.883
"""Student's t for as many batches less one: of 95 % and of 99.9 %."""


class Estimate(NamedTuple):
    """A ratio and the standard error of it; `error` is None if there is too little to tell."""

    value: float
    error: float | None

    def half_width(self, t: float = T95) -> float | None:
        """The true value is not further away, with the certainty that belongs to `t`."""
        return None if self.error is None else t * self.error


def ratio(parts: Sequence[float], wholes: Sequence[float]) -> Estimate | None:
    """Σ parts ÷ Σ wholes, from a part and a whole for each batch; None if there is no whole.

    The error is that of a ratio estimator (Cochran 1977): by how much the batches' parts miss the ratio of all.
    """
    whole, count = sum(wholes), len(wholes)
    if not whole:
        return None
    value = sum(parts) / whole
    if count < 2:
        return Estimate(value, None)
    misses = sum((part - value * each) ** 2 for part, each in zip(parts, wholes, strict=True))
    return Estimate(value, math.sqrt(misses * count / (count - 1)) / whole)
