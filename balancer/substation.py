"""The substations' client: tells them what to start and stop now, as the ledger's replies to heartbeats do later."""

import logging
from collections.abc import Sequence
from enum import Enum
from http import HTTPStatus
from typing import Any

from grid.http import Client, NoAnswer, NotSent

log = logging.getLogger(__name__)


class Started(Enum):
    """What a substation says to an order."""

    YES = "yes"
    NO = "no"
    """It never will."""
    UNKNOWN = "unknown"


class SubstationClient:
    def __init__(self, client: Client) -> None:
        self._client = client

    def charge(self, url: str, orders: Sequence[dict[str, Any]], request_id: str) -> list[Started]:
        """POST /charge for all orders at once. Raises NotSent or NoAnswer."""
        reply = self._client.call("POST", f"{url}/charge", request_id, list(orders))
        if reply.status == HTTPStatus.MULTI_STATUS:
            return [_ANSWERS.get(item["status"], Started.UNKNOWN) for item in reply.body]
        if reply.status not in _ANSWERS:
            raise NoAnswer(f"{url} answered {reply.status} to {len(orders)} orders: {reply.body}")
        return [_ANSWERS[reply.status]] * len(orders)

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
