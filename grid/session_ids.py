"""Session ids: `<zone>-<24 hex digits>`, so that any replica knows where a session is written down."""

import hashlib
import re
import secrets

PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?-[0-9a-f]{24}$"
_BYTES = 12
_COMPILED = re.compile(PATTERN)


def new(zone: str) -> str:
    """An id nobody has."""
    return f"{zone}-{secrets.token_hex(_BYTES)}"


def from_key(zone: str, idempotency_key: str, index: int) -> str:
    """The same id for the same key and place in the request: this is what makes a repeated request one session."""
    digest = hashlib.blake2b(f"{index}:{idempotency_key}".encode(), digest_size=_BYTES)
    return f"{zone}-{digest.hexdigest()}"


def is_valid(session_id: str) -> bool:
    return _COMPILED.fullmatch(session_id) is not None


def zone_of(session_id: str) -> str:
    """The zone an id begins with, or '' if it is no session id."""
    return session_id.rpartition("-")[0] if is_valid(session_id) else ""
