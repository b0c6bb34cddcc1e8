"""After the chaos: wait until every session is over, the line empty and the grid idle, but not for ever."""

import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from grid.ledger.keys import key

from ..stack import SUBSTATIONS, Stack

WITHIN_S = 90.0
OVER = ("finished", "cancelled")
ASK_AT_ONCE = 8
ZONE = "default"
AFTER_ERROR_MS = 10_000
"""So long a session may charge whose caller was told that it failed."""


def settle(stack: Stack, sessions: Iterable[str]) -> dict[str, str]:
    """The state of each session that is not over when the grid is calm or the time is up: the lost ones."""
    deadline = time.monotonic() + WITHIN_S
    missing = dict.fromkeys(sessions, "?")
    while True:
        with ThreadPoolExecutor(ASK_AT_ONCE) as askers:
            states = zip(missing, askers.map(lambda session: _state(stack, session), missing), strict=True)
            missing = {session: state for session, state in states if state not in OVER}
        if time.monotonic() > deadline or (not missing and _calm(stack)):
            return missing
        time.sleep(0.5)


def charged_unasked(stack: Stack, accepted: Iterable[str]) -> list[str]:
    """Sessions that charged for long though no caller was answered that they were accepted."""
    text = stack.compose("exec", "-T", "redis", "redis-cli", "--json", "HGETALL", key(ZONE, "sessions"))
    records = {session: json.loads(record) for session, record in json.loads(text).items()}
    return sorted(
        session
        for session in records.keys() - set(accepted)
        if records[session]["state"] in ("charging", "finished")
        and records[session]["since"] - records[session]["accepted"] > AFTER_ERROR_MS
    )


def _state(stack: Stack, session: str) -> str:
    """Who waited until its ready-by time is over too; nobody else may expire."""
    answer = stack.call("GET", f"/sessions/{session}")
    if answer.status_code != 200:
        return f"answered {answer.status_code}"
    body = answer.json()
    was_too_late = body["ready_by"] and datetime.fromisoformat(body["ready_by"]) <= datetime.now(UTC)
    return OVER[0] if body["state"] == "expired" and was_too_late else str(body["state"])


def _calm(stack: Stack) -> bool:
    """Every substation is up under the name it had, nothing is committed anywhere, and nobody waits."""
    answer = stack.call("GET", "/grid")
    if answer.status_code != 200:
        return False
    grid = answer.json()
    rows = grid["substations"]
    names = {f"substation-{i}" for i in range(1, SUBSTATIONS + 1)}
    is_idle = all(row["state"] == "up" and row["committed_kw"] == 0 for row in rows)
    return {row["substation"] for row in rows} == names and is_idle and grid["totals"]["waiting"] == 0
