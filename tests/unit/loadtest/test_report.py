"""A recorded rush becomes figures, and a report with all of them."""

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from loadtest import panels
from loadtest.answers import Answer
from loadtest.balance import jain
from loadtest.line import Fate
from loadtest.options import Options
from loadtest.panels import _with_gaps
from loadtest.recording import OWN_ACCOUNT, Recording
from loadtest.report import fitting, headline, write_report
from loadtest.samples import Load, Sample
from loadtest.series import series
from loadtest.show import show
from loadtest.verdict import SubstationFigures

BEGAN = 1_000.0
HOW = {"command": "python -m loadtest.rush --shape steady", "machine": "2 cores", "generator": "3 % of a core"}


def asked(due_s: float, outcome: str, power_kw: float = 11, latency_ms: float = 10) -> Answer:
    session = f"s{due_s}" if outcome in ("charging", "waiting") else None
    substation = "one" if outcome == "charging" else None
    at = BEGAN + due_s + latency_ms / 1000
    return Answer(at, outcome, session, "charge", due_s, latency_ms, 0.5, power_kw, substation, "default")


def sample(at_s: float, *committed_kw: float, waiting: int = 0) -> Sample:
    loads = (Load("default", name, kw, 100, 1) for name, kw in zip(("one", "two"), committed_kw, strict=True))
    return Sample(BEGAN + at_s, tuple(loads), waiting)


RECORDING = Recording(
    options=Options("steady", duration=4, peak=2),
    url="http://127.0.0.1:8080",
    intensity="2 cars a second",
    began_at=BEGAN,
    lasted_s=4.0,
    due=4,
    answers=[
        asked(0.1, "charging", 3.7),
        asked(0.2, "charging", 90, latency_ms=30),
        asked(1.1, "refused", 150),
        asked(3.9, "refused"),
        Answer(BEGAN + 3, "found", "s0.1", "look-up", 2.9, 500.0),
    ],
    samples=[sample(0, 0, 0), sample(1, 100, 90), sample(2, 60, 20)],
    fates={},
    interruptions=[0, 3],
    looked_up_after_s=2.5,
    substations=[SubstationFigures("one", 100, 100, 0.0, 2), SubstationFigures("two", 100, 90, 0.0, 0)],
    accounts=OWN_ACCOUNT,
    generator={"share": 0.03, "busiest_share": 0.1, "cpu_us_per_call": 1_500, "locust": "2"},
)


WITH_A_LINE = replace(
    RECORDING,
    options=replace(RECORDING.options, time_scale=120),
    due=9,
    answers=[*RECORDING.answers, *(asked(due_s, "waiting", 22) for due_s in (1.2, 1.3, 1.4, 1.5, 1.6))],
    samples=[sample(0, 0, 0), sample(1, 100, 90, waiting=3), sample(2, 100, 100, waiting=1), sample(3, 60, 20)],
    fates={
        "s1.2": Fate("started", "one", 0.5),
        "s1.3": Fate("started", "two", 2.0),
        "s1.4": Fate("waiting"),
        "s1.5": Fate("expired"),
        "s1.6": Fate("cancelled", "one", 1.5),
    },
)


def test_every_car_charges_at_once_waits_is_refused_or_was_answered_wrongly() -> None:
    verdict = WITH_A_LINE.verdict

    assert (verdict.charging, verdict.waiting, verdict.refused, verdict.errors) == (2, 5, 2, {})
    assert verdict.charging + verdict.waiting + verdict.refused == verdict.due
    assert verdict.kept


def test_of_those_who_waited_it_is_said_what_became_of_them_and_how_long_it_took() -> None:
    line = WITH_A_LINE.verdict.line

    assert line.fates == {"started": 2, "waiting": 1, "expired": 1, "cancelled": 1}
    assert line.became == "2 charged, 1 still in line, 1 not served in time, 1 cancelled (2 s after the rush)"
    assert line.waited_s == {"p50": 0.5, "p95": 2.0, "longest": 2.0}
    assert line.waits == "p50 0.5 s, p95 2.0 s, longest 2.0 s (1, 4, 4 simulated minutes)"
    assert line.used == 0.975  # not of the moments when nobody waited


def test_how_long_they_waited_is_a_gap_if_only_the_api_was_asked() -> None:
    fates = {session: replace(fate, waited_s=None) for session, fate in WITH_A_LINE.fates.items()}
    line = replace(WITH_A_LINE, fates=fates).verdict.line

    assert line.waited_s == {}
    assert "not known" in line.waits


@pytest.mark.parametrize("lost", ["200 lost", "no answer", "forgotten"])
def test_who_waited_and_is_lost_breaks_the_promise(lost: str) -> None:
    recording = replace(WITH_A_LINE, fates=WITH_A_LINE.fates | {"s1.4": Fate(lost)})

    assert recording.verdict.why_not == f"of those who waited, some are lost: 1 x {lost}"


def test_after_a_long_rush_the_first_may_be_forgotten() -> None:
    fates = WITH_A_LINE.fates | {"s1.4": Fate("forgotten")}
    verdict = replace(WITH_A_LINE, fates=fates, lasted_s=901.0).verdict

    assert verdict.kept
    assert verdict.line.became.endswith("1 forgotten (2 s after the rush)")


def test_the_line_is_shown_over_time_and_at_the_end(tmp_path: Path) -> None:
    write_report(WITH_A_LINE, HOW, tmp_path)
    page = (tmp_path / "report.html").read_text()

    assert 'alt="Cars in line"' in page
    assert WITH_A_LINE.verdict.line.became in page
    assert WITH_A_LINE.verdict.line.waits in page
    assert "97.5 %" in page
    assert series(WITH_A_LINE).waiting == [0, 3, 1, 0]
    assert json.loads((tmp_path / "report.json").read_text())["verdict"]["line"]["used"] == 0.975
    with Console(record=True, file=io.StringIO(), width=200) as console:
        show(WITH_A_LINE.verdict, OWN_ACCOUNT, console)
    said = console.export_text()
    assert "97.5% of the limits, on average, while any was queued" in said
    assert "1.50 times per session; 3 times at most" in said


def test_the_verdict_counts_cars_and_not_who_looks() -> None:
    verdict = RECORDING.verdict

    assert (verdict.requests, verdict.charging, verdict.refused, verdict.errors) == (4, 2, 2, {})
    assert verdict.latency_ms == {"p50": 10, "p95": 30, "p99": 30}
    assert verdict.requests_per_s == 1
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
    one_away = Sample(BEGAN + 2, (Load("default", "one", 100, 100, 1),))
    partly = replace(RECORDING, samples=[sample(0, 50, 50), sample(1, 100, 90), one_away, Sample(BEGAN + 3, ())])
    over_time = series(partly)

    assert over_time.loads == {"one": [0.5, 1, 1, None], "two": [0.5, 0.9, None, None]}
    assert over_time.used == [0.5, 0.95, 1, None]
    assert over_time.jain["default"][3] is None
    assert over_time.gaps == "1 of 4 samples of GET /grid are missing; two was not up in 1 of 4 samples"
    assert math.isnan(_with_gaps(over_time.loads["two"])[2])
    write_report(partly, HOW, tmp_path)
    assert over_time.gaps in (tmp_path / "report.html").read_text()
    assert series(RECORDING).gaps == ""


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
    assert over_time.jain == {"default": [None, round(jain([1, 0.9]), 4), round(jain([0.6, 0.2]), 4)]}
    assert over_time.rates["charging"][full] == 2 / over_time.bin_s
    assert {outcome: sum(rates) * over_time.bin_s for outcome, rates in over_time.rates.items()} == {
        "charging": 2,
        "waiting": 0,
        "refused": 2,
        "errors": 0,
    }
    assert over_time.latency_ms["p99"][full] == 30
    assert over_time.latency_ms["p99"][empty] is None


def test_the_loads_of_two_zones_are_kept_apart() -> None:
    north, south = Load("north", "one", 60, 100, 3), Load("south", "one", 70, 100, 1)
    over_time = series(replace(RECORDING, samples=[Sample(BEGAN, (north, south), 0), Sample(BEGAN + 1, (north,), 0)]))

    assert over_time.limits_kw == {"north one": 100, "south one": 100}
    assert over_time.loads == {"north one": [0.6, 0.6], "south one": [0.7, None]}
    assert over_time.jain == {"north": [1, 1], "south": [1, None]}


def test_fairness_to_power_classes_is_in_the_page_the_figures_and_the_last_words(tmp_path: Path) -> None:
    write_report(WITH_A_LINE, HOW, tmp_path)
    page = (tmp_path / "report.html").read_text()
    accepted = json.loads((tmp_path / "report.json").read_text())["verdict"]["acceptance"]
    with Console(record=True, file=io.StringIO(), width=200) as console:
        show(WITH_A_LINE.verdict, OWN_ACCOUNT, console)
    printed = console.export_text()

    at_once, in_all = "0% of 1 cars of 11 kW to 100% of 1 cars of 3.7 kW; min ÷ max 0.00", "min ÷ max 0.00"
    kw = "43.6% at once, 64.1% in all"
    assert f"at once {at_once}; in all" in page
    assert f"Of the kW asked for: {kw}." in page
    assert "Left out: 1 cars" in page
    assert f"by power    at once {at_once}\n" in printed
    assert re.search(rf"\n {{11}} in all .*{in_all}\n", printed)
    assert f"kW          of those asked for: {kw}\n" in printed
    assert (accepted["at_once"]["min_by_max"], accepted["in_all"]["kw_share"]) == (0, 0.6414)
    figure = Figure()
    panels.accepted(WITH_A_LINE.verdict.acceptance, figure.add_subplot())
    assert "min ÷ max: 0.00 at once, 0.00 in all" in figure.axes[0].get_xlabel()
    assert kw in figure.axes[0].get_xlabel()


def test_where_there_are_several_zones_each_has_its_acceptance_in_the_page_and_the_json(tmp_path: Path) -> None:
    elsewhere = [replace(asked(0.3, "charging", 50), zone="south"), replace(asked(0.4, "refused", 50), zone="south")]
    write_report(replace(RECORDING, due=6, answers=[*RECORDING.answers, *elsewhere]), HOW, tmp_path / "two")
    page = (tmp_path / "two" / "report.html").read_text()
    verdict = json.loads((tmp_path / "two" / "report.json").read_text())["verdict"]
    default, south = page.partition("<h3>Zone default</h3>")[2].partition("<h3>Zone south</h3>")[::2]

    assert "50% of 2 cars of 50 kW to" in south
    assert "Left out: 1 cars" in default
    assert "Left out" not in south
    assert {zone: each["at_once"]["kw_share"] for zone, each in verdict["acceptance_by_zone"].items()} == {
        "default": round(93.7 / 104.7, 4),
        "south": 0.5,
    }
    assert verdict["acceptance"]["at_once"]["kw_share"] == round(143.7 / 204.7, 4)
    write_report(RECORDING, HOW, tmp_path / "one")
    assert "<h3>" not in (tmp_path / "one" / "report.html").read_text()
    assert "acceptance_by_zone" not in json.loads((tmp_path / "one" / "report.json").read_text())["verdict"]


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
