"""Everything that can go wrong, in any order, against the real scripts, the real dispatcher and real feeders.

Hypothesis chooses the steps. Only the wires are made up (model.py): they lose, delay and double what goes over them.
After every step the ledger adds up, covers what really runs, and no substation is above its limit; and when the
storm is over, every watt is back and every session that was accepted charges, or has finished, or waits because there
is no room for it, or has expired. Nobody who waits is overtaken but for the reasons that the line has.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from balancer.dispatch import Dispatcher
from balancer.sweeper import Sweeper
from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Outcome, Request

from .conftest import Clock, Zone
from .model import (
    ANSWER_LOST,
    DELIVERED,
    DOUBLED,
    DYING,
    LATE,
    LIMITS,
    LOST,
    BalancerDied,
    HeartbeatWire,
    Line,
    Substation,
    Wires,
    about,
)

WATTS = st.sampled_from([3_000, 7_305, 7_360, 11_000, 22_000, 50_000, 150_000, 350_000])
ENERGY = st.sampled_from([100, 2_000, 60_000])
WITHIN = st.sampled_from([None, None, 600_000, 86_400_000])
PRIORITIES = st.sampled_from(["normal", "normal", "emergency", "flexible"])
PREEMPTION_SLACKS = st.sampled_from([60_000, 1_800_000])
PROTECTED = st.sampled_from([(), (150_000, 50_000, 22_000)])
NAMES = st.sampled_from(sorted(LIMITS))
POSTS = st.sampled_from([DELIVERED] * 4 + [ANSWER_LOST, LATE, LOST, DYING])
BEATS = st.sampled_from([DELIVERED] * 4 + [ANSWER_LOST, LATE, LOST, DOUBLED])


class Storm(RuleBasedStateMachine):
    """`accepted`: answered yes, and neither cancelled since nor forgotten by Redis; `at_risk`: forgotten, and not yet
    told to it again by a heartbeat."""

    redis: Redis
    pool: ThreadPoolExecutor
    storms = 0
    steps = 0
    preempted = 0

    @initialize(protect=PROTECTED, preemption_slack=PREEMPTION_SLACKS, is_full=st.booleans())
    def calm(self, protect: tuple[int, ...], preemption_slack: int, is_full: bool) -> None:
        self.redis.flushall()
        self.clock = Clock()
        never = 10**12  # nothing is forgotten
        config = LedgerConfig(retention=never, protect=protect, preemption_slack=preemption_slack)
        ledger = Ledger(self.redis, "default", config, clock=self.clock)
        self.zone = Zone(self.redis, ledger, self.clock, is_exact=False)
        self.substations = {name: Substation(name, HeartbeatWire(ledger), self.clock) for name in LIMITS}
        self.wires = Wires(self.substations)
        self.dispatcher = Dispatcher(ledger, self.wires, self.pool)
        self.sweeper = Sweeper(ledger)
        self.accepted: set[str] = set()
        self.at_risk: set[str] = set()
        self.cancelled: set[str] = set()
        self.cancel_forgotten: set[str] = set()
        self.requests: dict[str, Request] = {}
        self.forgotten = False
        self.image: dict[str, bytes] | None = None
        for substation in self.substations.values():
            substation.beat()
        Storm.storms += 1
        if is_full:
            self.an_urgent_session_comes_when_patient_ones_fill_the_grid(22_000, DELIVERED)

    # Drivers

    @rule(watts=WATTS, energy_wh=ENERGY, within_ms=WITHIN, priority=PRIORITIES, fate=POSTS)
    def ask(self, watts: int, energy_wh: int, within_ms: int | None, priority: str, fate: str) -> None:
        session = f"s{len(self.requests)}"
        ready_by = None if within_ms is None else self.clock.now + within_ms
        self.requests[session] = Request(session, "car", watts, energy_wh, ready_by, priority)
        self._route(session, fate)

    @rule(watts=WATTS, fate=BEATS)
    def an_urgent_session_comes_when_patient_ones_fill_the_grid(self, watts: int, fate: str) -> None:
        """They have charged for more than a quarter of an hour, and could begin days later."""
        for row in self.zone.ledger.grid():
            if row.state == "up" and row.headroom >= 3_000:
                session, ready_by = f"s{len(self.requests)}", self.clock.now + 5 * 86_400_000
                self.requests[session] = Request(session, "car", row.headroom, 500_000, ready_by)
                self._route(session, DELIVERED)
        alive = [substation for substation in self.substations.values() if substation.alive]
        for ms in (0, 1_000_000):
            self.clock.advance(ms)
            for substation in alive:
                self._beat(substation)
        self.ask(watts, 2_000, None, "emergency", DELIVERED)
        for substation in alive:
            self._beat(substation, fate)

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), fate=POSTS)
    def ask_again(self, data: st.DataObject, fate: str) -> None:
        self._route(data.draw(st.sampled_from(sorted(self.requests))), fate)

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), fate=st.sampled_from([DELIVERED, LOST]))
    def cancel(self, data: st.DataObject, fate: str) -> None:
        session = data.draw(st.sampled_from(sorted(self.requests)))
        self.wires.fate = fate
        if self.dispatcher.cancel(session, "x") is not None:
            self.accepted.discard(session)
            self.at_risk.discard(session)
            self.cancelled.add(session)
        self.wires.fate = DELIVERED

    @rule()
    def give_up(self) -> None:
        """What the api does for a driver who was told of errors only. His request may still be on its way."""
        session = f"s{len(self.requests)}"
        self.requests[session] = Request(session, "car", 11_000, 2_000)
        self.dispatcher.cancel(session, "x", abandoned=True)
        self.cancelled.add(session)

    def _route(self, session: str, fate: str) -> None:
        line, refusals = Line(self.zone, self._charging), self.wires.refusals
        with self._balancer_has(fate):
            (decision,) = self.dispatcher.route([self.requests[session]], "x")
            outcome = decision.placement.outcome
            assert outcome is not Outcome.UNAVAILABLE, decision.cause
            if outcome in (Outcome.PLACED, Outcome.WAITING):
                self.accepted.add(session)
            if outcome is Outcome.WAITING and self.wires.refusals == refusals and session not in line.waiting:
                watts = self.requests[session].watts
                ahead = {about(self.requests[other].watts) for other in line.waiting}
                assert watts > self._most_room() or about(watts) in ahead, "waits though there is room"
        line.assert_nobody_was_overtaken()

    @contextmanager
    def _balancer_has(self, fate: str) -> Iterator[None]:
        self.wires.fate = fate
        with suppress(BalancerDied):
            yield
        self.wires.fate = DELIVERED

    @property
    def _charging(self) -> set[str]:
        return {session for substation in self.substations.values() for session in substation.charging}

    def _most_room(self) -> int:
        return max((row.headroom for row in self.zone.ledger.grid()), default=0)

    # Wires

    @rule(name=NAMES, fate=BEATS)
    def heartbeat(self, name: str, fate: str) -> None:
        if self.substations[name].alive:
            self._beat(self.substations[name], fate)

    def _beat(self, substation: Substation, fate: str = DELIVERED) -> None:
        line = Line(self.zone, self._charging)
        substation.beat(fate)
        line.assert_nobody_was_overtaken()
        if fate == DELIVERED and substation.wire.outcome == "ok":
            for session in self.zone.line():
                assert about(self.zone.records()[session]["watts"]) > self._most_room(), f"{session} waits"
            self.accepted |= self.at_risk & substation.charging
            self.at_risk -= self.accepted

    @precondition(lambda self: self.wires.late)
    @rule(data=st.data(), twice=st.booleans())
    def a_late_post_arrives(self, data: st.DataObject, twice: bool) -> None:
        name, orders = self.wires.late.pop(data.draw(st.integers(0, len(self.wires.late) - 1)))
        for _ in range(1 + twice):
            if self.substations[name].alive:
                self.substations[name].post(orders)

    @rule(name=NAMES)
    def a_late_heartbeat_arrives(self, name: str) -> None:
        wire = self.substations[name].wire
        if wire.late:
            wire.ledger.heartbeat(wire.late.pop(0))

    # Time and faults

    @rule(ms=st.sampled_from([1, 300, 1_000, 4_000, 40_000, 1_000_000]))
    def time_passes(self, ms: int) -> None:
        self.clock.advance(ms)

    @rule()
    def sweep(self) -> None:
        self.sweeper.sweep()

    @rule(name=NAMES)
    def a_substation_dies(self, name: str) -> None:
        self.substations[name].alive = False

    @rule(name=NAMES)
    def a_substation_restarts(self, name: str) -> None:
        self.substations[name].start()
        self._beat(self.substations[name])

    @rule()
    def redis_is_wiped(self) -> None:
        self.redis.flushall()
        self._redis_forgot()

    @rule()
    def an_image_of_redis_is_kept(self) -> None:
        self.image = {name: self.redis.dump(name) for name in self.redis.scan_iter()}  # type: ignore[misc]

    @precondition(lambda self: self.image is not None)
    @rule()
    def redis_is_rolled_back(self) -> None:
        self.redis.flushall()
        for name, value in (self.image or {}).items():
            self.redis.restore(name, 0, value)
        self._redis_forgot()

    def _redis_forgot(self) -> None:
        self.forgotten = True
        self.at_risk |= self.accepted
        self.accepted = set()
        self.cancel_forgotten |= self.cancelled
        self.cancelled = set()

    # What holds at any time

    @invariant()
    def no_substation_is_above_its_limit(self) -> None:
        Storm.steps += 1
        for name, substation in self.substations.items():
            snapshot = substation.station.snapshot()
            assert snapshot.peak <= LIMITS[name]
            assert snapshot.overload_s == 0

    @invariant()
    def the_ledger_adds_up(self) -> None:
        self.zone.assert_consistent()

    @invariant()
    def the_ledger_covers_what_runs_and_promises_no_more_than_there_is(self) -> None:
        if self.forgotten:
            return
        for row in self.zone.ledger.grid():
            assert row.committed <= row.limit
            if row.state == "up" and self.substations[row.substation].heartbeats.epoch == row.epoch:
                assert self.substations[row.substation].drawn <= row.committed

    # When the storm is over

    def teardown(self) -> None:
        if not hasattr(self, "zone"):
            return
        self._calm_down()
        self.the_ledger_adds_up()
        Storm.preempted += sum(record.get("interrupted_by") == "preempted" for record in self.zone.records().values())
        for row in self.zone.ledger.grid():
            assert row.committed == self.substations[row.substation].drawn, "watts unaccounted for"
        for session in sorted(self.accepted):
            state = self.zone.state(session)
            no_room = about(self.requests[session].watts) > self._most_room()
            too_late = self.clock.now >= (self.requests[session].ready_by or 10**15)
            assert (
                state in ("charging", "finished")
                or (state == "waiting" and no_room)
                or (state == "expired" and too_late)
                or (state == "cancelled" and session in self.cancel_forgotten)
            ), f"{session}: {state}"
            if state == "finished" and not self.forgotten:
                record = self.zone.ledger.session(session)
                assert record is not None
                assert record.delivered_wh == self.requests[session].energy_wh, f"{session} got another energy"
        for session in sorted(self.cancelled):
            assert self.zone.state(session) in ("cancelled", "finished", "expired"), f"{session} was cancelled"
        runs_at = [session for substation in self.substations.values() for session in substation.charging]
        assert len(runs_at) == len(set(runs_at)), "a car charges at two places"
        assert not self.cancelled & set(runs_at), "a cancelled car charges"

    def _calm_down(self) -> None:
        """Everybody is up and heard, again and again, until every deadline has passed but that of ended sessions."""
        for substation in self.substations.values():
            if not substation.alive:
                substation.start()
        for _ in range(5):
            self.clock.advance(4_000)
            for substation in self.substations.values():
                self._beat(substation)
            self.sweeper.sweep()
        for _ in range(2):  # what one is given in the first round, it starts in the second
            for substation in self.substations.values():
                self._beat(substation)


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_no_storm_overloads_a_substation_or_loses_a_watt_or_a_session(
    redis_server_url: str, pool: ThreadPoolExecutor
) -> None:
    # Without decoding: an image of Redis is bytes. The ledger gets a client that decodes.
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        Storm.redis, Storm.pool = redis, pool
        run_state_machine_as_test(Storm)
    print(f"{Storm.steps:,} steps in {Storm.storms:,} storms; {Storm.preempted:,} sessions preempted, none lost")
    assert Storm.preempted, "else preemption was not tried"
