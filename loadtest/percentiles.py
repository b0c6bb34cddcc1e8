"""Percentiles that were measured. For Locust's process too, so it imports nothing else."""

import math
from collections.abc import Sequence

PERCENTILES = (0.50, 0.95, 0.99)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of these values that this share of them does not exceed; 0 if there are none."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else 0.0


def percentiles(values: Sequence[float], shares: Sequence[float] = PERCENTILES) -> dict[str, float]:
    """By name: p50, p95, ...; empty if there are no values."""
    return {f"p{share * 100:g}": percentile(values, share) for share in shares if values}
