"""What a tree of processes has used, by Linux' own account in /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def processes(root: int, proc: Path = PROC) -> list[int]:
    """A process, its children, theirs, and so on."""
    children = [int(child) for file in proc.glob(f"{root}/task/*/children") for child in file.read_text().split()]
    return [root, *(pid for child in children for pid in processes(child, proc))]


def cpu_s(pids: Iterable[int], proc: Path = PROC) -> float:
    """User and system time of these processes, and of those of their children that have ended."""
    return sum(_cpu_s((proc / str(pid) / "stat").read_text()) for pid in pids)


def peak_mib(pid: int, proc: Path = PROC) -> float:
    """The most memory a process has had at any time."""
    lines = (proc / str(pid) / "status").read_text().splitlines()
    (kib,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return kib / 1024


def machine_busy_s(proc: Path = PROC) -> float:
    """What all processes of the machine have used, ours and others'."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, (proc / "stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) * TICK_S


def _cpu_s(stat: str) -> float:
    # The name, in brackets, may hold blanks and brackets. utime, stime, cutime and cstime are fields 14 to 17.
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * TICK_S
