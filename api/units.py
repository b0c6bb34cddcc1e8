"""From what the balancer says, in W, Wh and ms, to what a person reads, in kW, kWh and RFC 3339."""

import time
from datetime import UTC, datetime
from typing import Any

from grid.session_ids import zone_of

LATEST_MS = 7_258_118_400_000
"""The year 2200."""


def rfc3339(ms: int) -> str:
    """ms since the epoch as a UTC timestamp."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def place_in_line(body: dict[str, Any]) -> dict[str, Any]:
    """Both null for a session that does not wait; the second is an estimate, by this process' clock."""
    wait_ms = body["expected_wait_ms"]
    start = None if wait_ms is None else rfc3339(min(round(time.time() * 1000) + wait_ms, LATEST_MS))
    return {"position": body["position"], "estimated_start": start}


def session(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "session_id": body["session_id"],
        "state": body["state"],
        "substation": None if body["state"] == "waiting" else body["substation"] or None,
        **place_in_line(body),
        "zone": zone_of(body["session_id"]),
        "vehicle_id": body["vehicle_id"],
        "power_kw": body["watts"] / 1000,
        "energy_kwh": body["energy_wh"] / 1000,
        "delivered_kwh": body["delivered_wh"] / 1000,
        "accepted_at": rfc3339(body["accepted"]),
        "ready_by": None if body["ready_by"] is None else rfc3339(body["ready_by"]),
        "priority": body["priority"],
        "waited_s": None if body["waited_ms"] is None else body["waited_ms"] / 1000,
        "interruptions": body["interruptions"],
        "interrupted_by": body["interrupted_by"],
    }


def grid(body: dict[str, Any]) -> dict[str, Any]:
    rows = body["substations"]
    limit = sum(row["limit"] for row in rows)
    committed = sum(row["committed"] for row in rows)
    return {
        "substations": [_substation(row) for row in rows],
        "totals": {
            "substations": len(rows),
            "limit_kw": limit / 1000,
            "committed_kw": committed / 1000,
            "load": round(committed / limit, 4) if limit else 0.0,
            "sessions": sum(row["sessions"] for row in rows),
            "waiting": sum(body["waiting"].values()),
        },
        "waiting": body["waiting"],
    }


def _substation(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "substation": row["substation"],
        "zone": row["zone"],
        "state": row["state"],
        "epoch": row["epoch"],
        "capacity_kw": row["capacity"] / 1000,
        "limit_kw": row["limit"] / 1000,
        "committed_kw": row["committed"] / 1000,
        "headroom_kw": row["headroom"] / 1000,
        "load": round(row["load"], 4),
        "sessions": row["sessions"],
    }
