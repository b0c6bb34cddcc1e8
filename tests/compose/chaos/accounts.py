"""What the substations say of themselves. A killed one takes its figures along, so it is asked before."""

import json
from dataclasses import dataclass
from typing import Any

from ..stack import Stack, eventually, samples


@dataclass(frozen=True, slots=True)
class Account:
    """One life of a substation, from its start until it was asked. W and s; `refused` by reason."""

    substation: str
    limit: int
    peak: int
    drawn: int
    overload_s: float
    started: int
    refused: dict[str, int]


def ask(stack: Stack, container: dict[str, Any]) -> Account:
    """Waits for one that is still starting."""
    return eventually(lambda: _ask(stack, container))


def _ask(stack: Stack, container: dict[str, Any]) -> Account | None:
    try:
        first, _, metrics = stack.get_inside(container, "/status", "/metrics").partition("\n")
    except AssertionError:
        return None
    status = json.loads(first)
    refusals = samples(metrics, "grid_substation_refusals_total")
    return Account(
        substation=status["substation"],
        limit=status["limit_watts"],
        peak=status["peak_watts"],
        drawn=status["drawn_watts"],
        overload_s=status["overload_seconds"],
        started=status["started"],
        refused={labels["reason"]: int(value) for labels, value in refusals},
    )
