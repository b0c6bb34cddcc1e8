"""`make rush` in small: a steady rush of a tiny grid, recorded and reported."""

import json
from pathlib import Path

from rich.console import Console

from grid.local import LocalGrid
from loadtest.options import Options
from loadtest.rush import Target, rush

LIMITS_KW = (60, 40)
RUSH = Options("steady", duration=6, load=2, time_scale=3600, look_ups=0.5, cancels=0.2)


def test_a_steady_rush_is_recorded_judged_and_reported(redis_server_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "rush"
    settings = {"TIME_SCALE": str(RUSH.time_scale), "ZONE": "rush", "ZONES": "rush"}
    with LocalGrid(LIMITS_KW, 1, settings=settings, logs=tmp_path / "logs", redis_url=redis_server_url) as grid:
        target = Target(grid.url, "for this test", [each.url for each in grid.substations])
        rush(target, RUSH, folder, Console(quiet=True))
    report = json.loads((folder / "report.json").read_text())
    verdict = report["verdict"]

    assert verdict["kept"], verdict
    assert [each["limit_kw"] for each in verdict["substations"]] == list(LIMITS_KW)
    assert verdict["charging"] > 10
    assert verdict["refused"] > 0
    assert verdict["charging"] + verdict["refused"] == verdict["requests"]
    assert sum(each["sessions"] for each in verdict["substations"]) >= verdict["charging"]
    calls = {json.loads(line)["call"] for line in (folder / "answers.jsonl").read_text().splitlines()}
    assert calls >= {"charge", "look-up", "cancel"}
    assert 0 < report["generator"]["share"] < 1
    assert max(max(loads) for loads in report["series"]["loads"].values()) <= 1
    assert {path.name for path in folder.iterdir()} >= {"report.html", "report.png"}
