"""A trace replayed under one of three orders of who gets the room."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from redis import Redis

from grid.ledger import Ledger, LedgerConfig, Request
from grid.ledger import Outcome as Decided
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
    protect_watts: Sequence[int] = (),
) -> Replayed:
    """Every visit on substations of these limits (W), in a zone named after the order; `on_step` as each one leaves.

    `protect_watts` as in Ledger.

    Who leaves takes what was delivered by then. Who had asked for more than fits the stay gets what fits at most.
    """
    visits = sorted(visits, key=lambda visit: visit.came_ms)
    clock = Clock(visits[0].came_ms / 1000)
    longest_line = 0 if order is Order.REFUSE else len(visits)
    ledger = Ledger(redis, order, LedgerConfig(longest_line=longest_line, protect=protect_watts), clock=clock.ms)
    ends: dict[str, tuple[str, End]] = {}
    turned_away: dict[str, Outcome] = {}

    def remember(substation: str, end: End) -> None:
        ends[end.session] = substation, end

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
            if session not in ends and session not in turned_away:
                grid.leave(session)
            on_step()
    served = [
        _served(visit, ends.get(str(number)), turned_away.get(str(number))) for number, visit in enumerate(visits)
    ]
    return Replayed(served, grid.carried())


def _request(session: str, visit: Visit, order: Order) -> Request:
    ready_by = _left_ms(visit) if order is Order.LEAST_LAXITY else None
    return Request(session, "car", _watts(visit), _asked_wh(visit), ready_by)


def _served(visit: Visit, ended: tuple[str, End] | None, turned_away: Outcome | None) -> Served:
    watts, asked_wh = _watts(visit), _asked_wh(visit)
    if ended is None:
        waited_s = 0.0 if turned_away else _stay_s(visit)
        return Served(visit, watts, asked_wh, 0, waited_s, "", turned_away or Outcome.NOTHING)
    substation, end = ended
    outcome = Outcome.MET if end.how == "finished" else Outcome.PART
    # To the ms: less is how far two floats are apart.
    waited_s = max(0.0, round(end.at - end.lasted_s - visit.came_ms / 1000, 3))
    return Served(visit, watts, asked_wh, end.delivered_wh, waited_s, substation, outcome)


def _watts(visit: Visit) -> int:
    return round(visit.car.power_kw * 1000)


def _asked_wh(visit: Visit) -> int:
    return round(visit.car.energy_kwh * 1000)


def _stay_s(visit: Visit) -> float:
    assert visit.car.stay_s is not None, "every visit of a trace has an end"
    return visit.car.stay_s


def _left_ms(visit: Visit) -> int:
    return visit.came_ms + round(_stay_s(visit) * 1000)
