"""One run: a system of its own, drivers who never stop asking, faults, and then the reckoning."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from loadtest import answers
from loadtest.drivers import locust_command
from loadtest.options import Options

from ..stack import ROOT, Stack, eventually, run
from . import accounts
from .injector import Injector
from .schedule import REPLICAS, schedule
from .settle import charged_unasked, settle
from .verdict import Verdict, judge

BUILD = ROOT / "build"
LOG = BUILD / "chaos.log"
DRIVERS = 36
# A session lasts 1 to 10 s, and all drivers together ask for nine tenths of what three substations carry. Nobody
# cancels: a session that was accepted must end as it should.
RUSH = Options(shape="steady", peak=DRIVERS, time_scale=600, fleets=0, look_ups=0, cancels=0)
SETTINGS = {
    "TIME_SCALE": "600",
    "CAPACITY_KW": "900",
    "RETENTION_MS": "3600000",
    "GIVE_UP_MS": "2160000000",  # an hour on the clock: who names no ready-by time is served in the end
}
PROGRESS_S = 5.0
ADDRESSES = "import socket, sys; print(*socket.gethostbyname_ex(sys.argv[1])[2])"


def chaos(seed: int, duration_s: float, say: Callable[[str], None]) -> Verdict:
    """Leaves build/chaos.json, and what every container has logged in build/chaos.log."""
    BUILD.mkdir(exist_ok=True)
    with Stack("grid-chaos", **SETTINGS) as stack:
        injector = Injector(stack)
        try:
            with _drivers(stack.url, BUILD / "chaos-answers.jsonl") as written:
                eventually(lambda: answers.read(written))
                for elapsed_s in _every(PROGRESS_S, injector.inflict(schedule(seed, duration_s))):
                    say(_progress(elapsed_s, injector, answers.read(written)))
                healed = time.time()
                eventually(lambda: _found_by_name(stack))
                eventually(lambda: [a for a in answers.read(written) if a.at > healed and a.outcome in answers.GOOD])
            answered = answers.read(written)
            say("All is healed and nobody asks any more; waiting until every session is over ...")
            accepted = [answer.session for answer in answered if answer.session]
            lost = settle(stack, accepted)
            verdict = judge(
                seed,
                duration_s,
                injector.inflicted,
                [container["Name"] for container in stack.containers() if container["RestartCount"]],
                answered,
                injector.accounts,
                [accounts.ask(stack, container) for container in stack.containers("substation")],
                stack.call("GET", "/grid").json()["totals"],
                lost,
                charged_unasked(stack, accepted),
            )
        finally:
            LOG.write_text(stack.compose("logs", "--no-color", "--timestamps"))
    faults = [asdict(each) for each in injector.inflicted]
    (BUILD / "chaos.json").write_text(json.dumps(verdict.as_json() | {"inflicted": faults}, indent=2) + "\n")
    return verdict


@contextmanager
def _drivers(url: str, written: Path) -> Iterator[Path]:
    """Locust's drivers; what they are answered is in the file. At the end each of them waits for its last answer."""
    written.unlink(missing_ok=True)
    command = [*locust_command(url, RUSH, at_once=DRIVERS), "--stop-timeout", "15", "--answers", str(written)]
    with (BUILD / "chaos-locust.log").open("w") as log:
        locust = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield written
            assert locust.poll() is None, f"Locust has ended; see {log.name}"
        finally:
            locust.terminate()
            locust.wait()


def _every(period_s: float, moments: Iterator[float]) -> Iterator[float]:
    due = 0.0
    for moment in moments:
        if moment >= due:
            due += period_s
            yield moment


def _progress(elapsed_s: float, injector: Injector, answered: list[answers.Answer]) -> str:
    outcomes = Counter(answer.outcome for answer in answered)
    good = "   ".join(f"{what} {outcomes.pop(what, 0)}" for what in answers.GOOD)
    away = ", ".join(f"{name} ({kind})" for name, kind in injector.away.items())
    return f"{elapsed_s:4.0f} s   {good}   errors {outcomes.total()}   away: {away or '-'}"


def _found_by_name(stack: Stack) -> bool:
    """Whether the name of each service leads to all of its containers and nowhere else, as before."""
    (api,) = stack.containers("api")
    return all(
        set(run("docker", "exec", api["Id"], "python", "-c", ADDRESSES, service).split())
        == {
            endpoint["IPAddress"]
            for container in stack.containers(service)
            for endpoint in container["NetworkSettings"]["Networks"].values()
        }
        for service in REPLICAS
    )
