"""The balancers' client: any of them will do, and the next one too, since the session id makes two requests one."""

import itertools
import time
from typing import Any

from grid.http import Client, NoAnswer, NotSent, Reply
from grid.problems import Problem


class BalancerClient:
    """Takes turns between `urls`. Gives up after `timeout_ms`."""

    def __init__(self, client: Client, urls: tuple[str, ...], timeout_ms: int, retry_after_s: int) -> None:
        self._client = client
        self._urls = urls
        self._turns = itertools.count()
        self._timeout_s = timeout_ms / 1000
        self._retry_after_s = retry_after_s

    def call(self, method: str, path: str, request_id: str, body: Any = None) -> Reply:
        """The first answer that any balancer gives. Raises Problem if none does."""
        deadline = time.monotonic() + self._timeout_s
        turn = next(self._turns)
        for step in range(max(2, len(self._urls))):
            remaining_ms = int((deadline - time.monotonic()) * 1000)
            if remaining_ms <= 0:
                break
            url = self._urls[(turn + step) % len(self._urls)]
            try:
                return self._client.call(method, url + path, request_id, body, remaining_ms)
            except (NotSent, NoAnswer):
                continue
        raise Problem("balancer-unavailable", "no balancer answered in time", retry_after_s=self._retry_after_s)
