"""A trace replayed under one of three orders of who gets the room."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Outcome as Decided
from grid.ledger.records import Request
from loadtest.replay.satisfaction import Carried, Outcome, Served
from loadtest.replay.virtual import Clock, VirtualGrid
from loadtest.trace import Visit
from substation.station import End

# At the same instant, who leaves makes room before anybody asks.
LEAVES, ASKS = 0, 1
TURNED_AWAY = {Decided.FULL: Outcome.REFUSED, Decided.TOO_BIG: Outcome.TOO_BIG}


class Order(StrEnum):
    REFUSE = "refuse"
    """Nobody waits (LONGEST_LINE=0)."""
    ARRIVAL = "arrival"
    """First come, first served: nobody says when they leave."""
    LEAST_LAXITY = "least-laxity"
    """By the latest time to begin: everybody's ready_by is when they leave."""


@dataclass(frozen=True)
class Replayed:
    """Everybody in the order of their arrival."""

    served: list[Served]
    carried: list[Carried]


def replay(
    visits: Sequence[Visit],
    limits: Sequence[int],
    order: Order,
    redis: Redis,
    on_step: Callable[[], None] = lambda: None,
    config: LedgerConfig | None = None,
) -> Replayed:
    """Every visit on substations of these limits (W), in a zone named after the order; `on_step` as each one leaves.

    `config` is the ledger's, but for the length of the queue, which the order says.

    Who leaves takes what was delivered by then. Who had asked for more than fits the stay gets what fits at most.
    """
    visits = sorted(visits, key=lambda visit: visit.came_ms)
    clock = Clock(visits[0].came_ms / 1000)
    longest_line = 0 if order is Order.REFUSE else len(visits)
    config = replace(config or LedgerConfig(), longest_line=longest_line)
    ledger = Ledger(redis, order, config, clock=clock.ms)
    ends: defaultdict[str, list[tuple[str, End]]] = defaultdict(list)
    turned_away: dict[str, Outcome] = {}

    def remember(substation: str, end: End) -> None:
        ends[end.session].append((substation, end))

    grid = VirtualGrid(ledger, limits, clock, remember)
    events = [(visit.came_ms, ASKS, number) for number, visit in enumerate(visits)]
    while events:
        at_ms, what, number = heapq.heappop(events)
        grid.advance(at_ms)
        session = str(number)
        if what == ASKS:
            decided = grid.ask(_request(session, visits[number], order))
            if decided in TURNED_AWAY:
                turned_away[session] = TURNED_AWAY[decided]
            heapq.heappush(events, (_left_ms(visits[number]), LEAVES, number))
        else:
            if not _is_met(ends[session]) and session not in turned_away:
                grid.leave(session)
            on_step()
    served = [_served(visit, ends[str(number)], turned_away.get(str(number))) for number, visit in enumerate(visits)]
    return Replayed(served, grid.carried())


def _request(session: str, visit: Visit, order: Order) -> Request:
    ready_by = _left_ms(visit) if order is Order.LEAST_LAXITY else None
    return Request(session, "car", _watts(visit), _asked_wh(visit), ready_by)


def _is_met(ends: Sequence[tuple[str, End]]) -> bool:
    return bool(ends) and ends[-1][1].how == "finished"


def _served(visit: Visit, ends: Sequence[tuple[str, End]], turned_away: Outcome | None) -> Served:
    """`ends`: of each attempt, in order."""
    watts, asked_wh = _watts(visit), _asked_wh(visit)
    if not ends:
        waited_s = 0.0 if turned_away else _stay_s(visit)
        return Served(visit, watts, asked_wh, 0, waited_s, "", turned_away or Outcome.NOTHING, 0)
    _, first = ends[0]
    substation, _ = ends[-1]
    # To the ms: less is how far two floats are apart.
    waited_s = max(0.0, round(first.at - first.lasted_s - visit.came_ms / 1000, 3))
    outcome = Outcome.MET if _is_met(ends) else Outcome.PART
    delivered_wh = sum(end.delivered_wh for _, end in ends)
    interruptions = sum(end.how == "stopped" for _, end in ends)
    return Served(visit, watts, asked_wh, delivered_wh, waited_s, substation, outcome, interruptions)


def _watts(visit: Visit) -> int:
    return round(visit.car.power_kw * 1000)


def _asked_wh(visit: Visit) -> int:
    return round(visit.car.energy_kwh * 1000)


def _stay_s(visit: Visit) -> float:
    assert visit.car.stay_s is not None, "every visit of a trace has an end"
    return visit.car.stay_s


def _left_ms(visit: Visit) -> int:
    return visit.came_ms + round(_stay_s(visit) * 1000)
