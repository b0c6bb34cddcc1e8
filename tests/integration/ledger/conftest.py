"""A small grid made of nothing but heartbeats, on a clock that the test moves."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from redis import Redis

from grid.ledger import Ledger
from grid.ledger.keys import key
from grid.ledger.records import Ended, Heartbeat, HeartbeatReply, Listed, Placement, Request

# The ledger's defaults: what a test must wait for.
HEARTBEAT_TTL_MS, LOST_MS = 2_500, 1_300
PATIENCE_MS, GIVE_UP_MS, RETENTION_MS = 1_800_000, 43_200_000, 900_000
PRIORITY_SHIFT_MS = 7_200_000
PREEMPTION_SLACK_MS, MIN_RUN_MS = 1_800_000, 900_000
SLACK_OFFSET = 10**14
HOLDS_WATTS = ("reserved", "charging", "cancelling", "superseded")


@dataclass
class Clock:
    now: int = 1_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def advance(self, ms: int) -> None:
        self.now += ms


@dataclass
class Substation:
    """Heartbeats by hand: `runs` and `ended` are what the next one says.

    `hears`: whether it reads the replies. `other_watts`: what it carries besides, unknown to the ledger.
    """

    ledger: Ledger
    name: str
    limit: int
    epoch: int = 0
    number: int = 0
    runs: list[Listed] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    acknowledged: int = 0
    hears: bool = True
    other_watts: int = 0

    def beat(self, state: str = "up", number: int | None = None) -> HeartbeatReply:
        self.number = self.number + 1 if number is None else number
        drawn = sum({listed.session: listed.watts for listed in self.runs}.values())
        reply = self.ledger.heartbeat(
            Heartbeat(
                substation=self.name,
                url=f"http://{self.name}",
                epoch=self.epoch,
                number=self.number,
                capacity=self.limit,
                limit=self.limit,
                acknowledged=self.acknowledged,
                could_take=self.limit - drawn - self.other_watts,
                state=state,
                sessions=self.runs,
                ended=self.ended,
            )
        )
        if self.hears:
            self.acknowledged = self.number
        if reply.outcome == "registered":
            self.epoch = reply.epoch
            return self.beat(state)
        if reply.outcome == "ok" and self.hears:
            self.ended = []
        return reply

    def ask_for_an_epoch(self) -> None:
        """As a substation does that has just started, and then is not heard of again."""
        self.ledger.heartbeat(Heartbeat(self.name, f"http://{self.name}", 0, 1, self.limit, self.limit, 0, self.limit))

    def starts_what_it_was_given(self, reply: HeartbeatReply) -> list[str]:
        """Runs every grant of the reply; their names."""
        for grant in reply.grants:
            self.runs.append(Listed(grant.session, grant.attempt, grant.watts, grant.energy_wh, 0, grant.vehicle))
        return [grant.session for grant in reply.grants]

    def starts(self, session: str, watts: int = 11_000, attempt: int = 1, delivered_wh: int = 0) -> None:
        self.runs.append(Listed(session, attempt, watts, 10_000, delivered_wh, "car"))

    def ends(
        self, session: str, how: str = "finished", delivered_wh: int = 10_000, attempt: int = 1, highest: int = 0
    ) -> None:
        self.runs = [listed for listed in self.runs if listed.session != session]
        self.ended.append(Ended(session, attempt, how, delivered_wh, max(attempt, highest)))

    def never_starts(self, session: str, attempt: int = 1, highest: int = 0) -> None:
        self.ends(session, "never_started", 0, attempt, highest)

    def restarts(self) -> None:
        self.epoch, self.number, self.runs, self.ended, self.acknowledged = 0, 0, [], [], 0


@dataclass
class Zone:
    """`is_exact`: each substation could take what the ledger thinks it could."""

    redis: Redis
    ledger: Ledger
    clock: Clock
    is_exact: bool = True

    def substation(self, name: str, limit: int) -> Substation:
        substation = Substation(self.ledger, name, limit)
        assert substation.beat().outcome == "ok"
        return substation

    def reserve(
        self,
        session: str,
        watts: int = 11_000,
        ready_by: int | None = None,
        priority: str = "normal",
    ) -> Placement:
        (placement,) = self.ledger.reserve([Request(session, "car", watts, 10_000, ready_by, priority)])
        return placement

    def move(self, refused: Placement, session: str = "s", watts: int = 11_000) -> Placement:
        """Its substation has refused it."""
        (placement,) = self.ledger.move([(Request(session, "car", watts, 10_000), refused)])
        return placement

    def cancel(self, session: str) -> str:
        """By its owner, and its substation has stopped it at once; its state afterwards."""
        cancelled = self.ledger.cancel(session)
        return self.ledger.cancel(session, stopped=cancelled.attempt).state

    def everybody_is_lost(self) -> None:
        """No heartbeat comes for so long that no substation is counted on any more."""
        for wait in (HEARTBEAT_TTL_MS, LOST_MS):
            self.clock.advance(wait)
            self.ledger.sweep()

    def state(self, session: str) -> str:
        record = self.ledger.session(session)
        return record.state if record else "unknown"

    def committed(self, name: str) -> int:
        return int(self.redis.hget(key("default", "committed"), name) or 0)

    def size(self) -> int:
        return int(self.redis.dbsize())

    def records(self) -> dict[str, dict[str, Any]]:
        """Every session as its record is kept."""
        return {name: json.loads(text) for name, text in self._hash("sessions").items()}

    def line(self) -> list[str]:
        """Who waits, in order."""
        return cast(list[str], self.redis.zrange(key("default", "waiting"), 0, -1))

    def assert_consistent(self) -> None:
        """Committed is the sum of the records that hold watts, and the indexes and counts say the same."""
        held: Counter[str] = Counter()
        states: Counter[str] = Counter()
        members, by_slack = set(), set()
        for name, record in self.records().items():
            states[record["state"]] += 1
            if record["state"] in HOLDS_WATTS:
                held[record["substation"]] += record["watts"]
                assert ("slack" in record) == (record["state"] == "charging" and "preempted" not in record)
                charges = f"|{record['epoch']}.{record['attempt']}" if "slack" in record else ""
                members.add(f"{record['substation']}|{name}{charges}")
                if "slack" in record:
                    slack = max(0, record["slack"] + SLACK_OFFSET)
                    facts = (
                        f"{record['watts']}|{record['since']}|{'e' if record.get('priority') == 'emergency' else 'n'}"
                    )
                    by_slack.add(f"{record['substation']}|{slack:015d}|{facts}|{name}")
        committed = {name: int(watts) for name, watts in self._hash("committed").items() if int(watts)}
        assert committed == dict(held)
        assert set(self._scores("by_substation")) == members
        assert set(self._scores("by_slack")) == by_slack
        assert {state: int(number) for state, number in self._hash("states").items()} == dict(states)
        limits = self._scores("limit")
        substations = {name: json.loads(text) for name, text in self._hash("substations").items()}
        ejected = cast(set[str], self.redis.smembers(key("default", "ejected")))
        up = {name for name, about in substations.items() if about["state"] == "up"} - ejected
        room = {name: limits[name] - held[name] for name in up}
        headroom = self._scores("headroom")
        assert set(headroom) == up
        assert all(headroom[name] <= room[name] for name in up)
        assert headroom == room or not self.is_exact
        assert self._scores("load") == {name: held[name] / limits[name] for name in up}
        line = {name: record for name, record in self.records().items() if record["state"] == "waiting"}
        latest = {name: self.latest_start(name, record) for name, record in line.items()}
        assert self._scores("waiting") == latest
        by_power = [member.split("|", 2) for member in self._scores("waiting_by_power")]
        assert {session: int(start) for _, start, session in by_power} == latest

    def latest_start(self, name: str, record: dict[str, Any]) -> int:
        """Later by the time that its present attempt charged at full power."""
        delivered_wh = int(self._hash("delivered").get(name, 0))
        return int(record["latest"] - -delivered_wh * 3_600_000 // record["watts"])

    def _hash(self, name: str) -> dict[str, str]:
        return cast(dict[str, str], self.redis.hgetall(key("default", name)))

    def _scores(self, name: str) -> dict[str, float]:
        pairs = cast(list[tuple[str, float]], self.redis.zrange(key("default", name), 0, -1, withscores=True))
        return dict(pairs)


@pytest.fixture
def zone(redis: Redis) -> Iterator[Zone]:
    """An empty zone; when the test is done, its ledger must still add up."""
    clock = Clock()
    zone = Zone(redis, Ledger(redis, "default", clock=clock), clock)
    yield zone
    zone.assert_consistent()


@pytest.fixture
def one(zone: Zone) -> Substation:
    """A substation of 100 kW, up."""
    return zone.substation("one", 100_000)
