"""How to set Locust's drivers loose on a grid, as a process of their own."""

import sys


def locust_command(url: str, drivers: int) -> list[str]:
    """All of them come within three seconds. They stop when they are told to, unless a --run-time is added."""
    command = [sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", "--headless", "--only-summary"]
    command += ["--host", url, "--users", str(drivers), "--spawn-rate", str(drivers / 3)]
    return [*command, "--exit-code-on-error", "0"]
