"""The rules that ours is compared with. Each sees what its text says, and nothing else."""

import random
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Protocol

from loadtest.simulate.timeline import Event, What


class Policy(Protocol):
    """Decides where cars go."""

    def decide(self, events: Sequence[Event]) -> Sequence[int | None]:
        """The substation (its index) of each car that asks, in order; None if it is refused."""


class PlainRule(ABC):
    """A policy in plain Python; `free` are the W at each substation that nobody holds."""

    def __init__(self, limits: Sequence[int]) -> None:
        self.limits = limits
        self.free = list(limits)
        self._held: dict[int, tuple[int, int]] = {}

    @abstractmethod
    def choose(self, watts: int) -> int | None:
        """The substation for a car of this power."""

    def poll(self) -> None:  # noqa: B027 - most rules see everything, or nothing, and need no period
        """A period is over."""

    def give(self, substation: int, watts: int) -> None:
        """So much is given to a substation's cars; below zero, they give it back."""
        self.free[substation] -= watts

    def decide(self, events: Sequence[Event]) -> list[int | None]:
        decisions: list[int | None] = []
        for event in events:
            if event.what is What.ASKS:
                chosen = self.choose(event.watts)
                if chosen is not None:
                    self.give(chosen, event.watts)
                    self._held[event.number] = chosen, event.watts
                decisions.append(chosen)
            elif event.what is What.TICK:
                self.poll()
            elif held := self._held.pop(event.number, None):
                self.give(held[0], -held[1])
        return decisions

    def load(self, substation: int) -> float:
        return 1 - self.free[substation] / self.limits[substation]


class Random(PlainRule):
    """Any substation; refused if that one has no room."""

    def __init__(self, limits: Sequence[int], seed: int) -> None:
        super().__init__(limits)
        self._uniform = random.Random(f"where to go {seed}").random

    def choose(self, watts: int) -> int | None:
        one = self._any()
        return one if self.free[one] >= watts else None

    def _any(self) -> int:
        return int(self._uniform() * len(self.free))


class PowerOfTwo(Random):
    """The less loaded of any two (Mitzenmacher 2001); the other one if that has no room."""

    def choose(self, watts: int) -> int | None:
        one, other = self._any(), self._any()
        if self.load(other) < self.load(one):
            one, other = other, one
        if self.free[one] >= watts:
            return one
        return other if self.free[other] >= watts else None


class Polling(PlainRule):
    """Everybody goes to the substation that was the least loaded when all were asked last; it takes everybody."""

    def __init__(self, limits: Sequence[int]) -> None:
        super().__init__(limits)
        self._target = 0

    def poll(self) -> None:
        self._target = min(range(len(self.limits)), key=self.load)

    def choose(self, watts: int) -> int | None:
        return self._target


class PollingCapped(Polling):
    """The same, but the substation refuses what does not fit."""

    def choose(self, watts: int) -> int | None:
        return self._target if self.free[self._target] >= watts else None


class BestFit(PlainRule):
    """The substation with the least room that is enough."""

    def __init__(self, limits: Sequence[int]) -> None:
        super().__init__(limits)
        self._by_room = sorted((free, substation) for substation, free in enumerate(self.free))

    def choose(self, watts: int) -> int | None:
        found = bisect_left(self._by_room, (watts, 0))
        return self._by_room[found][1] if found < len(self._by_room) else None

    def give(self, substation: int, watts: int) -> None:
        del self._by_room[bisect_left(self._by_room, (self.free[substation], substation))]
        super().give(substation, watts)
        insort(self._by_room, (self.free[substation], substation))
