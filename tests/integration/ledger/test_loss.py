"""Substations that restart or fall silent, and what becomes of the cars that charged there."""

import pytest

from grid.ledger import Cancel, Outcome, Request

from .conftest import HEARTBEAT_TTL_MS, LOST_MS, RETENTION_MS, Substation, Zone


class TestRestart:
    def test_a_new_epoch_ends_what_the_old_one_carried_and_it_is_given_to_it_again(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=4_000)
        one.beat()
        zone.reserve("t")  # reserved for the old epoch, never started
        one.restarts()
        reply = one.beat()
        assert reply.epoch == 2
        assert [(grant.session, grant.attempt, grant.energy_wh) for grant in reply.grants] == [
            ("s", 2, 6_000),
            ("t", 2, 10_000),
        ]
        assert zone.committed("one") == 22_000

    def test_what_was_delivered_before_and_after_adds_up(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=4_000)
        one.beat()
        one.restarts()
        one.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.state, record.delivered_wh) == ("reserved", 4_000)
        one.starts("s", attempt=2, delivered_wh=1_000)
        one.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.state, record.delivered_wh) == ("charging", 5_000)

    def test_also_when_it_is_interrupted_again(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        for attempt, delivered_wh in ((1, 4_000), (2, 3_000)):
            one.starts("s", attempt=attempt, delivered_wh=delivered_wh)
            one.beat()
            one.restarts()
            grants = one.beat().grants
        assert [(grant.attempt, grant.energy_wh) for grant in grants] == [(3, 3_000)]

    def test_what_had_all_its_energy_when_it_was_interrupted_is_finished(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=10_000)
        one.beat()
        one.restarts()
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("finished", 0)

    def test_a_reservation_of_the_new_epoch_is_left_alone(self, zone: Zone, one: Substation) -> None:
        one.restarts()
        one.beat()
        zone.reserve("s")
        one.beat()
        assert zone.state("s") == "reserved"


class TestInterrupted:
    """What its substation's restart or loss has interrupted waits again: at its old place, for the energy it misses."""

    @pytest.fixture
    def interrupted(self, zone: Zone, one: Substation) -> Request:
        """Nobody has room for it: its substation came back with less."""
        request = Request("s", "car", 11_000, 10_000, ready_by=zone.clock.now + 7_200_000)
        zone.ledger.reserve([request])
        one.starts("s", delivered_wh=4_000)
        one.beat()
        one.restarts()
        one.limit = 10_000
        one.beat()
        assert zone.state("s") == "waiting"
        return request

    def test_it_is_ahead_of_those_who_could_wait_longer(
        self, zone: Zone, one: Substation, interrupted: Request
    ) -> None:
        two = Substation(zone.ledger, "two", 100_000)
        two.starts("all of it", 100_000)
        two.beat()
        zone.reserve("later", ready_by=zone.clock.now + 7_200_001)
        zone.reserve("sooner", ready_by=zone.clock.now + 7_199_999)
        assert zone.line() == ["sooner", "s", "later"]
        two.ends("all of it")
        assert two.starts_what_it_was_given(two.beat()) == ["sooner", "s", "later"]

    def test_it_is_given_the_energy_it_misses(self, zone: Zone, one: Substation, interrupted: Request) -> None:
        one.limit = 11_000
        (grant,) = one.beat().grants
        assert (grant.session, grant.attempt, grant.energy_wh) == ("s", 2, 6_000)

    def test_asked_for_again_it_is_known_and_waits(self, zone: Zone, interrupted: Request) -> None:
        (placement,) = zone.ledger.reserve([interrupted])
        assert (placement.outcome, placement.position) == (Outcome.WAITING, 1)

    def test_an_expired_one_that_still_runs_goes_on(self, zone: Zone, one: Substation, interrupted: Request) -> None:
        zone.clock.now += 7_200_000
        assert zone.ledger.sweep().expired == 1
        one.starts("s")
        assert one.beat().cancels == []
        assert zone.state("s") == "charging"

    def test_its_owner_can_cancel_it(self, zone: Zone, interrupted: Request) -> None:
        assert zone.cancel("s") == "cancelled"
        assert zone.line() == []

    def test_one_that_was_reserved_for_an_epoch_that_is_over_waits_too(self, zone: Zone, one: Substation) -> None:
        refused = zone.reserve("s")
        one.restarts()
        one.limit = 1_000
        one.beat()
        assert zone.state("s") == "waiting"
        assert zone.move(refused).outcome is Outcome.WAITING

    @pytest.mark.parametrize("fate", ["restarts", "is lost"])
    def test_what_its_owner_was_cancelling_is_cancelled_and_does_not_wait(
        self, zone: Zone, one: Substation, fate: str
    ) -> None:
        zone.reserve("s")
        zone.ledger.cancel("s")
        if fate == "restarts":
            one.restarts()
            one.beat()
        else:
            zone.everybody_is_lost()
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)
        assert zone.line() == []


class TestDeafness:
    """Its heartbeats arrive, and no reply to them reaches it."""

    def until_deaf(self, zone: Zone, substation: Substation) -> None:
        substation.hears = False
        for _ in range(4):
            zone.clock.advance(HEARTBEAT_TTL_MS - 1)
            substation.beat()
            zone.ledger.sweep()

    def test_it_gets_nothing_new_until_it_hears_again(self, zone: Zone, one: Substation) -> None:
        self.until_deaf(zone, one)
        assert [row.state for row in zone.ledger.grid()] == ["deaf"]
        assert zone.reserve("s").outcome is Outcome.NOWHERE
        one.hears = True
        one.beat()
        one.beat()
        assert [row.state for row in zone.ledger.grid()] == ["up"]
        assert zone.reserve("s").outcome is Outcome.PLACED

    def test_what_it_lists_stays_and_what_it_was_only_given_moves(self, zone: Zone, one: Substation) -> None:
        zone.reserve("listed")
        one.starts("listed")
        zone.reserve("given")
        zone.substation("two", 10_000)
        self.until_deaf(zone, one)
        assert (zone.state("listed"), zone.state("given")) == ("charging", "waiting")
        three = zone.substation("three", 100_000)
        assert [grant.session for grant in three.beat().grants] == ["given"]

    def test_a_single_lost_reply_makes_none_deaf(self, zone: Zone, one: Substation) -> None:
        for hears in (True, False, True, False, True):
            one.hears = hears
            zone.clock.advance(HEARTBEAT_TTL_MS - 1)
            one.beat()
            zone.ledger.sweep()
            assert [row.state for row in zone.ledger.grid()] == ["up"]

    def test_nor_does_a_redis_that_was_away(self, zone: Zone, one: Substation) -> None:
        one.hears = False
        one.beat()
        one.hears = True
        zone.clock.advance(10 * HEARTBEAT_TTL_MS)
        one.beat()
        assert [row.state for row in zone.ledger.grid()] == ["up"]

    def test_a_new_process_hears_from_its_first_heartbeat(self, zone: Zone, one: Substation) -> None:
        self.until_deaf(zone, one)
        one.hears = True
        one.restarts()
        one.beat()
        assert [row.state for row in zone.ledger.grid()] == ["up"]

    def test_a_new_process_counts_its_heartbeats_anew(self, zone: Zone, one: Substation) -> None:
        for _ in range(10):
            one.beat()
        one.restarts()
        for _ in range(5):
            one.beat()
            zone.clock.advance(HEARTBEAT_TTL_MS - 1)
        assert [row.state for row in zone.ledger.grid()] == ["up"]


class TestEjection:
    """A balancer says that a substation leaves its calls unanswered."""

    def others(self, zone: Zone, count: int) -> None:
        for number in range(count):
            zone.substation(f"other-{number}", 10_000)

    def test_it_gets_nothing_new_until_its_next_heartbeat(self, zone: Zone, one: Substation) -> None:
        self.others(zone, 1)
        placement = zone.reserve("s")
        assert zone.ledger.eject(placement)
        assert zone.reserve("t").outcome is Outcome.WAITING
        zone.assert_consistent()
        assert [grant.session for grant in one.beat().grants] == ["s", "t"]

    def test_it_is_void_after_a_newer_heartbeat(self, zone: Zone, one: Substation) -> None:
        self.others(zone, 1)
        placement = zone.reserve("s")
        one.beat()
        assert not zone.ledger.eject(placement)
        assert zone.reserve("t").outcome is Outcome.PLACED

    @pytest.mark.parametrize(("substations", "out"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
    def test_never_more_than_half_of_a_zone_is_out(self, zone: Zone, substations: int, out: int) -> None:
        for number in range(substations):
            zone.substation(f"s{number}", 11_000)
        placements = [zone.reserve(f"c{number}") for number in range(substations)]
        assert sum(zone.ledger.eject(placement) for placement in placements) == out
        assert not any(zone.ledger.eject(placement) for placement in placements), "again, neither"

    def test_one_that_falls_silent_is_out_for_that_and_makes_room_for_another(
        self, zone: Zone, one: Substation
    ) -> None:
        two = zone.substation("two", 100_000)
        placements = {placement.substation: placement for placement in (zone.reserve("s"), zone.reserve("t"))}
        assert zone.ledger.eject(placements["one"])
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.substation("three", 100_000)
        two.beat()
        zone.ledger.sweep()
        assert zone.ledger.eject(placements["two"]._replace(number=two.number))

    def test_of_an_unknown_substation_is_void(self, zone: Zone, one: Substation) -> None:
        assert not zone.ledger.eject(zone.reserve("s")._replace(substation="none"))


class TestSilence:
    def test_a_silent_substation_gets_nothing_new_until_it_speaks(self, zone: Zone, one: Substation) -> None:
        zone.clock.advance(HEARTBEAT_TTL_MS)
        assert zone.ledger.sweep().silenced == ["one"]
        assert zone.reserve("s").outcome is Outcome.NOWHERE
        one.beat()
        assert zone.reserve("s").outcome is Outcome.PLACED

    def test_the_others_are_unaffected(self, zone: Zone, one: Substation) -> None:
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.substation("two", 100_000)
        zone.ledger.sweep()
        assert zone.reserve("s").substation == "two"

    def test_the_sessions_of_a_lost_one_wait_and_it_is_forgotten_later(self, zone: Zone, one: Substation) -> None:
        for i in range(5):
            zone.reserve(f"s{i}")
            one.starts(f"s{i}")
        one.beat()
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.ledger.sweep()
        zone.clock.advance(LOST_MS)
        assert zone.ledger.sweep(limit=2).interrupted == 2, "bounded work per call"
        while zone.ledger.sweep(limit=2).interrupted:
            pass
        assert {zone.state(f"s{i}") for i in range(5)} == {"waiting"}
        assert [(row.state, row.committed) for row in zone.ledger.grid()] == [("lost", 0)]
        zone.clock.advance(RETENTION_MS)
        zone.ledger.sweep()
        assert zone.ledger.grid() == []

    def test_one_that_was_told_to_stop_has_left_and_is_forgotten_later(self, zone: Zone, one: Substation) -> None:
        for i in range(5):
            zone.reserve(f"s{i}")
            one.starts(f"s{i}")
        one.beat()
        one.beat("draining")
        zone.clock.advance(HEARTBEAT_TTL_MS)
        while zone.ledger.sweep(limit=2).interrupted:
            pass
        assert {zone.state(f"s{i}") for i in range(5)} == {"waiting"}
        assert [(row.state, row.committed) for row in zone.ledger.grid()] == [("left", 0)]
        zone.clock.advance(RETENTION_MS)
        zone.ledger.sweep()
        assert zone.ledger.grid() == []

    def test_one_that_left_and_came_back_may_be_lost(self, zone: Zone, one: Substation) -> None:
        def falls_silent() -> list[str]:
            zone.everybody_is_lost()
            return [row.state for row in zone.ledger.grid()]

        one.beat("draining")
        assert falls_silent() == ["left"]
        one.restarts()
        one.beat()
        assert [row.state for row in zone.ledger.grid()] == ["up"]
        assert zone.reserve("s").substation == "one"
        assert falls_silent() == ["lost"]

    def test_an_old_heartbeat_of_a_lost_one_is_still_old(self, zone: Zone, one: Substation) -> None:
        zone.everybody_is_lost()
        assert one.beat().outcome == "superseded"
        assert zone.reserve("s").outcome is Outcome.NOWHERE

    def test_one_that_registers_and_is_never_heard_again_is_forgotten(self, zone: Zone, one: Substation) -> None:
        Substation(zone.ledger, "nobody", 100_000).ask_for_an_epoch()
        zone.clock.advance(RETENTION_MS)
        for _ in range(2):
            zone.ledger.sweep()
        assert set(zone.redis.hkeys("{grid:default}:epochs")) == {"one"}

    def test_a_request_for_an_epoch_that_arrives_late_does_no_harm(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        Substation(zone.ledger, "one", 100_000).ask_for_an_epoch()
        assert zone.state("s") == "charging"
        assert one.beat().outcome == "ok"

    def test_a_lost_one_that_comes_back_has_its_sessions_again(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.ledger.sweep()
        zone.clock.advance(LOST_MS)
        zone.ledger.sweep()
        assert one.beat().outcome == "superseded"
        one.epoch = 0
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("charging", 11_000)

    def test_what_a_lost_one_finished_unheard_is_finished(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=4_000)
        one.beat()
        for passed in (HEARTBEAT_TTL_MS, LOST_MS):
            zone.clock.advance(passed)
            zone.ledger.sweep()
        assert zone.state("s") == "waiting"
        one.ends("s")
        assert one.beat().outcome == "superseded"
        one.epoch = 0
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("finished", 0)
        record = zone.ledger.session("s")
        assert record is not None
        assert record.delivered_wh == 10_000

    def test_one_that_comes_back_with_what_is_served_elsewhere_must_cancel_it(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.ledger.sweep()
        zone.clock.advance(LOST_MS)
        zone.ledger.sweep()
        zone.substation("two", 100_000)
        assert zone.reserve("s").substation == "two"
        one.epoch = 0
        assert one.beat().cancels == [Cancel("s", 1)]
        assert (zone.committed("one"), zone.committed("two")) == (11_000, 11_000), "both may draw"
