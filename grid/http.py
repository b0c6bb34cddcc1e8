"""How the services call each other: one urllib3 pool per host, explicit timeouts, no hidden retries."""

import json
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.util import SKIP_HEADER

TRIES = "X-Upstream-Tries"
"""Of a proxy in between: the addresses it has asked, apart by spaces. If there are several, each may have done it."""
REQUEST_ID = "X-Request-ID"
"""The header that follows a request through every hop and log. A call for several requests has all their ids."""
ONE_ID = r"[A-Za-z0-9._-]{1,128}"
"""What a driver may send."""
MOST_IDS = 32
"""In one header between services, with commas: 4 KiB at most, half of what gunicorn takes."""


class NotSent(Exception):
    """No connection could be opened: the other side has not seen the request."""


class NoAnswer(Exception):
    """The request may or may not have been carried out: it timed out, or the connection broke."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`in_doubt`: if this is no success, an earlier try of the same call may have been one."""

    status: int
    body: Any
    in_doubt: bool = False


class Client:
    """A pool of kept-alive connections to any number of hosts. Safe to share between threads."""

    def __init__(self, connections: int, connect_timeout_ms: int, timeout_ms: int) -> None:
        self._connect_s = connect_timeout_ms / 1000
        self._read_s = timeout_ms / 1000
        # Found by the text before the path: PoolManager reads the whole URL for each call, which costs 45 µs more.
        self._pool = lru_cache(1_000)(partial(urllib3.connection_from_url, maxsize=connections, retries=False))

    def call(self, method: str, url: str, request_id: str, body: Any = None, timeout_ms: int | None = None) -> Reply:
        """One request and its JSON answer, whatever its status.

        Raises NotSent or NoAnswer, so that the caller knows whether it may have had an effect.
        """
        headers = {REQUEST_ID: request_id, "User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        read_s = self._read_s if timeout_ms is None else timeout_ms / 1000
        timeout = urllib3.Timeout(connect=min(self._connect_s, read_s), read=read_s)
        try:
            origin, path = _split(url)
            answer = self._pool(origin).urlopen(
                method, path, data, headers, redirect=False, assert_same_host=False, timeout=timeout
            )
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise NotSent(str(error)) from error
        except HTTPError as error:
            raise NoAnswer(str(error)) from error
        try:
            return Reply(answer.status, json.loads(answer.data), " " in answer.headers.get(TRIES, ""))
        except ValueError:
            raise NoAnswer(f"{url} answered {answer.status} without JSON") from None


def _split(url: str) -> tuple[str, str]:
    """http://one:5000/charge?x=1 → http://one:5000 and /charge?x=1."""
    path_at = url.find("/", url.find("://") + 3)
    return (url, "/") if path_at < 0 else (url[:path_at], url[path_at:])
