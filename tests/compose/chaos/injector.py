"""Lets the containers of a running system suffer as scheduled, several at once, each from one fault at a time."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock, Semaphore
from typing import Any

from ..stack import Stack
from .accounts import Account, ask
from .faults import Container, suffering
from .schedule import NEVER_ALL, REPLICAS, Fault, Kind, service_of

TICK_S = 0.1


@dataclass(frozen=True, slots=True)
class Inflicted:
    """A fault as it happened, by the clock: docker may take its time."""

    fault: Fault
    began: float
    ended: float


class Injector:
    """`accounts` are those of killed substations, `away` what suffers now from what."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._inspected: dict[str, dict[str, Any]] = {}
        self._containers: dict[str, Container] = {}
        for inspected in stack.containers("balancer", "substation", "redis"):
            container = Container.of(inspected)
            self._containers[container.name] = container
            self._inspected[container.name] = inspected
        # The schedule keeps these rules; a docker that takes its time must not break them.
        self._one_at_a_time = {name: Lock() for name in self._containers}
        self._never_all = {service: Semaphore(number - (service in NEVER_ALL)) for service, number in REPLICAS.items()}
        self.accounts: list[Account] = []
        self.away: dict[str, Kind] = {}
        self.inflicted: list[Inflicted] = []

    def inflict(self, faults: Sequence[Fault]) -> Iterator[float]:
        """Yields the seconds since it began, many times a second, until the last fault is over and healed."""
        began = time.monotonic()
        waiting = deque(faults)
        under_way: list[Future[None]] = []
        with ThreadPoolExecutor(len(self._containers)) as hands:
            while waiting or under_way:
                yield (now := time.monotonic() - began)
                while waiting and waiting[0].at <= now:
                    under_way.append(hands.submit(self._inflict, waiting.popleft()))
                for done in [future for future in under_way if future.done()]:
                    under_way.remove(done)
                    done.result()
                time.sleep(TICK_S)

    def _inflict(self, fault: Fault) -> None:
        service = service_of(fault.container)
        with self._one_at_a_time[fault.container], self._never_all[service]:
            if fault.kind is Kind.KILL and service == "substation":
                self.accounts.append(ask(self._stack, self._inspected[fault.container]))
            began = time.time()
            with suffering(self._containers[fault.container], fault.kind):
                self.away[fault.container] = fault.kind
                time.sleep(fault.for_s)
            del self.away[fault.container]
            self.inflicted.append(Inflicted(fault, began, time.time()))
