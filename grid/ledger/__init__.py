"""The ledger: who carries what, in whole watts, in Redis. The only package that knows Redis.

Capacity is one set of keys per zone (`keys.py`); the Lua scripts (`lua/`) are their only writers, so every
decision is one atomic step; `Ledger` is their only client.
"""

from grid.ledger.connection import connect, open_ledgers
from grid.ledger.ledger import Ledger, LedgerConfig, LedgerUnavailable, NotAsked

__all__ = ["Ledger", "LedgerConfig", "LedgerUnavailable", "NotAsked", "connect", "open_ledgers"]
