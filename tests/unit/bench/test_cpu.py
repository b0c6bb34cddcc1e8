"""What processes have used, from texts as Linux writes them."""

from pathlib import Path

import pytest

from loadtest.bench import cpu


def process(proc: Path, pid: int, *children: int, used: str = "0 0 0 0", peak_kib: int = 0) -> None:
    tasks = proc / str(pid) / "task" / str(pid)
    tasks.mkdir(parents=True)
    (tasks / "children").write_text(" ".join(map(str, children)))
    (proc / str(pid) / "stat").write_text(f"{pid} (a name) (of) it) S 1 2 3 4 5 6 7 8 9 10 {used} 20 0 16 0 99 12345\n")
    (proc / str(pid) / "status").write_text(f"VmPeak:\t99999 kB\nVmHWM:\t  {peak_kib} kB\nVmRSS:\t7 kB\n")


def test_a_process_its_children_and_theirs(tmp_path: Path) -> None:
    process(tmp_path, 10, 11, 12)
    process(tmp_path, 11)
    process(tmp_path, 12, 13)
    process(tmp_path, 13)
    process(tmp_path, 14)

    assert cpu.processes(10, tmp_path) == [10, 11, 12, 13]


def test_what_is_used_is_that_of_all_and_of_children_that_have_ended(tmp_path: Path) -> None:
    process(tmp_path, 10, used="100 20 3 1")
    process(tmp_path, 11, used="5 0 0 0")

    assert cpu.cpu_s([10, 11], tmp_path) == pytest.approx(129 * cpu.TICK_S)


def test_the_most_memory_ever_is_not_what_there_is_now(tmp_path: Path) -> None:
    process(tmp_path, 10, peak_kib=51_200)

    assert cpu.peak_mib(10, tmp_path) == 50


def test_a_machine_that_waits_is_not_busy(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  100 10 50 9999 7777 3 2 0 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n")

    assert cpu.machine_busy_s(tmp_path) == pytest.approx(165 * cpu.TICK_S)
