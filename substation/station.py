"""The simulated feeder: which cars charge, what they draw, when each is done. The only place that knows a battery."""

import heapq
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

MEMORY_S = 600.0
"""How long an ended or refused attempt is remembered, so that a late POST cannot start it again."""


class Verdict(StrEnum):
    """What a station says to an order: it charges from now on, or does already, or has, or why it does not."""

    STARTED = "started"
    CHARGING = "charging"
    FINISHED = "finished"
    NO_ROOM = "no-room"
    CANCELLED_BEFORE = "cancelled-before"
    WRONG_EPOCH = "wrong-epoch"
    OUT_OF_TOUCH = "out-of-touch"


NEVER_STARTED = "never_started"


@dataclass(frozen=True, slots=True)
class Order:
    """One car to charge: W and Wh. A higher attempt of the same session replaces a lower one."""

    session: str
    attempt: int
    vehicle: str
    watts: int
    energy_wh: int


@dataclass(frozen=True, slots=True)
class Charging:
    """A car that draws `order.watts` from `started` until its energy is delivered at `ends` (the clock's seconds)."""

    order: Order
    started: float
    ends: float

    def delivered_wh(self, now: float) -> int:
        if now >= self.ends:
            return self.order.energy_wh
        return int(self.order.energy_wh * (now - self.started) / (self.ends - self.started))


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended here, as the ledger's heartbeat.lua has it. `highest`: of its session's attempts."""

    session: str
    attempt: int
    how: str
    delivered_wh: int
    highest: int
    at: float
    lasted_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A consistent view, taken under the lock. `unreported` are the ends the ledger has not acknowledged.

    W and s; `started`, `peak` and `overload_s` count from the station's own start.
    """

    charging: list[Charging]
    unreported: list[End]
    started: int
    drawn: int
    peak: int
    overload_s: float
    now: float


class Station:
    """Charges cars up to `limit` watts. Safe to share between threads; every method is O(log S) or O(S).

    `on_change` is called, outside the lock, after a session ended or was refused: the ledger should hear of it.
    `on_end` is called with each end, for counting.
    """

    def __init__(
        self,
        limit: int,
        time_scale: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[], None] = lambda: None,
        on_end: Callable[[End], None] = lambda end: None,
    ) -> None:
        self.limit = limit
        self.time_scale = time_scale
        self.on_change = on_change
        self.on_end = on_end
        self._clock = clock
        self._lock = threading.Condition()
        self._charging: dict[str, Charging] = {}
        self._ends: list[tuple[float, str, int]] = []
        self._memory: dict[str, End] = {}
        self._unreported: dict[tuple[str, int], End] = {}
        self._open = True
        self._started = 0
        self._drawn = 0
        self._peak = 0
        self._overload_s = 0.0
        self._overload_since: float | None = None

    def charge(self, orders: Iterable[Order]) -> list[Verdict]:
        """Start each car if it fits. The same order again gets the same answer."""
        changed = False
        verdicts = []
        with self._lock:
            now = self._clock()
            changed |= self._finish_due(now)
            for order in orders:
                verdict = self._recall(order) or self._start(order, now)
                verdicts.append(verdict)
                changed |= verdict is Verdict.NO_ROOM
        if changed:
            self.on_change()
        return verdicts

    def recall(self, order: Order) -> Verdict | None:
        """What this station says to an order that it has seen before, and None to one that it has not."""
        with self._lock:
            return self._recall(order)

    def cancel(self, session: str, attempt: int | None = None) -> bool:
        """Stop an attempt (the one that runs, if None) for its owner, and never start it later.

        False if it did not run here. The ledger is told also then: that it never will run is the answer.
        """
        with self._lock:
            runs, is_news = self._stop(session, attempt, "cancelled", "cancelled")
        if is_news:
            self.on_change()
        return runs

    def stop(self, session: str, attempt: int) -> bool:
        """The same for the ledger, which has given this attempt up, or asks what became of it.

        How it ended is among the unreported then, also if it was reported before. False if that is no news.
        """
        with self._lock:
            return self._stop(session, attempt, "stopped", NEVER_STARTED)[1]

    def close(self) -> None:
        """Stop every car and start none from now on: this substation goes away, and others can have them."""
        with self._lock:
            now = self._clock()
            self._finish_due(now)
            self._open = False
            for running in list(self._charging.values()):
                self._end(running, "stopped", now)

    def finish_due(self) -> None:
        """End every car that has its energy."""
        with self._lock:
            changed = self._finish_due(self._clock())
        if changed:
            self.on_change()

    def wait_for_end(self, timeout_s: float) -> None:
        """Sleep until the next car should be done, one was started that is done sooner, or `timeout_s` has passed."""
        with self._lock:
            until = self._ends[0][0] - self._clock() if self._ends else timeout_s
            if until > 0:
                self._lock.wait(min(until, timeout_s))

    def snapshot(self) -> Snapshot:
        with self._lock:
            now = self._clock()
            changed = self._finish_due(now)
            self._forget(now)
            snapshot = Snapshot(
                charging=list(self._charging.values()),
                unreported=list(self._unreported.values()),
                started=self._started,
                drawn=self._drawn,
                peak=self._peak,
                overload_s=self._overload(now),
                now=now,
            )
        if changed:
            self.on_change()
        return snapshot

    def reported(self, ends: Iterable[End]) -> None:
        """The ledger has taken these in."""
        with self._lock:
            for end in ends:
                self._unreported.pop((end.session, end.attempt), None)

    def _stop(self, session: str, attempt: int | None, how: str, how_if_it_never_ran: str) -> tuple[bool, bool]:
        """Whether it ran, and whether its end is news."""
        now = self._clock()
        is_news = self._finish_due(now)
        running = self._charging.get(session)
        if running is not None and attempt in (None, running.order.attempt):
            self._end(running, how, now)
            return True, True
        if attempt is not None:
            is_news |= self._acknowledge(session, attempt, how_if_it_never_ran, now)
        return False, is_news

    def _recall(self, order: Order) -> Verdict | None:
        """What was already said about this attempt, or to a later one; None if it is news."""
        running = self._charging.get(order.session)
        if running is not None and order.attempt == running.order.attempt:
            return Verdict.CHARGING
        before = self._memory.get(order.session)
        if before is not None and order.attempt <= before.attempt:
            finished = order.attempt == before.attempt and before.how == "finished"
            return Verdict.FINISHED if finished else Verdict.CANCELLED_BEFORE
        if running is not None and order.attempt < running.order.attempt:
            return Verdict.CANCELLED_BEFORE
        return None

    def _start(self, order: Order, now: float) -> Verdict:
        running = self._charging.get(order.session)
        if running is not None:
            self._end(running, "stopped", now)
        if not self._open or self._drawn + order.watts > self.limit:
            self._tell(End(order.session, order.attempt, NEVER_STARTED, 0, order.attempt, now))
            return Verdict.NO_ROOM
        seconds = order.energy_wh / order.watts * 3600 / self.time_scale
        self._charging[order.session] = Charging(order, now, now + seconds)
        end = (now + seconds, order.session, order.attempt)
        heapq.heappush(self._ends, end)
        if self._ends[0] is end:
            self._lock.notify()
        self._started += 1
        self._draw(order.watts, now)
        return Verdict.STARTED

    def _finish_due(self, now: float) -> bool:
        changed = False
        while self._ends and self._ends[0][0] <= now:
            _, session, attempt = heapq.heappop(self._ends)
            running = self._charging.get(session)
            if running is not None and running.order.attempt == attempt:
                self._end(running, "finished", running.ends)
                changed = True
        return changed

    def _end(self, running: Charging, how: str, now: float) -> None:
        order = running.order
        del self._charging[order.session]
        self._draw(-order.watts, now)
        delivered_wh, lasted_s = running.delivered_wh(now), now - running.started
        end = End(order.session, order.attempt, how, delivered_wh, order.attempt, now, lasted_s)
        self._tell(end)
        self.on_end(end)

    def _acknowledge(self, session: str, attempt: int, how: str, now: float) -> bool:
        """Tell how an attempt that does not run has ended. False if nothing about it has changed."""
        before, running = self._memory.get(session), self._charging.get(session)
        if before is None or before.attempt < attempt or (before.attempt == attempt and before.how == NEVER_STARTED):
            highest = max(attempt, running.order.attempt) if running else attempt
            self._tell(End(session, attempt, how, 0, highest, now))
            return before is None or (before.attempt, before.how) != (attempt, how)
        if before.attempt > attempt:
            # Whoever asks for it may not know how the later one ended.
            self._unreported[session, attempt] = End(session, attempt, how, 0, before.attempt, now)
        self._unreported[session, before.attempt] = before
        return False

    def _tell(self, end: End) -> None:
        self._unreported[end.session, end.attempt] = end
        # A lower attempt may outlive a higher one that was cancelled before it came: the higher one counts.
        before = self._memory.get(end.session)
        if before is None or before.attempt <= end.attempt:
            self._memory[end.session] = end

    def _draw(self, watts: int, now: float) -> None:
        self._overload_s = self._overload(now)
        self._drawn += watts
        self._peak = max(self._peak, self._drawn)
        self._overload_since = now if self._drawn > self.limit else None

    def _overload(self, now: float) -> float:
        return self._overload_s + (0.0 if self._overload_since is None else now - self._overload_since)

    def _forget(self, now: float) -> None:
        old = [session for session, end in self._memory.items() if now - end.at > MEMORY_S]
        for session in old:
            del self._memory[session]
