"""Whoever asks while a call to the balancers is under way goes with the others in the next one: a rush needs few calls.

As databases commit in groups: who comes alone goes at once, and nobody waits to have company.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import islice
from typing import Any

from grid.http import MOST_IDS, Reply

MOST_REQUESTS = MOST_IDS
MOST_CARS = 100
"""In one call, but for a fleet that has more: a call lasts as long as its slowest substation."""
PATIENCE_S = 0.025
"""So long after the newest call has gone, nobody waits for it: it may be with a balancer that hangs."""

Order = dict[str, Any]


@dataclass(eq=False, slots=True)
class _Asked:
    request_id: str
    orders: Sequence[Order]
    turn: threading.Event = field(default_factory=threading.Event)
    answer: "Future[Reply]" = field(default_factory=Future)


class Grouping:
    """`route` asks a balancer: with the ids of the requests, and their orders. Safe between threads."""

    def __init__(self, route: Callable[[str, list[Order]], Reply]) -> None:
        self._route = route
        self._lock = threading.Lock()
        self._queue: deque[_Asked] = deque()
        self._under_way = 0
        self._newest = 0.0

    def __call__(self, request_id: str, orders: Sequence[Order]) -> Reply:
        """What the balancer answers to these orders. Raises what `route` raises, which is everybody's in the call."""
        if len(orders) >= MOST_CARS:  # a group of its own
            return self._route(request_id, list(orders))
        mine = _Asked(request_id, orders)
        with self._lock:
            self._queue.append(mine)
            patience_s = self._newest + PATIENCE_S - time.monotonic() if self._under_way else 0.0
        if patience_s > 0:
            mine.turn.wait(patience_s)
        while group := self._next_group(mine):
            self._ask_for(group)
        return mine.answer.result()

    def _next_group(self, mine: _Asked) -> list[_Asked]:
        """The first in the queue; nobody once `mine` has left it."""
        with self._lock:
            if mine not in self._queue:
                return []
            group = [self._queue.popleft()]
            cars = len(group[0].orders)
            while self._queue and len(group) < MOST_REQUESTS:
                cars += len(self._queue[0].orders)
                if cars > MOST_CARS:
                    break
                group.append(self._queue.popleft())
            self._under_way += 1
            self._newest = time.monotonic()
            return group

    def _ask_for(self, group: Sequence[_Asked]) -> None:
        self._answer(group)
        with self._lock:
            self._under_way -= 1
            following = [self._queue[0]] if self._queue else []
        for asked in [*group, *following]:
            asked.turn.set()

    def _answer(self, group: Sequence[_Asked]) -> None:
        ids = ",".join(asked.request_id for asked in group)
        orders = [order for asked in group for order in asked.orders]
        try:
            reply = self._route(ids, orders)
            if reply.status == HTTPStatus.MULTI_STATUS:
                bodies = iter([body for _, body in zip(orders, reply.body, strict=True)])
                replies = [replace(reply, body=list(islice(bodies, len(asked.orders)))) for asked in group]
            else:
                replies = [reply] * len(group)
        except BaseException as error:
            for asked in group:
                asked.answer.set_exception(error)
            return
        if len(group) > 1 and reply.status < HTTPStatus.INTERNAL_SERVER_ERROR and replies[0] is reply:
            # One of them is refused for all: each for itself, then.
            for asked in group:
                self._answer([asked])
            return
        for asked, its_reply in zip(group, replies, strict=True):
            asked.answer.set_result(its_reply)
