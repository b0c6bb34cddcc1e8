"""A recorded rush becomes figures, and a report with all of them."""

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from loadtest.answers import Answer
from loadtest.options import Options
from loadtest.panels import _with_gaps
from loadtest.recording import OWN_ACCOUNT, Recording, seen_figures
from loadtest.report import fitting, headline, write_report
from loadtest.samples import Load, Sample
from loadtest.series import acceptance, series
from loadtest.show import show
from loadtest.verdict import SubstationFigures, jain, mean_jain, percentile
from loadtest.watch import unknown

BEGAN = 1_000.0
HOW = {"command": "python -m loadtest.rush --shape steady", "machine": "2 cores", "generator": "3 % of a core"}


def asked(due_s: float, outcome: str, power_kw: float = 11, latency_ms: float = 10) -> Answer:
    session, substation = (f"s{due_s}", "one") if outcome == "charging" else (None, None)
    at = BEGAN + due_s + latency_ms / 1000
    return Answer(at, outcome, session, "charge", due_s, latency_ms, 0.5, power_kw, substation)


def sample(at_s: float, *committed_kw: float) -> Sample:
    names = ("one", "two")
    return Sample(BEGAN + at_s, tuple(Load(name, kw, 100, 1) for name, kw in zip(names, committed_kw, strict=True)))


RECORDING = Recording(
    options=Options("steady", duration=4, peak=2),
    url="http://127.0.0.1:8080",
    intensity="2 cars a second",
    began_at=BEGAN,
    lasted_s=4.0,
    due=4,
    answers=[
        asked(0.1, "charging", 3.7),
        asked(0.2, "charging", 150, latency_ms=30),
        asked(1.1, "refused", 150),
        asked(3.9, "refused"),
        Answer(BEGAN + 3, "found", "s0.1", "look-up", 2.9, 500.0),
    ],
    samples=[sample(0, 0, 0), sample(1, 100, 90), sample(2, 60, 20)],
    substations=[SubstationFigures("one", 100, 100, 0.0, 2), SubstationFigures("two", 100, 90, 0.0, 0)],
    accounts=OWN_ACCOUNT,
    generator={"share": 0.03, "busiest_share": 0.1, "cpu_us_per_call": 1_500, "locust": "2"},
)


def test_the_verdict_counts_cars_and_not_who_looks() -> None:
    verdict = RECORDING.verdict

    assert (verdict.requests, verdict.charging, verdict.refused, verdict.errors) == (4, 2, 2, {})
    assert verdict.latency_ms == {"p50": 10, "p95": 30, "p99": 30}
    assert verdict.requests_per_s == 1
    assert verdict.jain_saturated == round(jain([1, 0.9]), 4)
    assert verdict.kept


def test_a_wrong_answer_to_whatever_call_breaks_the_promise() -> None:
    wrong = Answer(BEGAN + 3, "404 /problems/unknown-session", "s1", "look-up")
    verdict = replace(RECORDING, answers=[*RECORDING.answers, wrong]).verdict

    assert not verdict.kept
    assert (verdict.errors, verdict.visit_errors) == ({}, {"look-up: 404 /problems/unknown-session": 1})
    assert verdict.why_not == "1 look-ups or cancels failed"


def test_charging_refused_and_errors_are_all_cars() -> None:
    late = asked(3.95, "no answer in time")
    visits = [Answer(BEGAN + 3, "500 ?", "s1", "cancel"), Answer(BEGAN + 3, "charging", "s1", "look-up")]
    recording = replace(RECORDING, due=5, answers=[*RECORDING.answers, late, *visits])
    verdict = recording.verdict

    assert verdict.charging + verdict.refused + sum(verdict.errors.values()) == verdict.requests == 5
    assert verdict.errors == {"no answer in time": 1}
    assert headline(recording).startswith("NOT kept (1 cars were answered by an error; 2 look-ups or cancels failed)")


def test_from_outside_the_promise_is_kept_by_the_ledgers_account_only(tmp_path: Path) -> None:
    outside = replace(RECORDING, accounts="as GET /grid showed them")

    assert headline(RECORDING).endswith("of its limit")
    assert headline(outside).endswith("of its limit (by the ledger's account; the substations were not asked)")
    with Console(record=True, file=io.StringIO(), width=200) as console:
        show(outside.verdict, outside.accounts, console)
    assert "(by the ledger's account; the substations were not asked)" in console.export_text()


def test_a_long_line_is_set_smaller_and_a_short_one_is_not() -> None:
    assert fitting("Kept", 15, 1_600) == 15
    assert fitting("short\n" + "x" * 200, 12, 1_600) == 8


def test_what_is_not_known_is_a_gap(tmp_path: Path) -> None:
    one_away = Sample(BEGAN + 2, (Load("one", 100, 100, 1),))
    partly = replace(RECORDING, samples=[sample(0, 50, 50), sample(1, 100, 90), one_away, Sample(BEGAN + 3, ())])
    over_time = series(partly)

    assert over_time.loads == {"one": [0.5, 1, 1, None], "two": [0.5, 0.9, None, None]}
    assert over_time.used == [0.5, 0.95, 1, None]
    assert over_time.jain[3] is None
    assert over_time.gaps == "1 of 4 samples of GET /grid are missing; two was not up in 1 of 4 samples"
    assert math.isnan(_with_gaps(over_time.loads["two"])[2])
    write_report(partly, HOW, tmp_path)
    assert over_time.gaps in (tmp_path / "report.html").read_text()
    assert series(RECORDING).gaps == ""


def test_a_look_that_failed_is_a_gap_as_long_as_it_took() -> None:
    assert unknown(100.0, 101.0, well=False) == [Sample(100 + at, ()) for at in (0, 0.25, 0.5, 0.75)]
    assert unknown(100.0, 100.01, well=False) == [Sample(100, ())]
    assert len(unknown(100.0, 104.0, well=True)) == 16
    assert unknown(100.0, 100.9, well=True) == []


def test_near_saturation_the_spread_stands_beside_the_index() -> None:
    verdict = replace(RECORDING, samples=[sample(0, 100, 80), sample(1, 95, 92), sample(2, 100, 10)]).verdict

    assert verdict.spread_saturated == 0.2
    assert verdict.fairness.endswith("while at least 90 % of the grid was in use (loads then at most 20.0% apart)")


def test_a_car_that_is_not_accounted_for_breaks_the_promise() -> None:
    verdict = replace(RECORDING, due=6).verdict

    assert not verdict.kept
    assert verdict.why_not == "2 cars are not accounted for"


def test_an_overload_breaks_the_promise() -> None:
    over = [SubstationFigures("one", 100, 100.1, 0.25, 2)]

    assert "overloaded: one" in headline(replace(RECORDING, substations=over))


def test_over_time() -> None:
    over_time = series(RECORDING)
    full, empty = over_time.bins_s.index(0.0), over_time.bins_s.index(2.0)

    assert over_time.sampled_s == [0, 1, 2]
    assert over_time.loads == {"one": [0, 1, 0.6], "two": [0, 0.9, 0.2]}
    assert over_time.jain == [1, round(jain([1, 0.9]), 4), round(jain([0.6, 0.2]), 4)]
    assert over_time.rates["charging"][full] == 2 / over_time.bin_s
    assert {outcome: sum(rates) * over_time.bin_s for outcome, rates in over_time.rates.items()} == {
        "charging": 2,
        "refused": 2,
        "errors": 0,
    }
    assert over_time.latency_ms["p99"][full] == 30
    assert over_time.latency_ms["p99"][empty] is None


def test_acceptance_is_by_power() -> None:
    classes = acceptance([answer for answer in RECORDING.answers if answer.asks])

    assert [(each.powers, each.asked, each.charging) for each in classes] == [
        ("3.7 kW", 1, 1),
        ("11 kW", 1, 0),
        ("150 kW", 2, 1),
    ]


def test_from_outside_a_peak_is_what_the_grid_showed() -> None:
    over = [*RECORDING.samples, sample(3, 101, 20)]

    assert seen_figures(over, RECORDING.answers) == [
        SubstationFigures("one", 100, 101, 0.25, 2),
        SubstationFigures("two", 100, 90, 0.0, 0),
    ]


def test_the_report_has_every_section_and_needs_nothing_else(tmp_path: Path) -> None:
    write_report(RECORDING, HOW, tmp_path)
    page = (tmp_path / "report.html").read_text()
    facts = json.loads((tmp_path / "report.json").read_text())

    for section in ("Verdict", "Over time", "Acceptance by power class", "Outcomes", "How it was run"):
        assert f"<h2>{section}</h2>" in page
    for figure in ("Load of every substation", "by outcome", "Latency", "Jain", "Who could charge"):
        assert re.search(rf'<img src="data:image/svg\+xml;base64,[^"]+" alt="[^"]*{figure}', page)
    assert "Kept: 0 s of overload, highest peak 100.0% of its limit" in page
    assert HOW["command"] in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert facts["verdict"]["kept"] is True
    assert facts["how"] == HOW
    assert facts["series"]["loads"]["one"] == [0, 1, 0.6]


def test_a_grid_that_never_answered_has_a_report_too(tmp_path: Path) -> None:
    silent = replace(RECORDING, due=0, answers=[], samples=[], substations=[])
    write_report(silent, HOW, tmp_path)

    assert "NOT kept (nobody charged)" in (tmp_path / "report.html").read_text()


def test_percentiles_are_values_that_were_measured() -> None:
    assert [percentile([4, 1, 3, 2], share) for share in (0.5, 0.75, 0.99)] == [2, 3, 4]
    assert percentile([7], 0.5) == 7


@pytest.mark.parametrize(("loads", "index"), [([1, 1, 1], 1), ([1, 0, 0, 0], 0.25), ([0, 0], 1), ([], 1)])
def test_jains_index(loads: list[float], index: float) -> None:
    assert jain(loads) == index


def test_the_mean_index_is_of_the_moments_when_anything_was_loaded() -> None:
    assert mean_jain([[0, 0], [1, 1], [1, 0]]) == 0.75
    assert mean_jain([[0, 0]]) is None
