"""Our rule, by the scripts that decide in the real grid: the ledger, on the clock of the simulation.

Nothing is decided here. There are two ways to tell the ledger what happens: `Scripts` queues many calls and sends them
in one message, the ends of sessions as `cancel`; `ScriptsWithHeartbeats` tells the ends as substations do, by
heartbeats, one call after the other.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, NoReturn, cast

from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Ended, Heartbeat, Listed, Outcome, Placement, Request
from loadtest.simulate.timeline import Event, What

MEAN_STAY_MS = 3_600_000
FOREVER_MS = 10**12
"""No substation falls silent here."""
FORGET_AFTER = 1_000
"""So many sessions that ended are remembered until the next sweep."""
ENERGY_WH = 1
"""For the session to have some: when it ends is drawn, and not computed from its energy."""
ATTEMPT = 1
"""Nobody is placed twice."""
REFUSED = (Outcome.FULL, Outcome.TOO_BIG)


class DisagreementError(Exception):
    """The ledger did something else than it was asked for: a bug."""


class LedgerPolicy(ABC):
    """A ledger with substations of these limits. `protect` as in Ledger: () is the least loaded."""

    def __init__(self, redis: Redis, limits: Sequence[int], protect: Sequence[int] = ()) -> None:
        self._protect = protect
        self._now_ms = 0
        self._ledger = self._on(redis)
        self._substations = [_Substation(f"substation-{number}", limit) for number, limit in enumerate(limits)]
        self._index = {each.name: index for index, each in enumerate(self._substations)}
        self._ended = 0
        for each in self._substations:
            self._beat(each)

    def decide(self, events: Sequence[Event]) -> list[int | None]:
        """Events of the same kind that follow each other are one call."""
        decisions = self._tell([(what, list(run)) for what, run in groupby(events, attrgetter("what"))])
        if self._ended >= FORGET_AFTER:
            swept = self._ledger.sweep(limit=self._ended)
            if swept.silenced or swept.lost or swept.interrupted or swept.expired:
                raise DisagreementError(f"swept {swept}")
            self._ended = 0
        return decisions

    @abstractmethod
    def _tell(self, runs: Sequence[tuple[What, Sequence[Event]]]) -> list[int | None]: ...

    @property
    def committed(self) -> list[int]:
        """W at each substation, by the ledger's account."""
        rows = {row.substation: row.committed for row in self._ledger.grid()}
        return [rows[each.name] for each in self._substations]

    def _on(self, redis: Redis) -> Ledger:
        return Ledger(
            redis,
            "laboratory",
            LedgerConfig(heartbeat_ttl=FOREVER_MS, longest_line=0, retention=0, protect=self._protect),
            clock=lambda: self._now_ms,
        )

    def _decisions(self, placements: Sequence[Placement]) -> list[int | None]:
        return [self._decision(placement) for placement in placements]

    def _decision(self, placement: Placement) -> int | None:
        if placement.outcome is Outcome.PLACED:
            self._ended += 1  # sooner or later
            return self._index[placement.substation]
        if placement.outcome in REFUSED:
            return None
        raise DisagreementError(f"a new car was answered {placement}")

    def _beat(self, substation: "_Substation") -> None:
        reply = self._ledger.heartbeat(substation.heartbeat())
        if reply.outcome != "ok" or reply.stops or reply.grants:
            raise DisagreementError(f"{substation.name} was answered {reply}")


class Scripts(LedgerPolicy):
    """No call waits for the answer to an earlier one: to cancel a session that was refused changes nothing."""

    def __init__(self, redis: Redis, limits: Sequence[int], protect: Sequence[int] = ()) -> None:
        super().__init__(redis, limits, protect)
        self._queue = _Queue(redis)
        self._queueing = self._on(cast(Redis, self._queue))

    def _tell(self, runs: Sequence[tuple[What, Sequence[Event]]]) -> list[int | None]:
        asked = []
        for what, run in runs:
            self._now_ms = _ms(run)
            for call in self._calls(what, run):
                with suppress(_QueuedError):
                    call()
                asked.append(what)
        decisions: list[int | None] = []
        for what, answers in zip(asked, self._queue.send(), strict=True):
            if what is What.ASKS:
                decisions += self._decisions([Placement(Outcome(answer[0]), *answer[1:]) for answer in answers])
        return decisions

    def _calls(self, what: What, run: Sequence[Event]) -> Iterator[Callable[[], object]]:
        if what is What.ASKS:
            yield partial(self._queueing.reserve, map(_request, run))
        else:
            for event in run:
                # That its substation has stopped it frees the watts at once.
                yield partial(self._queueing.cancel, str(event.number), stopped=ATTEMPT)


class ScriptsWithHeartbeats(LedgerPolicy):
    """A substation tells at once who has left, as it does in the real grid, and at each tick what it carries.

    If it is `late`, it tells who has left at the next tick, too: as if the news of every end were lost on its way.
    """

    def __init__(self, redis: Redis, limits: Sequence[int], protect: Sequence[int] = (), late: bool = False) -> None:
        super().__init__(redis, limits, protect)
        self._late = late

    @property
    def committed(self) -> list[int]:
        self._tick()
        return super().committed

    def _tell(self, runs: Sequence[tuple[What, Sequence[Event]]]) -> list[int | None]:
        decisions: list[int | None] = []
        for what, run in runs:
            self._now_ms = _ms(run)
            if what is What.ASKS:
                decided = self._decisions(self._ledger.reserve(map(_request, run)))
                self._plug_in(run, decided)
                decisions += decided
            elif what is What.LEAVES:
                self._unplug([car.number for car in run])
            else:
                self._tick()
        return decisions

    def _tick(self) -> None:
        for each in self._substations:
            self._beat(each)

    def _plug_in(self, cars: Sequence[Event], decided: Sequence[int | None]) -> None:
        for car, index in zip(cars, decided, strict=True):
            if index is not None:
                self._substations[index].cars[car.number] = _listed(car)

    def _unplug(self, numbers: Sequence[int]) -> None:
        for each in self._substations:
            if each.unplug(numbers) and not self._late:
                self._beat(each)


class _Substation:
    """What is plugged in at one, by number, and who has left since its last heartbeat. It hears every reply."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.cars: dict[int, Listed] = {}
        self._left: list[int] = []
        self._limit = limit
        self._beats = 0

    def unplug(self, numbers: Sequence[int]) -> bool:
        """Says if any of them was here."""
        gone = [number for number in numbers if self.cars.pop(number, None)]
        self._left += gone
        return bool(gone)

    def heartbeat(self) -> Heartbeat:
        self._beats += 1
        ended = [Ended(str(number), ATTEMPT, "finished", ENERGY_WH, ATTEMPT) for number in self._left]
        self._left.clear()
        return Heartbeat(
            self.name,
            f"http://{self.name}",
            epoch=1,
            number=self._beats,
            capacity=self._limit,
            limit=self._limit,
            acknowledged=self._beats - 1,
            could_take=self._limit - sum(car.watts for car in self.cars.values()),
            sessions=list(self.cars.values()),
            ended=ended,
        )


class _QueuedError(Exception):
    """A script was queued: what follows needs its answer, which comes later."""


class _Queue:
    """Stands where a ledger has its client: its scripts are queued and answered together, by `send`.

    To run one raises _QueuedError.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pipeline = redis.pipeline(transaction=False)

    def register_script(self, text: str) -> Callable[..., NoReturn]:
        script = self._redis.register_script(text)

        def queue(keys: Sequence[str], args: Sequence[Any]) -> NoReturn:
            script(keys=keys, args=args, client=self._pipeline)
            raise _QueuedError

        return queue

    def send(self) -> list[Any]:
        return self._pipeline.execute()


def _ms(run: Sequence[Event]) -> int:
    return round(run[0].at * MEAN_STAY_MS)


def _request(event: Event) -> Request:
    return Request(str(event.number), "car", event.watts, ENERGY_WH)


def _listed(event: Event) -> Listed:
    return Listed(str(event.number), ATTEMPT, event.watts, ENERGY_WH, 0, "car")
