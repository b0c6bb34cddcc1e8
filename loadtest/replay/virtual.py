"""A grid on a virtual clock: the real scripts, dispatcher, feeders and heartbeats, and only HTTP left out.

A car that is placed starts at once, by POST /charge. One that waits starts with the reply to a heartbeat: in the real
grid a second may pass until then, here no time does. While any is queued every substation sends a heartbeat a minute,
as preemption falls due without an event. Nothing dies, so there is no sweep: a jump of the clock silences no
substation, and a queued car waits until it leaves.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from balancer.dispatch import Dispatcher
from balancer.substation import Started, SubstationClient
from grid.ledger import Ledger
from grid.ledger.records import Outcome, Request
from loadtest.replay.satisfaction import Carried
from substation.admission import admit
from substation.heartbeat import Heartbeats, Identity
from substation.meters import Meters
from substation.schemas import ChargeOrder
from substation.station import End, Snapshot, Station, Verdict

ROUNDS = 100
MINUTE_MS = 60_000
FOREVER_MS = 10**15
"""So long a substation is in touch with the ledger after a heartbeat: months may pass until its next one."""


class DisagreementError(Exception):
    """The ledger and the feeders do not say the same though nothing is under way: a bug."""


@dataclass
class Clock:
    """Seconds since the epoch, as exact as the feeders' are; the ledger's are whole ms."""

    now_s: float = 0.0

    def seconds(self) -> float:
        return self.now_s

    def ms(self) -> int:
        return round(self.now_s * 1000)


class Substation:
    """A real feeder and its heartbeat. `on_end` is told the substation's name and what ended there."""

    def __init__(self, ledger: Ledger, name: str, limit: int, clock: Clock, on_end: Callable[[str, End], None]) -> None:
        self.name = name
        self.limit = limit
        self.station = Station(
            limit, 1.0, clock=clock.seconds, on_change=self._change, on_end=lambda end: on_end(name, end)
        )
        self._identity = Identity(name, f"http://{name}", limit, limit)
        meters = Meters(ledger.zone, name, limit, limit)
        self._heartbeats = Heartbeats(ledger, self.station, self._identity, meters, FOREVER_MS, clock.seconds)
        self.changed = True

    def beat(self) -> None:
        self.changed = False
        self._heartbeats.beat()

    def post(self, orders: Sequence[dict[str, Any]]) -> list[Verdict]:
        """POST /charge."""
        self.changed = True
        received = [ChargeOrder.model_validate(order) for order in orders]
        return admit(received, self._identity, self._heartbeats, self._heartbeats.epoch, self.station)

    @property
    def snapshot(self) -> Snapshot:
        return self.station.snapshot()

    def _change(self) -> None:
        self.changed = True


class _Wires(SubstationClient):
    def __init__(self, substations: Sequence[Substation]) -> None:
        self._substations = {f"http://{each.name}": each for each in substations}

    def charge(self, url: str, orders: Sequence[dict[str, Any]], request_id: str) -> list[Started]:
        verdicts = self._substations[url].post(orders)
        if set(verdicts) != {Verdict.STARTED}:
            raise DisagreementError(f"{orders} were answered {verdicts}")
        return [Started.YES] * len(orders)

    def stop(self, url: str, session: str, attempt: int, request_id: str) -> bool:
        self._substations[url].station.cancel(session, attempt)
        return True


class VirtualGrid:
    """Substations of these limits (W) in the ledger's zone, on the clock that the ledger has too."""

    def __init__(self, ledger: Ledger, limits: Sequence[int], clock: Clock, on_end: Callable[[str, End], None]) -> None:
        self.substations = [
            Substation(ledger, f"substation-{number}", limit, clock, on_end)
            for number, limit in enumerate(limits, start=1)
        ]
        self._ledger = ledger
        self._clock = clock
        # One request goes to one substation, so the pool starts no thread.
        pool = ThreadPoolExecutor(1)
        self._dispatcher = Dispatcher(ledger, _Wires(self.substations), pool)
        self._is_any_queued = False
        self._settle()

    def ask(self, request: Request) -> Outcome:
        """POST /request-charge."""
        (decision,) = self._dispatcher.route([request], "")
        outcome = decision.placement.outcome
        if outcome not in (Outcome.PLACED, Outcome.WAITING, Outcome.FULL, Outcome.TOO_BIG):
            raise DisagreementError(f"{request} was answered {decision}")
        self._settle()
        return outcome

    def leave(self, session: str) -> None:
        """DELETE /sessions/{id}."""
        self._dispatcher.cancel(session, "")
        self._settle()

    def advance(self, to_ms: int) -> None:
        """Until then, each car that has its energy makes room at that instant, and each minute of a queue has beats."""
        while (at_s := self._next_event_s()) is not None and round(at_s * 1000) <= to_ms:
            self._clock.now_s = max(self._clock.now_s, at_s)
            for each in self.substations:
                each.station.finish_due()
                each.changed |= self._is_any_queued
            self._settle()
        self._clock.now_s = max(self._clock.now_s, to_ms / 1000)

    def _next_event_s(self) -> float | None:
        ends = (charging.ends for each in self.substations for charging in each.snapshot.charging)
        minute = [(self._clock.ms() // MINUTE_MS + 1) * MINUTE_MS / 1000] if self._is_any_queued else []
        return min((*ends, *minute), default=None)

    def carried(self) -> list[Carried]:
        snapshots = [(each, each.snapshot) for each in self.substations]
        return [Carried(each.name, each.limit, its.peak, its.overload_s) for each, its in snapshots]

    def _settle(self) -> None:
        """Heartbeats, until every substation runs what it was given."""
        for _ in range(ROUNDS):
            for each in self.substations:
                if each.changed:
                    each.beat()
            self._is_any_queued = bool(self._ledger.states().get("waiting"))
            if self._is_any_queued:
                committed = {row.substation: row.committed for row in self._ledger.grid()}
                for each in self.substations:
                    each.changed |= committed[each.name] != each.snapshot.drawn
            if not any(each.changed for each in self.substations):
                return
        raise DisagreementError(f"after {ROUNDS} heartbeats: {self._ledger.grid()}")
