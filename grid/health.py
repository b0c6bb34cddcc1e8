"""/health (this process is alive) and /ready (so is everything it depends on); and the probe for containers."""

import sys
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
    """Whether a GET of this URL answers 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if probe(sys.argv[1]) else 1)
