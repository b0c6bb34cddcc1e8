"""A Redis that was wiped or rolled back learns the truth again from heartbeats."""

import pytest

from grid.ledger.records import Listed, Outcome, Request, Stop

from .conftest import Substation, Zone


class TestAWipedRedis:
    def test_nothing_is_routable_until_a_heartbeat_arrives(self, zone: Zone, one: Substation) -> None:
        zone.redis.flushall()
        assert zone.reserve("s").outcome is Outcome.NOWHERE

    def test_heartbeats_bring_back_what_is_charging(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s", 60_000)
        one.starts("s", 60_000)
        one.beat()
        zone.redis.flushall()
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("charging", 60_000)
        assert zone.reserve("t", 60_000).outcome is Outcome.WAITING
        assert one.epoch == 1
        other = zone.ledger.reserve([Request("s", "car", 50_000, 99)])
        assert [placement.outcome for placement in other] == [Outcome.CONFLICT]
        again = zone.ledger.reserve([Request("s", "car", 60_000, 99, ready_by=1_900_000_000_000)])
        assert [placement.outcome for placement in again] == [Outcome.PLACED], "its key still means this session"

    def test_what_was_given_away_in_the_gap_shows_as_more_than_the_limit(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s", 60_000)
        one.starts("s", 60_000)
        zone.redis.flushall()
        one.runs.clear()
        one.beat()
        zone.reserve("t", 60_000)
        one.starts("s", 60_000)
        one.beat()
        assert zone.committed("one") == 120_000, "the substation refuses t; until then both count"
        assert zone.reserve("u", 1_000).outcome is Outcome.WAITING

    def test_of_two_attempts_the_later_one_is_the_session(self, zone: Zone, one: Substation) -> None:
        two = zone.substation("two", 100_000)
        one.starts("s", attempt=1)
        two.starts("s", attempt=2)
        zone.redis.flushall()
        one.beat()
        two.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.substation, record.attempt) == ("two", 2)
        assert one.beat().stops == [Stop("s", 1, "superseded")]


class TestARedisThatWasRolledBack:
    """It believes what was true some time ago."""

    @pytest.mark.parametrize(("how", "state"), [("finished", "finished"), ("cancelled", "cancelled")])
    def test_what_has_ended_since_ends_again_as_it_did(self, zone: Zone, one: Substation, how: str, state: str) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        one.runs.clear()  # its end was told, and that was forgotten
        assert one.beat().stops == [Stop("s", 1, "superseded")]
        one.ends("s", how)
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == (state, 0)

    def test_an_epoch_given_since_is_not_given_again(self, zone: Zone, one: Substation) -> None:
        one.epoch = 5
        one.beat()
        one.restarts()
        assert one.beat().epoch == 6

    def test_what_earlier_attempts_delivered_is_known_from_what_the_later_one_was_given(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=4_000)
        one.beat()
        two = zone.substation("two", 100_000)
        two.runs.append(Listed("s", 2, 11_000, 6_000, 5_000, "car"))
        two.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.attempt, record.delivered_wh) == (2, 9_000)
        one.ends("s", "stopped")
        one.beat()

    def test_what_has_moved_since_stays_where_it_runs(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        two = zone.substation("two", 100_000)
        two.starts("s", attempt=2)
        one.runs.clear()
        assert one.beat().stops == [Stop("s", 1, "superseded")]
        one.ends("s", "stopped", 0)
        one.beat("draining")
        assert zone.state("s") == "waiting"
        assert two.beat().stops == []
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.state, record.substation) == ("charging", "two")
        assert (zone.committed("one"), zone.committed("two")) == (0, 11_000)

    def test_what_runs_though_it_was_finished_is_adopted(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.ends("s")
        one.beat()
        one.starts("s", attempt=2)
        assert one.beat().stops == []
        assert zone.state("s") == "charging"

    def test_what_was_adopted_and_is_then_known_to_nobody_is_served_again(self, zone: Zone, one: Substation) -> None:
        one.starts("s")
        one.beat()
        one.runs.clear()
        assert one.beat().stops == [Stop("s", 1, "superseded")]
        one.never_starts("s")
        assert [grant.session for grant in one.beat().grants] == ["s"]

    def test_an_attempt_that_finished_before_is_granted_again_and_its_end_told_again(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")  # rolled back to here; it has finished since, and that was taken in
        assert [grant.attempt for grant in one.beat().grants] == [1]
        one.ends("s", attempt=1)
        assert one.beat().grants == []
        assert (zone.state("s"), zone.committed("one")) == ("finished", 0)

    @pytest.mark.parametrize("how", ["finished", "cancelled"])
    @pytest.mark.parametrize("first", ["the later attempt", "the earlier attempt"])
    def test_a_later_attempt_that_is_over_is_the_end_of_the_session(
        self, zone: Zone, one: Substation, how: str, first: str
    ) -> None:
        zone.reserve("s")
        assert [grant.attempt for grant in one.beat().grants] == [1]
        one.ends("s", how, attempt=3)
        one.never_starts("s", highest=3)
        if first == "the earlier attempt":
            one.ended.reverse()
        reply = one.beat()
        assert (reply.grants, reply.stops) == ([], [])
        assert (zone.state("s"), zone.committed("one")) == (how, 0)

    def test_a_later_attempt_that_finished_elsewhere_ends_the_one_that_may_run_here(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        two = zone.substation("two", 100_000)
        two.ends("s", attempt=2)
        two.beat()
        assert (zone.state("s"), zone.committed("one")) == ("finished", 11_000)
        assert one.beat().stops == [Stop("s", 1, "superseded")]
        one.ends("s", "stopped", 0)
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("finished", 0)

    def test_what_charged_by_an_older_truth_is_given_back_whole(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        one.never_starts("s", highest=2)
        one.beat("draining")
        assert (zone.state("s"), zone.committed("one")) == ("waiting", 0)
        assert [grant.attempt for grant in one.beat().grants] == [3]

    def test_a_later_attempt_that_runs_here_takes_the_place_of_the_earlier_one(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s", attempt=2)
        reply = one.beat()
        assert (reply.grants, reply.stops) == ([], [])
        assert (zone.state("s"), zone.committed("one")) == ("charging", 11_000)

    def test_what_its_owner_cancelled_meanwhile_is_stopped(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.cancel("s")
        one.starts("s", attempt=2)
        assert one.beat().stops == [Stop("s", 2, "superseded")]
