"""What preemption promises over hours: no session starves, and no two take turns."""

from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Grant, Request

from ..conftest import Clock, Substation, Zone
from .conftest import HOUR_MS

MINUTE_MS = 60_000
BIG_WH = 900_000
"""More than charges in a day at 10 kW."""


class Hub:
    """A substation whose sessions really charge, on the clock of the test."""

    def __init__(self, zone: Zone, limit: int) -> None:
        self._clock = zone.clock
        self._substation: Substation = zone.substation("hub", limit)
        self.running: dict[str, tuple[int, Grant]] = {}

    def serve(self) -> set[str]:
        """Heartbeats until nothing is stopped or started any more; what was started."""
        started = set()
        for session, (_, grant) in list(self.running.items()):
            if self._delivered_wh(session) >= grant.energy_wh:
                self._end(session, "finished")
        for _ in range(100):
            reply = self._substation.beat()
            for stop in reply.stops:
                self._end(stop.session, "stopped")
            for grant in reply.grants:
                self.running[grant.session] = self._clock.now, grant
            started |= set(self._substation.starts_what_it_was_given(reply))
            if not reply.grants and not reply.stops:
                return started
        raise AssertionError("it never comes to rest")

    def _end(self, session: str, how: str) -> None:
        delivered_wh = self._delivered_wh(session)
        _, grant = self.running.pop(session)
        self._substation.ends(session, how, delivered_wh, grant.attempt)

    def _delivered_wh(self, session: str) -> int:
        since, grant = self.running[session]
        return min(grant.energy_wh, (self._clock.now - since) * grant.watts // HOUR_MS)


def test_no_two_sessions_swap_more_often_than_every_two_slacks(redis: Redis) -> None:
    """Each of them wants the whole substation, for longer than a day."""
    swaps = count()

    @settings(max_examples=5, deadline=None)
    @given(
        st.sampled_from([30 * MINUTE_MS, HOUR_MS]),
        st.lists(st.integers(-3, 6), min_size=2, max_size=2),
        st.integers(0, 59),
    )
    def check(slack: int, laxities: list[int], apart: int) -> None:
        redis.flushall()
        clock = Clock()
        zone = Zone(redis, Ledger(redis, "default", LedgerConfig(preemption_slack=slack), clock=clock), clock)
        hub = Hub(zone, 10_000)
        takes = HOUR_MS * BIG_WH // 10_000
        for number, laxity in enumerate(laxities):
            ready_by = clock.now + takes + laxity * HOUR_MS
            zone.ledger.reserve([Request(f"s{number}", "car", 10_000, BIG_WH, ready_by)])
            clock.advance(apart * MINUTE_MS)
        hub.serve()
        swapped_at = []
        for _ in range(24 * 6):
            clock.advance(10 * MINUTE_MS)
            if hub.serve():
                swapped_at.append(clock.now)
                next(swaps)
            assert len(hub.running) == 1
        assert all(later - earlier >= 2 * slack for earlier, later in pairwise(swapped_at))
        zone.assert_consistent()

    check()
    assert next(swaps) > 5, "else nothing was tried"


@pytest.mark.parametrize(("watts", "ahead"), [(7_000, 0), (7_000, 60), (3_700, 0)])
def test_a_350_kw_request_among_a_stream_of_small_ones_starts_within_the_bound(
    zone: Zone, watts: int, ahead: int
) -> None:
    """One slack after the last of those has begun whose latest start is at most one slack after its own."""
    patience, slack, beat = 600_000, 1_200_000, 20_000
    config = LedgerConfig(patience=patience, preemption_slack=slack)
    zone.ledger = Ledger(zone.redis, "default", config, clock=zone.clock)
    hub = Hub(zone, 400_000)
    energy_wh = watts // 2
    zone.ledger.reserve([Request(f"s{number}", "car", watts, energy_wh) for number in range(400_000 // watts)])
    hub.serve()
    zone.ledger.reserve([Request(f"before {number}", "car", watts, energy_wh) for number in range(ahead)])
    zone.reserve("truck", 350_000)
    latest_start = zone.clock.now + patience
    begun = latest_start + slack
    while "truck" not in hub.running:
        assert zone.clock.now <= begun + slack + beat
        zone.clock.advance(beat)
        zone.ledger.reserve([Request(f"at {zone.clock.now}", "car", watts, energy_wh)])
        for session in hub.serve():
            if session != "truck" and zone.records()[session]["latest"] < latest_start + slack:
                begun = max(begun, zone.clock.now)
    assert zone.clock.now > latest_start, "until then smaller ones pass"
