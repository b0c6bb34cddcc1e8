"""How to set Locust's drivers loose on a grid, as a process of their own."""

import sys
from pathlib import Path

from loadtest.options import Options

AT_ONCE = 500
USERS_PER_DRIVER = 1.2  # one of ten users is a fleet
LOCUSTFILE = Path(__file__).with_name("locustfile.py")


def locust_command(url: str, options: Options, at_once: int | None = None) -> list[str]:
    """It ends when the shape does. At most `at_once` calls are under way; others are late, and count so."""
    burst = round(options.peak * USERS_PER_DRIVER) if options.shape == "burst" else 0
    users = str(at_once or max(AT_ONCE, burst))
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary", "--host", url]
    return [*command, "--users", users, "--spawn-rate", users, "--exit-code-on-error", "0", *options.arguments()]
