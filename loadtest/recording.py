"""A rush, run and recorded: every answer, the load of every substation meanwhile, and what it cost to ask."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from grid.session_ids import zone_of
from loadtest import afterwards, answers
from loadtest.answers import Answer
from loadtest.desk import LAST_ANSWERS_S
from loadtest.drivers import locust_command, users_for
from loadtest.limits import NoGridError, limits_kw
from loadtest.line import STARTED, Fate
from loadtest.options import Options
from loadtest.plan import plan
from loadtest.samples import Place, Sample, names
from loadtest.trace import TraceError
from loadtest.verdict import SubstationFigures, Verdict, judge
from loadtest.watch import SAMPLE_S, watch

OWN_ACCOUNT = "by their own account"
BY_THE_LEDGER = "by the ledger's account; the substations were not asked"
TO_START_AND_STOP_S = 30.0 + LAST_ANSWERS_S


class RushError(Exception):
    """The rush did not happen; the message says why."""


@dataclass(frozen=True)
class Recording:
    """`accounts` says whose figures `substations` are, `due` how many cars were due.

    `fates` is what had become of those who waited, by session, `interruptions` how often each accepted session had been
    interrupted, `looked_up_after_s` the end of the rush.
    """

    options: Options
    url: str
    intensity: str
    began_at: float
    lasted_s: float
    due: int
    answers: list[Answer]
    samples: list[Sample]
    fates: dict[str, Fate]
    interruptions: list[int]
    looked_up_after_s: float
    substations: list[SubstationFigures]
    accounts: str
    generator: dict[str, Any]

    @property
    def verdict(self) -> Verdict:
        return judge(
            self.due,
            self.answers,
            self.lasted_s,
            self.substations,
            self.samples,
            self.fates,
            self.interruptions,
            self.looked_up_after_s,
            self.options.time_scale,
        )


@dataclass(frozen=True)
class Target:
    """A grid, and where its substations are, if it is our own."""

    url: str
    what: str
    status_urls: Sequence[str] = ()


def record(target: Target, options: Options, folder: Path, console: Console) -> Recording:
    """Let Locust loose on the grid and watch it until it is done."""
    url = target.url
    try:
        users = users_for(plan(options, limits_kw(url)).arrivals)
    except (NoGridError, TraceError) as error:
        raise RushError(str(error)) from None
    folder.mkdir(parents=True, exist_ok=True)
    result, written = folder / "run.json", folder / "answers.jsonl"
    for old in (result, written):
        old.unlink(missing_ok=True)
    files = ["--result", str(result), "--answers", str(written)]
    samples: list[Sample] = []
    with (folder / "locust.log").open("w") as log:
        locust = subprocess.Popen(
            [*locust_command(url, options, users), *files], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            samples += watch(
                url, target.status_urls, locust, options.lasts_s, options.lasts_s + TO_START_AND_STOP_S, console
            )
        finally:
            locust.terminate()
            locust.wait()
    if locust.returncode or not result.exists():
        raise RushError(f"Locust did not finish, see {log.name}: {_cause(Path(log.name).read_text())}")
    run = json.loads(result.read_text())
    answered = answers.read(written)
    ends_at = run["began_at"] + options.lasts_s
    samples = [sample for sample in samples if run["began_at"] <= sample.at <= ends_at]
    accepted = {answer.session: answer.outcome for answer in answered if answer.asks and answer.session}
    looked_up_at = time.time()
    fates = afterwards.fates(url, list(accepted))
    own = [_own_figures(requests.get(f"{each}/status", timeout=5).json()) for each in target.status_urls]
    return Recording(
        options=options,
        url=url,
        intensity=run["intensity"],
        began_at=run["began_at"],
        lasted_s=options.lasts_s,
        due=run["cars"],
        answers=answered,
        samples=samples,
        fates={session: fate for session, fate in fates.items() if accepted[session] == "waiting"},
        interruptions=[fate.interruptions for fate in fates.values()],
        looked_up_after_s=looked_up_at - ends_at,
        substations=own or seen_figures(samples, answered, fates),
        accounts=OWN_ACCOUNT if own else f"as GET /grid showed them every {SAMPLE_S:g} s",
        generator=run["generator"],
    )


def _cause(log: str) -> str:
    """The last error that Locust logged, or its last words."""
    lines = [line for line in log.splitlines() if line.strip()] or ["it said nothing"]
    errors = [line.partition("/ERROR/")[2].partition(": ")[2] for line in lines if "/ERROR/" in line]
    return (errors or lines)[-1]


def _own_figures(status: dict[str, Any]) -> SubstationFigures:
    return SubstationFigures(
        substation=status["substation"],
        limit_kw=status["limit_watts"] / 1000,
        peak_kw=status["peak_watts"] / 1000,
        overload_s=status["overload_seconds"],
        sessions=status["started"],
    )


def seen_figures(
    samples: Sequence[Sample], answered: Sequence[Answer], fates: Mapping[str, Fate]
) -> list[SubstationFigures]:
    """What can be said from outside: the committed power that GET /grid showed, and the sessions that began."""
    loads = [load for sample in samples for load in sample.loads]
    peak: dict[Place, float] = {}
    limit: dict[Place, float] = {}
    over: Counter[Place] = Counter()
    for load in loads:
        limit[load.place] = load.limit_kw
        peak[load.place] = max(peak.get(load.place, 0.0), load.committed_kw)
        over[load.place] += load.committed_kw > load.limit_kw
    began = [(each.session or "", each.substation) for each in answered if each.outcome == "charging"]
    began += [(session, fate.substation) for session, fate in fates.items() if fate.what == STARTED]
    sessions = Counter((zone_of(session), substation) for session, substation in began)
    return [
        SubstationFigures(name, limit[place], peak[place], over[place] * SAMPLE_S, sessions[place])
        for place, name in names(loads).items()
    ]
