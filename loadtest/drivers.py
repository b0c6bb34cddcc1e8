"""How to set Locust's drivers loose on a grid, as a process of their own."""

import sys
from pathlib import Path

from loadtest.options import Options

AT_ONCE = 200
LOCUSTFILE = Path(__file__).with_name("locustfile.py")


def locust_command(url: str, options: Options, at_once: int = AT_ONCE) -> list[str]:
    """It ends when the shape does. At most `at_once` calls are under way; others are late, and count so."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary", "--host", url]
    command += ["--users", str(at_once), "--spawn-rate", str(at_once), "--exit-code-on-error", "0"]
    return [*command, *options.arguments()]
