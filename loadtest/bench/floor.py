"""The floor: the grid's own balancer and substation, with a ledger that decides nothing and asks nobody.

Round robin over the substations, whatever they carry. Their heartbeats are written as ever, and answered on the spot.
"""

import itertools
import time
from collections.abc import Iterable

from flask import Flask

from balancer.app import create_app as create_balancer
from grid.ledger import Ledger
from grid.ledger.records import Heartbeat, HeartbeatReply, Outcome, Placement, Request, Swept
from grid.settings import load_settings
from substation.app import create_app as create_substation

EPOCH = 1


class NoLedger(Ledger):
    """Has room for everybody at each of `substations` (name → url) in turn."""

    def __init__(self, zone: str, substations: dict[str, str]) -> None:
        self.zone = zone
        self._turns = itertools.cycle(substations.items())

    def reserve(self, requests: Iterable[Request]) -> list[Placement]:
        return [self._next(request) for request in requests]

    def heartbeat(self, beat: Heartbeat) -> HeartbeatReply:
        return HeartbeatReply("ok" if beat.epoch else "registered", EPOCH, [], [])

    def sweep(self, limit: int = 100) -> Swept:
        return Swept([], [], 0, 0, 0)

    def eject(self, placement: Placement) -> bool:
        return False

    def ping(self) -> None:
        pass

    def _next(self, request: Request) -> Placement:
        substation, url = next(self._turns)
        return Placement(
            Outcome.PLACED,
            "reserved",
            substation,
            url,
            epoch=EPOCH,
            attempt=1,
            watts=request.watts,
            energy_wh=request.energy_wh,
            accepted=time.time_ns() // 1_000_000,
        )


def balancer(substations: dict[str, str]) -> Flask:
    (zone,) = load_settings().zones
    return create_balancer(ledgers={zone: NoLedger(zone, substations)})


def substation() -> Flask:
    return create_substation(ledger=NoLedger(load_settings().zone, {}))
