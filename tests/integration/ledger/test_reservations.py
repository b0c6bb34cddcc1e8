"""A session that is reserved and has not started: granted in replies, moved when its substation refuses it."""

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Outcome, Request

from .conftest import HEARTBEAT_TTL_MS, Substation, Zone


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

    def test_a_draining_substation_gives_back_its_reserved_sessions_at_once(self, zone: Zone, one: Substation) -> None:
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
