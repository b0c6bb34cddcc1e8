"""/health (this process is alive) and /ready (so is everything it depends on); and the probe for containers."""

import sys
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:  # every probe is a new process, and Flask would be most of what it costs
    from flask import Flask

Check = Callable[[], str | None]
"""Returns None, or what is wrong in words for a person."""


def init_app(app: "Flask", checks: dict[str, Check]) -> None:
    @app.route("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.route("/ready")
    def ready() -> tuple[dict[str, Any], int]:
        wrong = {name: check() for name, check in checks.items()}
        is_ready = not any(wrong.values())
        body = {"ready": is_ready, "checks": {name: reason or "ok" for name, reason in wrong.items()}}
        return body, 200 if is_ready else 503


def probe(url: str, timeout_s: float = 2.0) -> bool:
    """Whether a GET of this URL answers 2xx. Asks it directly, whatever proxy the environment names."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=timeout_s)
    try:
        connection.request("GET", parts.path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if probe(sys.argv[1]) else 1)
