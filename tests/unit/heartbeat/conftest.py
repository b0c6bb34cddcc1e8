"""A substation's heartbeats against a real ledger: what it tells, and what it does with the replies."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from fakeredis import FakeRedis

from grid.ledger import Ledger, LedgerUnavailable
from grid.ledger.records import Heartbeat, HeartbeatReply, Placement, Request, SubstationRecord
from substation.heartbeat import Heartbeats, Identity
from substation.meters import Meters
from substation.station import Order, Station

IDENTITY = Identity("one", "http://one", capacity=120_000, limit=100_000)
HOUR_S = 3_600
TTL_MS = 2_500


@dataclass
class Substation:
    """One start of substation `one`, on a ledger and a clock that outlive it."""

    redis: FakeRedis = field(default_factory=lambda: FakeRedis(decode_responses=True))
    seconds: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.redis, "default", clock=lambda: round(self.seconds * 1000))
        self.restart()

    def restart(self) -> None:
        self.station = Station(IDENTITY.limit, 1.0, clock=lambda: self.seconds)
        meters = Meters("default", IDENTITY.substation, IDENTITY.capacity, IDENTITY.limit)
        self.heartbeats = self.heartbeats_of(self.station, meters)

    def heartbeats_of(self, station: Station, meters: Meters) -> Heartbeats:
        """Those of this process, or of another one of the same name."""
        return Heartbeats(self.ledger, station, IDENTITY, meters, TTL_MS, lambda: self.seconds)

    def a_twin_registers(self) -> Heartbeats:
        twin = self.heartbeats_of(
            Station(IDENTITY.limit, 1.0), Meters("default", "one", IDENTITY.capacity, IDENTITY.limit)
        )
        twin.beat()
        return twin

    def beat(self) -> None:
        self.heartbeats.beat()

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    def reserve(self, session: str = "s", watts: int = 10_000) -> Placement:
        (placement,) = self.ledger.reserve([Request(session, "car", watts, 10_000)])
        return placement

    def start(self, session: str = "s", watts: int = 10_000) -> Placement:
        """Reserved in the ledger and started here, but not yet told."""
        placement = self.reserve(session, watts)
        self.station.charge([Order(session, placement.attempt, "car", watts, placement.energy_wh)])
        return placement

    def state(self, session: str = "s") -> str:
        record = self.ledger.session(session)
        return record.state if record else "unknown"

    def delivered(self, session: str = "s") -> int:
        record = self.ledger.session(session)
        return record.delivered_wh if record else -1

    @property
    def row(self) -> SubstationRecord:
        (row,) = self.ledger.grid()
        return row

    def charging(self) -> list[str]:
        return [charging.order.session for charging in self.station.snapshot().charging]

    def unreported(self) -> list[str]:
        return [end.session for end in self.station.snapshot().unreported]


@pytest.fixture
def one() -> Substation:
    return Substation()


@pytest.fixture
def sent(one: Substation, monkeypatch: pytest.MonkeyPatch) -> list[Heartbeat]:
    """Every heartbeat, as it was sent."""
    heartbeats: list[Heartbeat] = []
    send = one.ledger.heartbeat

    def remembered(beat: Heartbeat) -> HeartbeatReply:
        heartbeats.append(beat)
        return send(beat)

    monkeypatch.setattr(one.ledger, "heartbeat", remembered)
    return heartbeats


Send = Callable[[Heartbeat], HeartbeatReply]


def lose_the_heartbeat(send: Send) -> Send:
    def lost(beat: Heartbeat) -> HeartbeatReply:
        raise LedgerUnavailable("timed out")

    return lost


def lose_the_reply(send: Send) -> Send:
    def lost(beat: Heartbeat) -> HeartbeatReply:
        send(beat)
        raise LedgerUnavailable("timed out")

    return lost
