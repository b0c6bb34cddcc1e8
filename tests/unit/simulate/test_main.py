"""What is said before a run and after it."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from loadtest.simulate import __main__ as simulate
from loadtest.simulate.cells import Cell, Result, run
from loadtest.simulate.options import parse

QUIET = Console(quiet=True)


def here(cells: Sequence[Cell], processes: int, console: Console) -> list[Result]:
    return [run(cell) for cell in cells]


def never() -> dict[str, str]:
    raise AssertionError("nothing is begun")


@pytest.mark.parametrize("taken", ["file", "file/below", "folder"])
def test_where_nothing_can_be_written_is_said_before_anything_is_simulated(
    taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").symlink_to("/proc")
    monkeypatch.setattr(simulate, "machine", never)
    monkeypatch.setattr(simulate, "end_on_signals", lambda: None)
    monkeypatch.setattr(sys, "argv", ["simulate", "--out", str(tmp_path / taken)])

    with pytest.raises(SystemExit) as exit:
        simulate.main()

    assert str(exit.value).startswith(f"--out {tmp_path / taken}: nothing can be written there (")


def test_at_the_end_it_is_said_how_many_processes_ran_and_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "machine", dict)
    monkeypatch.setattr(simulate, "simulate", here)
    typed = "--substations 200 --substations 3x200 --sizes 50:1 --loads 0.5,0.9 --arms random --arrivals 1000"
    out = io.StringIO()

    asked = parse([*typed.split(), "--processes", "100000", "--out", str(tmp_path)], "about")
    simulate.run(asked, Console(file=out, width=1_000), QUIET)

    used, wrote = out.getvalue().splitlines()[-2:]
    assert used.endswith("; processes 4")
    written = [tmp_path / name for name in ("placement.json", "placement-1.png", "placement-2.png")]
    assert wrote.split() == ["Written:", *map(str, written)]
    assert sorted(tmp_path.iterdir()) == sorted(written)


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    simulate.make_writable(tmp_path / "new" / "folder")

    assert not list((tmp_path / "new" / "folder").iterdir())
