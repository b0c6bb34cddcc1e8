"""From requests to reserved sessions: one script call decides, and the substations hear of it at once if they can."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from balancer.ejection import Outliers
from balancer.substation import Started, SubstationClient
from grid.http import NoAnswer, NotSent
from grid.ledger import Ledger, LedgerUnavailable, NotAsked
from grid.ledger.records import Outcome, Placement, Request, SessionRecord
from grid.metrics import POWER_CLASSES, balancer_metrics, power_class, start_at_zero

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one request. If the ledger could not be used: why, and whether it may have placed it even so."""

    placement: Placement
    cause: str = ""
    in_doubt: bool = False


class Dispatcher:
    """Places the requests of one zone. Holds no state but its connections, and who has not answered of late."""

    def __init__(self, ledger: Ledger, substations: SubstationClient, pool: ThreadPoolExecutor) -> None:
        self._ledger = ledger
        self._substations = substations
        self._pool = pool
        self._outliers = Outliers(ledger)
        self._metrics = balancer_metrics()
        start_at_zero(self._metrics.placements, [ledger.zone], Outcome, POWER_CLASSES)
        start_at_zero(self._metrics.placements_watts, [ledger.zone], Outcome)
        start_at_zero(self._metrics.orders, [ledger.zone], [started.value for started in Started])

    def route(self, requests: Sequence[Request], request_id: str) -> list[Decision]:
        """One decision for each request, in order: one script call and one POST per substation for all of them."""
        try:
            decisions = [Decision(placement) for placement in self._place(requests, request_id)]
        except LedgerUnavailable as error:
            failed = Decision(Placement(Outcome.UNAVAILABLE), str(error), not isinstance(error, NotAsked))
            decisions = [failed] * len(requests)
        self._count(requests, decisions)
        return decisions

    def cancel(self, session: str, request_id: str, *, abandoned: bool = False) -> SessionRecord | None:
        """Stop a session for its owner and free its watts: at once, or when its substation answers again.

        `abandoned`: also if the ledger does not know it, it must never start. None if it is not known and not
        abandoned. Raises LedgerUnavailable.
        """
        found = self._ledger.cancel(session, abandoned=abandoned)
        if found.state == "cancelling" and self._substations.stop(found.url, session, found.attempt, request_id):
            self._ledger.cancel(session, stopped=found.attempt)
        return self._ledger.session(session)

    def _place(self, requests: Sequence[Request], request_id: str) -> list[Placement]:
        with self._metrics.reserve.time():
            placements = self._ledger.reserve(requests)
        refused = self._post(requests, dict(enumerate(placements)), request_id)
        if refused:
            try:
                with self._metrics.reserve.time():
                    moved = self._ledger.move([(requests[i], placements[i]) for i in refused])
            except LedgerUnavailable as error:
                log.warning("%s sessions were refused, and move with the next heartbeat: %s", len(refused), error)
                return placements
            for i, placement in zip(refused, moved, strict=True):
                placements[i] = placement
            self._post(requests, {i: placements[i] for i in refused}, request_id)
        return placements

    def _post(self, requests: Sequence[Request], placements: Mapping[int, Placement], request_id: str) -> list[int]:
        """Post what is reserved to its substations; which of them refuse.

        Whatever goes wrong otherwise, they read of it in the reply to their next heartbeat.
        """
        groups: dict[str, list[int]] = defaultdict(list)
        for i, placement in placements.items():
            if placement.state == "reserved":
                groups[placement.url].append(i)

        def post(url: str) -> list[Started]:
            members = groups[url]
            orders = [_order(requests[i], placements[i]) for i in members]
            try:
                with self._metrics.forward.time():
                    answers = self._substations.charge(url, orders, request_id)
            except (NotSent, NoAnswer) as error:
                self._outliers.unanswered(placements[members[0]], not_sent=isinstance(error, NotSent))
                return [Started.UNKNOWN] * len(members)
            if set(answers) == {Started.UNKNOWN}:
                self._outliers.unanswered(placements[members[0]], not_sent=False)
            else:
                self._outliers.answered(placements[members[0]].substation)
            return answers

        # Side by side if there are several: a slow substation must not hold up the cars of the others.
        replies = list(self._pool.map(post, groups) if len(groups) > 1 else map(post, groups))
        answers = [
            pair for url, reply in zip(groups, replies, strict=True) for pair in zip(groups[url], reply, strict=True)
        ]
        for started, number in Counter(started for _, started in answers).items():
            self._metrics.orders.labels(self._ledger.zone, started.value).inc(number)
        return [i for i, started in answers if started is Started.NO]

    def _count(self, requests: Sequence[Request], decisions: Sequence[Decision]) -> None:
        for request, decision in zip(requests, decisions, strict=True):
            zone, outcome = self._ledger.zone, decision.placement.outcome
            self._metrics.placements.labels(zone, outcome, power_class(request.watts)).inc()
            self._metrics.placements_watts.labels(zone, outcome).inc(request.watts)


def _order(request: Request, placement: Placement) -> dict[str, Any]:
    fields = ("attempt", "substation", "epoch", "watts", "energy_wh")
    order = {name: getattr(placement, name) for name in fields}
    return {"session_id": request.session, "vehicle_id": request.vehicle, **order}
