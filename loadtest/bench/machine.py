"""What the benchmark was run on, and with what."""

import os
import platform
import shutil
import subprocess
from collections.abc import Collection
from importlib.metadata import version

PACKAGES = {"wrk": "wrk", "nginx": "nginx-light", "redis-server": "redis-server"}
"""Programs, and what Debian and Ubuntu have them in."""


def missing(needed: Collection[str] = tuple(PACKAGES)) -> str:
    """What to do about programs that are not installed; empty if all are."""
    names = [name for name in needed if shutil.which(name) is None]
    if not names:
        return ""
    return f"{' and '.join(names)} missing: apt install {' '.join(PACKAGES[name] for name in needed)}"


def versions() -> dict[str, str]:
    """Of everything that a whole request meets."""
    return {
        **{package: version(package) for package in ("gunicorn", "Flask", "urllib3", "pydantic", "requests")},
        "nginx": _says("nginx", "-v").rpartition("/")[2],
        "wrk": _says("wrk", "-v").split()[1],
        **versions_of_ledger(),
    }


def versions_of_ledger() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        "redis": version("redis"),
        "redis-server": _says("redis-server", "--version").split()[2].removeprefix("v="),
        "kernel": platform.release(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _says(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.splitlines()[0].strip()
