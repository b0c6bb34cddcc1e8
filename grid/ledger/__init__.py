"""The ledger: who carries what, in whole watts, in Redis. The only package that knows Redis.

Capacity is one set of keys per zone (`keys.py`); four Lua scripts (`lua/`) are their only writers, so every
decision is one atomic step; `Ledger` is their only client.
"""

from grid.ledger.connection import connect, open_ledgers
from grid.ledger.ledger import Ledger, LedgerUnavailable
from grid.ledger.records import (
    Cancel,
    Ended,
    Grant,
    Heartbeat,
    HeartbeatReply,
    LineRecord,
    Listed,
    Outcome,
    Placement,
    Release,
    ReleaseOutcome,
    Request,
    SessionRecord,
    SubstationRecord,
    Swept,
)

__all__ = [
    "Cancel",
    "Ended",
    "Grant",
    "Heartbeat",
    "HeartbeatReply",
    "Ledger",
    "LedgerUnavailable",
    "LineRecord",
    "Listed",
    "Outcome",
    "Placement",
    "Release",
    "ReleaseOutcome",
    "Request",
    "SessionRecord",
    "SubstationRecord",
    "Swept",
    "connect",
    "open_ledgers",
]
