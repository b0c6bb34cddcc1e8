"""Any order of events, and many threads at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from substation.station import MEMORY_S, End, Order, Station, Verdict

from .conftest import LIMIT, Clock, Feeder


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
    assert snapshot.started == verdicts.count(Verdict.STARTED)
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
            assert verdict is Verdict.STARTED
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
        name for name, (watts, wh) in zip(asked, cars, strict=True) if feeder.charge(name, watts, wh) == "started"
    ]
    feeder.clock.advance(1e9)
    feeder.station.finish_due()
    assert {end.session: end.delivered_wh for end in feeder.ends} == {name: asked[name] for name in started}
