"""The balancers' client: any of them will do, and the next one too, since the session id makes two requests one."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from grid.http import Client, NoAnswer, NotSent, Reply
from grid.problems import Problem

SHUN_S = 5.0
"""How long a balancer that did not answer is asked only after all others."""


class NoBalancer(Problem):
    """No balancer answered. `in_doubt`: one may have done what it was asked to do."""

    def __init__(self, in_doubt: bool, retry_after_s: int) -> None:
        super().__init__("balancer-unavailable", "no balancer answered in time", retry_after_s=retry_after_s)
        self.in_doubt = in_doubt


class BalancerClient:
    """Takes turns between `urls`. Gives one of them `try_ms`, and gives up after `timeout_ms`."""

    def __init__(self, client: Client, urls: tuple[str, ...], try_ms: int, timeout_ms: int, retry_after_s: int) -> None:
        self._client = client
        self._urls = urls
        self._turns = itertools.count()
        self._shunned: dict[str, float] = {}
        self._try_ms = try_ms
        self._timeout_s = timeout_ms / 1000
        self._retry_after_s = retry_after_s

    def call(self, method: str, path: str, request_id: str, body: Any = None) -> Reply:
        """The first answer that any balancer gives. Raises NoBalancer if none does.

        One that cannot reach the ledger may be the only one, so one other is asked then.
        """
        deadline = time.monotonic() + self._timeout_s
        without_ledger: Reply | None = None
        in_doubt = False
        for url in self._in_turn():
            remaining_ms = int((deadline - time.monotonic()) * 1000)
            if remaining_ms <= 0:
                break
            try:
                reply = self._client.call(method, url + path, request_id, body, min(self._try_ms, remaining_ms))
            except (NotSent, NoAnswer) as error:
                in_doubt |= isinstance(error, NoAnswer)
                self._shunned[url] = time.monotonic() + SHUN_S
                continue
            if not _is_no_balancer(reply):
                in_doubt |= reply.in_doubt or _is_in_doubt(reply)
                if without_ledger or not _is_without_ledger(reply):
                    return replace(reply, in_doubt=in_doubt)
                without_ledger = reply
            self._shunned[url] = time.monotonic() + SHUN_S
        if without_ledger:
            return replace(without_ledger, in_doubt=in_doubt)
        raise NoBalancer(in_doubt, self._retry_after_s)

    def _in_turn(self) -> Iterator[str]:
        """Every balancer, beginning with the next; the shunned last; then all once more."""
        first = next(self._turns) % len(self._urls)
        turn = self._urls[first:] + self._urls[:first]
        now = time.monotonic()
        trusted = [url for url in turn if self._shunned.get(url, 0.0) <= now]
        return itertools.chain(trusted, (url for url in turn if url not in trusted), turn)


def _is_no_balancer(reply: Reply) -> bool:
    """Whether somebody else answered: a container that was given the address of a balancer that died."""
    return reply.status == HTTPStatus.NOT_FOUND and reply.body.get("type") == "about:blank"


def _is_without_ledger(reply: Reply) -> bool:
    return any(body.get("type") == "/problems/ledger-unavailable" for body in _bodies(reply))


def _is_in_doubt(reply: Reply) -> bool:
    """Whether a balancer failed on the way, or says that the ledger may have done it."""
    unexpected = reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not _is_without_ledger(reply)
    return unexpected or any(body.get("in_doubt", False) for body in _bodies(reply))


def _bodies(reply: Reply) -> list[dict[str, Any]]:
    return reply.body if isinstance(reply.body, list) else [reply.body]
