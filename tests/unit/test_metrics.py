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
