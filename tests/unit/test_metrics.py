"""/metrics adds up what every worker has written to its files."""

from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from grid import metrics


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def worker_counts(folder: Path, pid: int, number: float) -> None:
    file = MmapedDict(str(folder / f"counter_{pid}.db"))
    file.write_value(mmap_key("cars", "cars_total", [], [], "Cars"), number, 0.0)
    file.close()


def test_every_worker_is_counted(folder: Path) -> None:
    worker_counts(folder, 1, 2.0)
    worker_counts(folder, 2, 3.0)

    assert b"\ncars_total 5.0\n" in metrics.render()


def test_a_worker_that_has_just_made_its_file_does_not_hide_the_others(folder: Path) -> None:
    worker_counts(folder, 1, 2.0)
    (folder / "counter_2.db").touch()

    assert b"\ncars_total 2.0\n" in metrics.render()


def test_the_processes_are_shown_beside_what_the_workers_count(folder: Path) -> None:
    shown = metrics.render().decode()

    assert all(f"\n{name} " in shown for name in metrics.PROCESS_METRICS)
    assert shown.count("\n# TYPE ") + shown.startswith("# TYPE ") == len(metrics.PROCESS_METRICS)


def test_where_there_is_no_proc_the_rest_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker_counts(folder, 1, 2.0)
    monkeypatch.setattr("grid.metrics.os.getppid", lambda: 0)

    assert "grid_process" not in (shown := metrics.render().decode())
    assert "cars_total 2.0\n" in shown
