"""`make rush` in small: a steady rush of a tiny grid, recorded and reported."""

import json
from pathlib import Path

from rich.console import Console

from grid.local import LocalGrid
from loadtest import answers
from loadtest.desk import LAST_ANSWERS_S
from loadtest.options import Options
from loadtest.own import own_target, simulated
from loadtest.rush import rush

LIMITS_KW = (60, 40)
RUSH = Options("steady", duration=5, load=2, time_scale=3600, look_ups=0.5, cancels=0.2)
OF_THIS_TEST = {"ZONE": "rush", "ZONES": "rush"}


def test_a_steady_rush_is_recorded_judged_and_reported(redis_server_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "rush"
    settings = simulated(RUSH.time_scale) | OF_THIS_TEST
    with LocalGrid(LIMITS_KW, 1, settings=settings, logs=tmp_path / "logs", redis_url=redis_server_url) as grid:
        rush(own_target(grid, "for this test"), RUSH, folder, Console(quiet=True))
    report = json.loads((folder / "report.json").read_text())
    verdict, answered = report["verdict"], answers.read(folder / "answers.jsonl")
    line = verdict["line"]

    assert verdict["kept"], verdict
    assert [each["limit_kw"] for each in verdict["substations"]] == list(LIMITS_KW)
    assert verdict["charging"] > 0
    assert verdict["waiting"] > 10
    assert verdict["charging"] + verdict["waiting"] + verdict["refused"] == verdict["requests"] == verdict["due"]
    # Nobody is refused but for being too powerful for any substation of this grid.
    assert {answer.power_kw for answer in answered if answer.outcome == "refused"} <= {150}
    assert sum(line["fates"].values()) == verdict["waiting"]
    assert line["fates"]["started"] > 10
    assert 0 < line["waited_s"]["p50"] <= line["waited_s"]["longest"] < RUSH.duration + LAST_ANSWERS_S
    assert 0.5 < line["used"] <= 1
    assert 0 < line["after_s"] < LAST_ANSWERS_S
    assert sum(each["sessions"] for each in verdict["substations"]) >= verdict["charging"] + line["fates"]["started"]
    accepted = verdict["acceptance"]
    assert sum(each["asked"] for each in accepted["classes"]) + accepted["too_powerful"] == verdict["requests"]
    assert sum(each["charging"] for each in accepted["classes"]) == verdict["charging"]
    assert sum(each["started"] for each in accepted["classes"]) == line["fates"]["started"]
    assert 0 < accepted["at_once"]["kw_share"] < accepted["in_all"]["kw_share"] <= 1
    assert [each["zone"] for each in verdict["balance"]] == ["rush"]
    assert 0.5 <= verdict["balance"][0]["jain"] <= 1
    assert max(report["series"]["waiting"]) > 0
    assert {answer.call for answer in answered} >= {"charge", "look-up", "cancel"}
    assert 0 < report["generator"]["share"] < 1
    assert max(max(loads) for loads in report["series"]["loads"].values()) <= 1
    assert {path.name for path in folder.iterdir()} >= {"report.html", "report.png"}
