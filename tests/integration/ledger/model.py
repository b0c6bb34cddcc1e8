"""A storm is made of these: feeders and heartbeats on wires that lose, delay and double, and a witness of the line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from balancer.substation import Started, SubstationClient
from grid.http import NoAnswer, NotSent
from grid.ledger import Ledger, LedgerUnavailable
from grid.ledger.records import Heartbeat, HeartbeatReply
from substation.admission import admit
from substation.heartbeat import Heartbeats, Identity
from substation.meters import Meters
from substation.schemas import ChargeOrder
from substation.station import Station, Verdict

from .conftest import HEARTBEAT_TTL_MS, Clock, Zone

LIMITS = {"a": 50_000, "b": 100_000, "c": 360_000}
DELIVERED, ANSWER_LOST, LATE, LOST, DOUBLED = "delivered", "answer lost", "late", "lost", "doubled"
DYING = "balancer dies"


def about(watts: int) -> int:
    """Rounded up to two digits: of those who need about the same, the line looks at the first only."""
    step = int(10 ** max(0, len(str(watts)) - 2))
    return -(-watts // step) * step


class BalancerDied(Exception):
    pass


@dataclass
class HeartbeatWire:
    """Between a substation and the ledger."""

    ledger: Ledger
    fate: str = DELIVERED
    outcome: str = ""
    late: list[Heartbeat] = field(default_factory=list)

    def heartbeat(self, beat: Heartbeat) -> HeartbeatReply:
        if self.fate == LATE:
            self.late.append(beat)
        if self.fate in (LATE, LOST):
            raise LedgerUnavailable(self.fate)
        reply = self.ledger.heartbeat(beat)
        if self.fate == DOUBLED:
            reply = self.ledger.heartbeat(beat)
        self.outcome = reply.outcome
        if self.fate == ANSWER_LOST:
            raise LedgerUnavailable(self.fate)
        return reply


class Substation:
    """A real feeder with its real heartbeat; `incarnation` is the process, which can be replaced."""

    def __init__(self, name: str, wire: HeartbeatWire, clock: Clock) -> None:
        self.name, self.wire, self._clock = name, wire, clock
        self.start()

    def start(self) -> None:
        limit = LIMITS[self.name]
        self.alive = True
        self.station = Station(limit, 1.0, clock=self._seconds)
        self.identity = Identity(self.name, f"http://{self.name}", limit, limit)
        meters = Meters("default", self.name, limit, limit)
        self.heartbeats = Heartbeats(
            self.wire,  # type: ignore[arg-type]
            self.station,
            self.identity,
            meters,
            HEARTBEAT_TTL_MS,
            self._seconds,
        )

    def _seconds(self) -> float:
        return self._clock.now / 1000

    def beat(self, fate: str = DELIVERED) -> None:
        self.wire.fate = fate
        self.station.finish_due()
        try:
            self.heartbeats.beat()
        except LedgerUnavailable as error:
            if error.args[0] not in (LATE, LOST, ANSWER_LOST):  # a script failed
                raise

    def post(self, orders: Sequence[dict[str, Any]]) -> list[Started]:
        """POST /charge as substation/routes.py answers it."""
        received = [ChargeOrder.model_validate(order) for order in orders]
        verdicts = admit(received, self.identity, self.heartbeats, self.heartbeats.epoch, self.station)
        return [_ANSWERS.get(verdict, Started.NO) for verdict in verdicts]

    @property
    def drawn(self) -> int:
        return self.station.snapshot().drawn if self.alive else 0

    @property
    def charging(self) -> set[str]:
        return {charging.order.session for charging in self.station.snapshot().charging} if self.alive else set()


_ANSWERS = {
    **dict.fromkeys((Verdict.STARTED, Verdict.CHARGING, Verdict.FINISHED), Started.YES),
    Verdict.OUT_OF_TOUCH: Started.UNKNOWN,
}


class Wires(SubstationClient):
    """Between a balancer and the substations. Late POSTs are kept, to arrive whenever Hypothesis likes."""

    def __init__(self, substations: dict[str, Substation]) -> None:
        self._substations = substations
        self.fate = DELIVERED
        self.refusals = 0
        self.late: list[tuple[str, list[dict[str, Any]]]] = []

    def charge(self, url: str, orders: Sequence[dict[str, Any]], request_id: str) -> list[Started]:
        name = url.removeprefix("http://")
        substation = self._substations[name]
        fate, self.fate = self.fate, DELIVERED  # only the first try of a request has bad luck
        if fate == LATE:
            self.late.append((name, list(orders)))
        if fate == DYING:
            raise BalancerDied
        if fate in (LATE, LOST):
            raise NoAnswer(fate)
        if not substation.alive:
            raise NotSent(name)
        answers = substation.post(orders)
        if fate == ANSWER_LOST:
            raise NoAnswer(fate)
        self.refusals += answers.count(Started.NO)
        return answers

    def stop(self, url: str, session: str, attempt: int, request_id: str) -> bool:
        substation = self._substations.get(url.removeprefix("http://"))
        if self.fate != DELIVERED or substation is None or not substation.alive:
            return False
        substation.station.cancel(session, attempt)
        return True


class Line:
    """Who waits before a call of the ledger, to be compared with who waits after it."""

    def __init__(self, zone: Zone, charging: set[str]) -> None:
        self._zone = zone
        self._charging = charging
        self._before = zone.records()
        self.waiting = {name for name, record in self._before.items() if record["state"] == "waiting"}

    def assert_nobody_was_overtaken(self) -> None:
        """By one that got room in between and is no smaller: who was there before counts, whoever is new comes last.

        Of what charged already the ledger may just hear again.
        """
        after = self._zone.records()
        still = [(name, after[name]) for name in self.waiting if after.get(name, {}).get("state") == "waiting"]
        for name, got in after.items():
            before = self._before.get(name, {"attempt": 0})
            got_room = got["state"] == "reserved" and got["attempt"] != before["attempt"]
            if not got_room or name in self._charging:
                continue
            for other, record in still:
                if self._zone.latest_start(other, record) < got["latest"]:
                    assert about(record["watts"]) > about(got["watts"]), f"{other} waits, and {name} got its room"
