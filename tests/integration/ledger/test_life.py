"""A session's life in the ledger while its substation and Redis are well."""

import pytest

from grid.ledger import Cancel, Ledger, LedgerConfig, Outcome, Request
from grid.ledger.keys import key, zone_keys
from grid.ledger.records import Cancelled

from .conftest import GIVE_UP_MS, HEARTBEAT_TTL_MS, LOST_MS, RETENTION_MS, Substation, Zone


def test_a_reservation_becomes_charging_then_finished_and_gives_its_watts_back(zone: Zone, one: Substation) -> None:
    assert zone.reserve("s").substation == "one"
    assert (zone.state("s"), zone.committed("one")) == ("reserved", 11_000)
    one.starts("s")
    one.beat()
    assert (zone.state("s"), zone.committed("one")) == ("charging", 11_000)
    one.ends("s")
    one.beat()
    assert (zone.state("s"), zone.committed("one")) == ("finished", 0)
    record = zone.ledger.session("s")
    assert record is not None
    assert record.delivered_wh == 10_000


def test_a_session_that_ends_before_any_heartbeat_listed_it_is_finished(zone: Zone, one: Substation) -> None:
    zone.reserve("s")
    one.ends("s")
    one.beat()
    assert (zone.state("s"), zone.committed("one")) == ("finished", 0)


def test_an_end_told_twice_is_counted_once(zone: Zone, one: Substation) -> None:
    zone.reserve("s")
    zone.reserve("t")
    for _ in range(2):
        one.ends("s")
        one.beat()
    assert zone.committed("one") == 11_000


def test_a_known_session_gets_its_first_answer_again_and_no_second_watt(zone: Zone, one: Substation) -> None:
    first = zone.reserve("s")
    assert zone.reserve("s") == first
    one.starts("s")
    one.beat()
    assert zone.reserve("s") == first._replace(state="charging", number=one.number)
    assert zone.committed("one") == 11_000
    one.ends("s")
    one.beat()
    assert zone.reserve("s").outcome is Outcome.ENDED


@pytest.mark.parametrize(
    "other",
    [
        Request("s", "car", 22_000, 10_000),
        Request("s", "car", 11_000, 5),
        Request("s", "bus", 11_000, 10_000),
        Request("s", "car", 11_000, 10_000, ready_by=1_900_000_000_000),
        Request("s", "car", 11_000, 10_000, priority="emergency"),
    ],
)
def test_a_known_session_with_other_values_is_a_conflict(zone: Zone, one: Substation, other: Request) -> None:
    zone.reserve("s")
    assert [placement.outcome for placement in zone.ledger.reserve([other])] == [Outcome.CONFLICT]
    assert zone.committed("one") == 11_000


def test_what_nobody_could_ever_carry_is_refused_and_not_recorded(zone: Zone, one: Substation) -> None:
    before = zone.size()
    assert zone.reserve("s", 100_001).outcome is Outcome.TOO_BIG
    assert (zone.state("s"), zone.size()) == ("unknown", before)


def test_a_batch_is_placed_as_far_as_there_is_room_and_the_rest_waits(zone: Zone, one: Substation) -> None:
    placements = zone.ledger.reserve([Request(f"s{i}", "car", 30_000, 1) for i in range(5)])
    assert [p.outcome for p in placements] == [Outcome.PLACED] * 3 + [Outcome.WAITING] * 2
    assert [p.position for p in placements] == [0, 0, 0, 1, 2]


def test_the_same_session_twice_in_a_batch_is_one_session(zone: Zone, one: Substation) -> None:
    first, second = zone.ledger.reserve([Request("s", "car", 30_000, 1)] * 2)
    assert first == second
    assert zone.committed("one") == 30_000


class TestHeartbeats:
    def test_a_snapshot_without_a_charging_session_asks_what_became_of_it(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        one.runs.clear()
        assert one.beat().cancels == [Cancel("s", 1)]
        assert (zone.state("s"), zone.committed("one")) == ("charging", 11_000), "until it has answered"
        one.ends("s")
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("finished", 0)

    def test_what_is_listed_twice_counts_once(self, zone: Zone, one: Substation) -> None:
        one.starts("s")
        one.starts("s")
        one.beat()
        assert zone.committed("one") == 11_000

    def test_of_what_charges_as_it_should_nothing_is_asked(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        for _ in range(3):
            reply = one.beat()
            assert (reply.cancels, reply.grants) == ([], [])

    def test_a_snapshot_without_a_reserved_session_leaves_it(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("reserved", 11_000)

    def test_a_late_one_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat(number=10)
        one.runs.clear()
        assert one.beat(number=9).outcome == "superseded"
        assert zone.state("s") == "charging"

    def test_a_repeated_one_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat(number=10)
        zone.cancel("s")
        assert one.beat(number=10).outcome == "ok"
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)

    def test_one_of_an_older_epoch_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        one.restarts()
        one.limit = 1_000  # no room for it
        assert one.beat().epoch == 2
        ghost = Substation(zone.ledger, "one", 100_000, epoch=1, number=99)
        ghost.starts("s")
        reply = ghost.beat()
        assert (reply.outcome, reply.epoch) == ("superseded", 2)
        assert zone.state("s") == "waiting"

    def test_a_lower_limit_is_obeyed_at_once(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s", 50_000)
        one.limit = 60_000
        one.beat()
        assert zone.reserve("t", 11_000).outcome is Outcome.WAITING

    def test_a_draining_substation_gets_nothing_new_and_keeps_what_it_has(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat("draining")
        assert zone.reserve("t").outcome is Outcome.NOWHERE
        assert zone.committed("one") == 11_000
        one.beat()
        assert zone.reserve("t").outcome is Outcome.PLACED


class TestAReservation:
    """It is the ledger's from the moment that it is made: each reply to its substation says so until it is answered."""

    def test_it_is_granted_in_each_reply_until_it_is_listed(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        first = one.beat().grants
        assert [(grant.session, grant.attempt, grant.watts, grant.waited) for grant in first] == [
            ("s", 1, 11_000, None)
        ]
        assert one.beat().grants == first, "a reply may be lost"
        one.starts("s")
        assert one.beat().grants == []
        assert zone.state("s") == "charging"

    def test_it_stays_one_for_as_long_as_its_substation_is_heard(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        for _ in range(10):
            zone.clock.advance(HEARTBEAT_TTL_MS - 1)
            assert len(one.beat().grants) == 1
            zone.ledger.sweep()
        assert (zone.state("s"), zone.committed("one")) == ("reserved", 11_000)

    def test_a_draining_substation_starts_nothing_more_and_what_it_was_given_moves_at_once(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        assert one.beat("draining").grants == []
        two = zone.substation("two", 100_000)
        assert [grant.session for grant in two.beat().grants] == ["s"]

    def test_that_never_starts_waits_at_its_old_place(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.clock.advance(1)
        zone.reserve("t", 100_000)
        one.never_starts("s")
        one.beat("draining")
        assert (zone.state("s"), zone.committed("one"), zone.line()) == ("waiting", 0, ["s", "t"])

    def test_after_one_that_never_started_the_next_attempt_is_above_all_that_its_substation_remembers(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.never_starts("s", highest=4)
        assert [(grant.session, grant.attempt) for grant in one.beat().grants] == [("s", 5)]

    def test_a_substation_that_could_take_less_than_its_limit_is_given_no_more(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.is_exact = False
        zone.reserve("s", 60_000)
        one.other_watts = 50_000
        one.never_starts("s")
        assert one.beat().grants == []
        assert zone.line() == ["s"]
        assert zone.reserve("t", 50_001).outcome is Outcome.WAITING
        assert zone.reserve("u", 50_000).outcome is Outcome.PLACED

    def test_what_is_reserved_and_not_listed_is_not_taken_twice_from_what_it_could_take(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.is_exact = False
        zone.reserve("s", 20_000)
        one.other_watts = 50_000
        one.beat()
        assert zone.reserve("t", 30_001).outcome is Outcome.WAITING
        assert zone.reserve("u", 30_000).outcome is Outcome.PLACED


class TestRefused:
    """Its substation has refused the attempt for good: one call takes the watts back and places it elsewhere."""

    def test_it_moves_where_there_is_room(self, zone: Zone, one: Substation) -> None:
        refused = zone.reserve("s")
        zone.substation("two", 100_000)
        moved = zone.move(refused)
        assert (moved.outcome, moved.state, moved.substation, moved.attempt) == (Outcome.PLACED, "reserved", "two", 2)
        assert (zone.committed("one"), zone.committed("two")) == (0, 11_000)

    def test_or_waits_at_its_old_place(self, zone: Zone, one: Substation) -> None:
        refused = zone.reserve("s", 50_000)
        zone.clock.advance(1)
        zone.reserve("t", 60_000)
        moved = zone.move(refused, watts=50_000)
        assert (moved.outcome, moved.state, moved.position) == (Outcome.WAITING, "waiting", 1)
        assert (zone.committed("one"), zone.line()) == (0, ["s", "t"])

    def test_it_waits_though_the_line_is_full_since_it_was_accepted(self, zone: Zone, one: Substation) -> None:
        ledger = Ledger(zone.redis, "default", LedgerConfig(longest_line=0), clock=zone.clock)
        (refused,) = ledger.reserve([Request("s", "car", 11_000, 10_000)])
        (moved,) = ledger.move([(Request("s", "car", 11_000, 10_000), refused)])
        assert moved.outcome is Outcome.WAITING

    def test_it_does_not_pass_one_that_has_waited_for_the_same_room(self, zone: Zone, one: Substation) -> None:
        zone.reserve("first", 100_000)
        zone.reserve("second", 100_000)
        zone.clock.advance(1)
        two = zone.substation("two", 100_000)
        (grant,) = two.beat().grants
        assert grant.session == "second"
        two.never_starts("second")
        two.beat("draining")
        zone.reserve("third", 5_000)
        assert zone.line() == ["second", "third"]

    def test_it_moves_once(self, zone: Zone, one: Substation) -> None:
        refused = zone.reserve("s")
        zone.substation("two", 100_000)
        moved = zone.move(refused)
        assert zone.move(refused) == moved
        assert (zone.committed("one"), zone.committed("two")) == (0, 11_000)

    def test_what_a_heartbeat_listed_meanwhile_charges_on(self, zone: Zone, one: Substation) -> None:
        refused = zone.reserve("s")
        one.starts("s")
        one.beat()
        assert zone.move(refused).state == "charging"
        assert zone.committed("one") == 11_000

    def test_a_batch_in_which_another_one_gets_the_room_is_answered_whole(self, zone: Zone, one: Substation) -> None:
        refused = zone.reserve("s", 60_000)
        zone.reserve("t", 60_000)
        two = zone.substation("two", 60_000)
        two.never_starts("t")
        two.beat("draining")
        two.beat()
        pairs = [(Request(name, "car", 60_000, 10_000), refused) for name in ("t", "s")]
        assert {placement.outcome for placement in zone.ledger.move(pairs)} <= {Outcome.PLACED, Outcome.WAITING}


class TestCancelling:
    def test_what_its_substation_stopped_is_free_at_once(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        assert zone.ledger.cancel("s") == Cancelled("cancelling", 1, "http://one")
        assert zone.committed("one") == 11_000
        assert zone.ledger.cancel("s", stopped=1).state == "cancelled"
        assert zone.committed("one") == 0

    def test_what_its_substation_could_not_be_told_is_free_when_it_answers(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        assert zone.ledger.cancel("s").state == "cancelling"
        for _ in range(2):
            assert one.beat().cancels == [Cancel("s", 1)], "though it is listed"
        assert zone.committed("one") == 11_000
        one.ends("s", "stopped", 3)
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)

    def test_what_has_not_started_is_not_granted_any_more(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.ledger.cancel("s")
        reply = one.beat()
        assert (reply.grants, reply.cancels) == ([], [Cancel("s", 1)])
        one.never_starts("s")
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)

    def test_what_it_got_after_the_last_heartbeat_counts(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=1_000)
        one.beat()
        zone.cancel("s")
        one.ends("s", "cancelled", 2_000)
        one.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.state, record.delivered_wh) == ("cancelled", 2_000)

    def test_that_it_ran_under_another_epoch_does_not_free_it(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        zone.ledger.cancel("s")
        one.epoch = 0  # it was taken for lost, or another had its name for a while
        assert one.beat().epoch == 2
        one.runs.clear()
        assert one.beat().cancels == [Cancel("s", 1)]
        assert zone.committed("one") == 11_000, "until it has said what became of it"
        one.ends("s", "stopped", 3)
        one.beat()

    def test_asked_for_again_before_that_it_is_not_started_again(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.ledger.cancel("s")
        again = zone.reserve("s")
        assert (again.outcome, again.state) == (Outcome.ENDED, "cancelling")

    def test_what_finished_meanwhile_stays_finished(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.ends("s")
        one.beat()
        assert zone.cancel("s") == "finished"

    def test_of_an_unknown_session_says_so_and_leaves_nothing(self, zone: Zone, one: Substation) -> None:
        before = zone.size()
        assert zone.cancel("nobody") == ""
        assert zone.size() == before

    def test_what_was_abandoned_before_it_came_never_starts(self, zone: Zone, one: Substation) -> None:
        assert zone.ledger.cancel("s", abandoned=True).state == "cancelled"
        late = zone.reserve("s")
        assert (late.outcome, late.state) == (Outcome.ENDED, "cancelled")
        assert zone.committed("one") == 0
        zone.clock.advance(RETENTION_MS)
        assert zone.ledger.sweep().forgotten == 1


class TestForgetting:
    def test_an_ended_session_is_known_for_a_while_and_then_not(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.ends("s")
        one.beat()
        zone.clock.advance(RETENTION_MS - 1)
        zone.ledger.sweep()
        assert zone.state("s") == "finished"
        zone.clock.advance(1)
        assert zone.ledger.sweep().forgotten == 1
        assert zone.state("s") == "unknown"

    def test_when_all_is_over_no_key_is_left(self, zone: Zone, one: Substation) -> None:
        two = zone.substation("two", 100_000)
        for i in range(12):
            placement = zone.reserve(f"s{i}")
            {"one": one, "two": two}[placement.substation].starts(f"s{i}")
        one.beat()
        two.beat()
        zone.ledger.cancel("s0")
        zone.cancel("s1")
        two.restarts()
        two.beat()
        for wait in (HEARTBEAT_TTL_MS, LOST_MS, RETENTION_MS, GIVE_UP_MS, RETENTION_MS):
            zone.clock.advance(wait)
            zone.ledger.sweep()
        assert [name for name in zone_keys("default") if zone.redis.exists(name)] == [key("default", "format")]
