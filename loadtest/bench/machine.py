"""What the benchmark was run on, and with what."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version

NEEDED = ("wrk", "nginx", "redis-server")


def missing() -> str:
    """What to do about programs that are not installed; empty if all are."""
    names = [name for name in NEEDED if shutil.which(name) is None]
    return f"{' and '.join(names)} missing: apt install wrk nginx-light redis-server" if names else ""


def versions() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        **{package: version(package) for package in ("gunicorn", "Flask", "urllib3", "pydantic", "redis", "requests")},
        "nginx": _says("nginx", "-v").rpartition("/")[2],
        "redis-server": _says("redis-server", "--version").split()[2].removeprefix("v="),
        "wrk": _says("wrk", "-v").split()[1],
        "kernel": platform.release(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _says(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.splitlines()[0].strip()
