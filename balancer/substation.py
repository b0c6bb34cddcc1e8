"""The substations' client: starts and stops sessions there, and says how sure it is of the outcome."""

import logging
from collections.abc import Sequence
from enum import Enum
from http import HTTPStatus
from typing import Any

from grid.http import Client, NoAnswer, NotSent

log = logging.getLogger(__name__)


class Started(Enum):
    YES = "yes"
    """It charges there."""
    NO = "no"
    """It does not and never will: the substation said so."""
    UNKNOWN = "unknown"
    """Nobody said. Also after a refused connection: another balancer may have got through with the same request."""


class SubstationClient:
    def __init__(self, client: Client) -> None:
        self._client = client

    def charge(self, url: str, orders: Sequence[dict[str, Any]], request_id: str) -> list[Started]:
        """POST /charge for all orders at once; once more if the first got no answer (the session id makes it one)."""
        for _ in range(2):
            try:
                reply = self._client.call("POST", f"{url}/charge", request_id, list(orders))
            except NotSent:
                break
            except NoAnswer:
                continue
            if reply.status == HTTPStatus.MULTI_STATUS:
                return [_started(item["status"]) for item in reply.body]
            log.warning("%s answered %s to %s orders: %s", url, reply.status, len(orders), reply.body)
            return [_started(reply.status)] * len(orders)
        return [Started.UNKNOWN] * len(orders)

    def stop(self, url: str, session: str, attempt: int, request_id: str) -> bool:
        """DELETE /charge: True if the session does not run there (any more) and never will."""
        try:
            reply = self._client.call("DELETE", f"{url}/charge/{session}?attempt={attempt}", request_id)
        except (NotSent, NoAnswer):
            return False
        return reply.status == HTTPStatus.OK or reply.body.get("type") == "/problems/unknown-session"


_ANSWERS: dict[int, Started] = {
    HTTPStatus.CREATED: Started.YES,
    HTTPStatus.CONFLICT: Started.NO,
    HTTPStatus.UNPROCESSABLE_ENTITY: Started.NO,
}


def _started(status: int) -> Started:
    return _ANSWERS.get(status, Started.UNKNOWN)
