"""The simulated feeder: admission to the watt, energy to the watt-hour, and each attempt once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from substation.station import MEMORY_S, End, Order, Station, Verdict

LIMIT = 100_000
HOUR_S = 3_600


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Feeder:
    """A station in real time, and what it has told."""

    clock: Clock = field(default_factory=Clock)
    time_scale: float = 1.0
    changes: int = 0
    ends: list[End] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.station = Station(
            LIMIT, self.time_scale, clock=self.clock, on_change=self.changed, on_end=self.ends.append
        )

    def changed(self) -> None:
        self.changes += 1

    def charge(self, session: str = "s", watts: int = 10_000, energy_wh: int = 10_000, attempt: int = 1) -> Verdict:
        (verdict,) = self.station.charge([Order(session, attempt, "car", watts, energy_wh)])
        return verdict

    def running(self) -> dict[str, int]:
        return {charging.order.session: charging.order.attempt for charging in self.station.snapshot().charging}

    def unreported(self) -> list[tuple[str, int, str, int]]:
        return [(end.session, end.attempt, end.how, end.delivered_wh) for end in self.station.snapshot().unreported]

    @property
    def drawn(self) -> int:
        return self.station.snapshot().drawn


@pytest.fixture
def feeder() -> Feeder:
    return Feeder()


# Admission


def test_the_last_watt_is_given_and_not_one_more(feeder: Feeder) -> None:
    assert feeder.charge("a", watts=LIMIT - 1) is Verdict.CHARGING
    assert feeder.charge("b", watts=2) is Verdict.NO_ROOM
    assert feeder.charge("c", watts=1) is Verdict.CHARGING
    assert feeder.charge("d", watts=1) is Verdict.NO_ROOM
    assert feeder.drawn == LIMIT


def test_each_of_a_batch_is_admitted_for_itself(feeder: Feeder) -> None:
    orders = [Order(name, 1, "car", watts, 10_000) for name, watts in (("a", 60_000), ("b", 60_000), ("c", 40_000))]
    assert feeder.station.charge(orders) == [Verdict.CHARGING, Verdict.NO_ROOM, Verdict.CHARGING]
    assert feeder.drawn == LIMIT


def test_the_room_of_a_car_that_is_done_is_free_at_that_moment(feeder: Feeder) -> None:
    feeder.charge("a", watts=LIMIT, energy_wh=LIMIT)
    feeder.clock.advance(HOUR_S)
    assert feeder.charge("b", watts=LIMIT) is Verdict.CHARGING
    assert feeder.running() == {"b": 1}


def test_the_same_order_again_gets_the_same_answer(feeder: Feeder) -> None:
    for _ in range(3):
        assert feeder.charge("a", watts=LIMIT, energy_wh=LIMIT) is Verdict.CHARGING
        assert feeder.charge("b") is Verdict.NO_ROOM
    assert (feeder.drawn, feeder.station.snapshot().started) == (LIMIT, 1)
    feeder.clock.advance(HOUR_S)
    assert feeder.charge("a", watts=LIMIT, energy_wh=LIMIT) is Verdict.FINISHED
    assert feeder.charge("b") is Verdict.NO_ROOM, "a refused attempt never starts later"
    assert feeder.running() == {}


def test_who_was_refused_may_come_again_with_another_attempt(feeder: Feeder) -> None:
    feeder.charge("a", watts=LIMIT)
    assert feeder.charge("b") is Verdict.NO_ROOM
    feeder.station.cancel("a")
    assert feeder.charge("b", attempt=2) is Verdict.CHARGING
    assert feeder.charge("b", attempt=1) is Verdict.NO_ROOM


def test_a_higher_attempt_replaces_a_lower_one(feeder: Feeder) -> None:
    feeder.charge("a", watts=60_000)
    assert feeder.charge("a", watts=60_000, attempt=2) is Verdict.CHARGING
    assert (feeder.running(), feeder.drawn) == ({"a": 2}, 60_000)
    assert feeder.charge("a", watts=60_000, attempt=1) is Verdict.CANCELLED_BEFORE
    assert feeder.unreported() == [("a", 1, "stopped", 0)]
    assert feeder.station.snapshot().peak == 60_000


# Energy and time


@pytest.mark.parametrize(
    ("watts", "energy_wh", "seconds"), [(10_000, 10_000, HOUR_S), (11_000, 10_000, 3_272.7272), (1, 1, HOUR_S)]
)
def test_a_car_gets_its_energy_and_ends_at_that_moment(watts: int, energy_wh: int, seconds: float) -> None:
    feeder = Feeder()
    feeder.charge("a", watts, energy_wh)
    feeder.clock.advance(seconds - 0.01)
    feeder.station.finish_due()
    assert feeder.running() == {"a": 1}
    feeder.clock.advance(0.02)
    feeder.station.finish_due()
    assert feeder.unreported() == [("a", 1, "finished", energy_wh)]
    assert feeder.drawn == 0


def test_delivered_grows_with_time_and_never_beyond_the_energy(feeder: Feeder) -> None:
    feeder.charge("a")
    delivered = []
    for _ in range(4):
        snapshot = feeder.station.snapshot()
        delivered += [charging.delivered_wh(snapshot.now) for charging in snapshot.charging]
        feeder.clock.advance(HOUR_S / 4)
    assert delivered == [0, 2_500, 5_000, 7_500]
    assert feeder.unreported() == [("a", 1, "finished", 10_000)]


def test_an_end_found_late_is_dated_when_it_was(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(3 * HOUR_S)
    feeder.station.finish_due()
    (end,) = feeder.ends
    assert (end.at, end.delivered_wh) == (1_000.0 + HOUR_S, 10_000)


def test_at_a_time_scale_of_60_an_hour_takes_a_minute() -> None:
    feeder = Feeder(time_scale=60)
    feeder.charge("a")
    feeder.clock.advance(59.9)
    assert feeder.running() == {"a": 1}
    feeder.clock.advance(0.1)
    assert feeder.running() == {}


def test_a_snapshot_never_shows_a_car_that_is_done(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.charge("b", energy_wh=20_000)
    feeder.clock.advance(HOUR_S)
    snapshot = feeder.station.snapshot()
    assert [charging.order.session for charging in snapshot.charging] == ["b"]
    assert [end.session for end in snapshot.unreported] == ["a"]
    assert snapshot.drawn == sum(charging.order.watts for charging in snapshot.charging)
    assert (snapshot.started, snapshot.peak) == (2, 20_000)
    assert feeder.changes == 1, "the ledger should hear of it"


# Cancelling


def test_a_cancel_stops_the_car_and_tells_what_it_got(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S / 2)
    assert feeder.station.cancel("a") is True
    assert feeder.station.cancel("a") is False
    assert feeder.unreported() == [("a", 1, "cancelled", 5_000)]
    assert feeder.drawn == 0
    assert feeder.charge("a") is Verdict.CANCELLED_BEFORE


def test_a_cancel_of_a_car_that_is_just_done_comes_too_late(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S)
    assert feeder.station.cancel("a", attempt=1) is False
    assert feeder.unreported() == [("a", 1, "finished", 10_000)]


def test_an_attempt_cancelled_before_it_came_never_starts_and_is_acknowledged(feeder: Feeder) -> None:
    assert feeder.station.cancel("a", attempt=2) is False
    assert feeder.unreported() == [("a", 2, "cancelled", 0)]
    assert feeder.charge("a", attempt=1) is Verdict.CANCELLED_BEFORE
    assert feeder.charge("a", attempt=2) is Verdict.CANCELLED_BEFORE
    assert feeder.charge("a", attempt=3) is Verdict.CHARGING


def test_a_cancel_of_another_attempt_leaves_the_car_alone(feeder: Feeder) -> None:
    feeder.charge("a", attempt=2)
    assert feeder.station.cancel("a", attempt=1) is False
    assert feeder.running() == {"a": 2}
    assert feeder.charge("a", attempt=2) is Verdict.CHARGING
    assert feeder.unreported() == [("a", 1, "cancelled", 0)]


@pytest.mark.parametrize("ends", ["replaced", "finished", "cancelled"])
def test_a_cancelled_attempt_stays_cancelled_however_a_lower_one_ends(feeder: Feeder, ends: str) -> None:
    feeder.charge("a", attempt=1)
    feeder.station.cancel("a", attempt=2)
    if ends == "finished":
        feeder.clock.advance(HOUR_S)
        feeder.station.finish_due()
    elif ends == "cancelled":
        feeder.station.cancel("a", attempt=1)
    assert feeder.charge("a", attempt=2) is Verdict.CANCELLED_BEFORE
    assert feeder.station.snapshot().started == 1


def test_a_cancel_that_comes_after_the_end_repeats_the_end(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S)
    feeder.station.finish_due()
    feeder.station.reported(feeder.station.snapshot().unreported)
    feeder.station.cancel("a", attempt=1)
    assert feeder.unreported() == [("a", 1, "finished", 10_000)]


def test_a_cancel_of_a_refused_attempt_is_acknowledged(feeder: Feeder) -> None:
    feeder.charge("a", watts=LIMIT + 1)
    feeder.station.cancel("a", attempt=1)
    assert feeder.unreported() == [("a", 1, "cancelled", 0)]
    assert feeder.charge("a") is Verdict.CANCELLED_BEFORE


def test_what_the_ledger_gave_up_is_stopped_and_the_ledger_learns_whether_it_ran(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S / 2)
    assert feeder.station.stop("a", 1) is True
    assert feeder.station.stop("b", 1) is False
    assert feeder.unreported() == [("a", 1, "stopped", 5_000), ("b", 1, "barred", 0)]
    for name in ("a", "b"):
        assert feeder.charge(name) is Verdict.CANCELLED_BEFORE


@pytest.mark.parametrize("how", ["finished", "cancelled"])
def test_asked_to_stop_what_has_ended_it_tells_again_how(feeder: Feeder, how: str) -> None:
    feeder.charge("a")
    if how == "cancelled":
        feeder.station.cancel("a")
    else:
        feeder.clock.advance(HOUR_S)
        feeder.station.finish_due()
    told = feeder.station.snapshot().unreported
    feeder.station.reported(told)
    assert feeder.station.stop("a", 1) is False
    assert feeder.station.snapshot().unreported == told
    assert told[0].how == how


def test_what_ended_is_remembered_for_a_while(feeder: Feeder) -> None:
    feeder.station.cancel("a", attempt=1)
    feeder.clock.advance(MEMORY_S)
    feeder.station.snapshot()
    assert feeder.charge("a") is Verdict.CANCELLED_BEFORE
    feeder.clock.advance(1)
    feeder.station.snapshot()
    assert feeder.charge("a") is Verdict.CHARGING


# Telling


def test_an_end_is_told_until_it_was_taken_in(feeder: Feeder) -> None:
    for name in ("a", "b"):
        feeder.charge(name)
    feeder.station.cancel("a")
    told = feeder.station.snapshot().unreported
    feeder.station.cancel("b")
    feeder.station.reported(told)
    assert feeder.unreported() == [("b", 1, "cancelled", 0)]
    feeder.station.reported(told)
    assert feeder.unreported() == [("b", 1, "cancelled", 0)]


def test_every_end_and_every_refusal_is_a_change_but_a_start_is_none(feeder: Feeder) -> None:
    feeder.charge("a", watts=LIMIT, energy_wh=LIMIT)
    feeder.station.finish_due()
    assert (feeder.changes, feeder.ends) == (0, [])
    feeder.charge("b")
    assert feeder.changes == 1
    feeder.clock.advance(HOUR_S)
    feeder.station.finish_due()
    assert feeder.changes == 2
    feeder.station.cancel("a")
    assert feeder.changes == 3
    assert [(end.session, end.how) for end in feeder.ends] == [("a", "finished")]


def test_a_change_is_told_outside_the_lock(feeder: Feeder) -> None:
    seen = []

    def looks_from_another_thread() -> None:
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(feeder.station.snapshot).result(timeout=5).drawn)

    feeder.station.on_change = looks_from_another_thread
    feeder.charge("a")
    feeder.station.cancel("a")
    assert seen == [0]


def test_waiting_for_an_end_is_over_when_a_car_starts_that_is_done_sooner() -> None:
    station = Station(LIMIT, 1.0)
    waited = threading.Event()

    def wait() -> None:
        station.wait_for_end(timeout_s=60)
        waited.set()

    threading.Thread(target=wait, daemon=True).start()
    number = 0
    while not waited.wait(0.01):
        number += 1
        station.charge([Order(f"s{number}", 1, "car", number, 1)])
        assert number < 1_000


def test_there_is_nothing_to_wait_for_when_an_end_is_due(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S)
    feeder.station.wait_for_end(timeout_s=60)


# Overload


def test_overload_is_the_time_above_the_limit(feeder: Feeder) -> None:
    for name in ("a", "b", "c"):
        feeder.charge(name, watts=30_000, energy_wh=300_000)
    assert feeder.station.snapshot().overload_s == 0
    feeder.station.limit = 50_000
    feeder.station.cancel("a")
    feeder.clock.advance(7)
    assert feeder.station.snapshot().overload_s == 7
    feeder.clock.advance(3)
    feeder.station.cancel("b")
    feeder.clock.advance(100)
    assert feeder.station.snapshot().overload_s == 10


def test_overload_ends_when_the_car_is_done_however_late_that_is_seen(feeder: Feeder) -> None:
    feeder.charge("a", watts=60_000, energy_wh=60_000)
    feeder.charge("b", watts=39_000, energy_wh=390_000)
    feeder.charge("c", watts=1, energy_wh=1)
    feeder.station.limit = 50_000
    feeder.station.cancel("c")
    seen = []
    for _ in range(4):
        feeder.clock.advance(HOUR_S / 2)
        seen.append(feeder.station.snapshot().overload_s)
    assert seen == [HOUR_S / 2, HOUR_S, HOUR_S, HOUR_S]


# Whatever happens


def test_many_threads_never_exceed_the_limit() -> None:
    station = Station(LIMIT, 3_600_000, clock=Clock())
    barrier = threading.Barrier(8)

    def rush(thread: int) -> Iterator[Verdict]:
        barrier.wait()
        for number in range(100):
            yield from station.charge([Order(f"{thread}-{number}", 1, "car", 7_000, 1_000)])
            if number % 3 == 0:
                station.cancel(f"{thread}-{number}", 1)

    with ThreadPoolExecutor(8) as pool:
        verdicts = [verdict for told in pool.map(lambda thread: list(rush(thread)), range(8)) for verdict in told]
    snapshot = station.snapshot()
    assert Verdict.NO_ROOM in verdicts
    assert snapshot.peak <= LIMIT
    assert snapshot.drawn == sum(charging.order.watts for charging in snapshot.charging)
    assert snapshot.started == verdicts.count(Verdict.CHARGING)
    assert snapshot.overload_s == 0


SESSIONS = st.sampled_from("abcd")
ATTEMPTS = st.integers(1, 4)
STEPS = 40


class AnyStation(RuleBasedStateMachine):
    """Any orders, cancels and waits, in any order, checked against what was promised."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[End] = []
        self.clock = Clock()
        self.station = Station(LIMIT, 360.0, clock=self.clock, on_end=self.ends.append)
        self.never: set[tuple[str, int]] = set()
        self.energy: dict[tuple[str, int], int] = {}

    @rule(session=SESSIONS, attempt=ATTEMPTS, watts=st.integers(1, LIMIT), energy_wh=st.integers(1, 100_000))
    def charge(self, session: str, attempt: int, watts: int, energy_wh: int) -> None:
        before = self.station.snapshot().started
        (verdict,) = self.station.charge([Order(session, attempt, "car", watts, energy_wh)])
        if self.station.snapshot().started > before:
            assert verdict is Verdict.CHARGING
            assert (session, attempt) not in self.never
            assert (session, attempt) not in self.energy, "an attempt starts once"
            self.energy[session, attempt] = energy_wh
        elif verdict is not Verdict.CHARGING:
            self.never.add((session, attempt))

    @rule(session=SESSIONS, attempt=ATTEMPTS | st.none())
    def cancel(self, session: str, attempt: int | None) -> None:
        self.station.cancel(session, attempt)
        assert attempt is None or (session, attempt) not in self.running()
        if attempt is not None:
            self.never.add((session, attempt))
            assert (session, attempt) in self.told()

    @rule(session=SESSIONS, attempt=ATTEMPTS)
    def stop(self, session: str, attempt: int) -> None:
        self.station.stop(session, attempt)
        assert (session, attempt) not in self.running()
        self.never.add((session, attempt))
        assert (session, attempt) in self.told()

    @rule(seconds=st.floats(0, MEMORY_S / STEPS))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def finish_due(self) -> None:
        self.station.finish_due()

    @rule()
    def report(self) -> None:
        self.station.reported(self.station.snapshot().unreported)

    def running(self) -> set[tuple[str, int]]:
        return {(charging.order.session, charging.order.attempt) for charging in self.station.snapshot().charging}

    def told(self) -> set[tuple[str, int]]:
        return {(end.session, end.attempt) for end in self.station.snapshot().unreported}

    @invariant()
    def the_limit_holds(self) -> None:
        snapshot = self.station.snapshot()
        assert snapshot.drawn == sum(charging.order.watts for charging in snapshot.charging) <= LIMIT
        assert snapshot.peak <= LIMIT
        assert snapshot.overload_s == 0

    @invariant()
    def nobody_gets_more_than_was_asked_for(self) -> None:
        snapshot = self.station.snapshot()
        for charging in snapshot.charging:
            assert 0 <= charging.delivered_wh(snapshot.now) <= charging.order.energy_wh
        for end in self.ends:
            assert 0 <= end.delivered_wh <= self.energy[end.session, end.attempt]
            assert end.how != "finished" or end.delivered_wh == self.energy[end.session, end.attempt]

    @invariant()
    def every_attempt_that_started_runs_or_has_ended_once(self) -> None:
        running = self.running()
        ended = [(end.session, end.attempt) for end in self.ends]
        assert len(ended) == len(set(ended))
        assert set(self.energy) == set(ended) | running
        assert not set(ended) & running


TestAnyStation = AnyStation.TestCase
TestAnyStation.settings = settings(max_examples=60, stateful_step_count=STEPS, deadline=None)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, LIMIT), st.integers(1, 1_000_000)), min_size=1, max_size=20))
def test_whoever_charges_to_the_end_gets_exactly_its_energy(cars: list[tuple[int, int]]) -> None:
    feeder = Feeder(time_scale=1_000)
    asked = {f"s{i}": energy_wh for i, (_, energy_wh) in enumerate(cars)}
    started = [
        name for name, (watts, wh) in zip(asked, cars, strict=True) if feeder.charge(name, watts, wh) == "charging"
    ]
    feeder.clock.advance(1e9)
    feeder.station.finish_due()
    assert {end.session: end.delivered_wh for end in feeder.ends} == {name: asked[name] for name in started}
