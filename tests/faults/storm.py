"""`python -m tests.faults.storm DURATION SEED`: load, random faults of every kind, and an account of every promise."""

import json
import random
import shutil
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from grid.local import Service, end_on_signals

from . import verdict
from .harness import SETTINGS, TIME_SCALE, FaultyGrid, Image, eventually
from .load import Load
from .proxy import Direction, Proxy
from .quiet import is_known, is_quiet
from .schedule import Fault, Forgetting, Kind, Phase, plan
from .verdict import EVERYWHERE, Outage, Verdict
from .watch import Watch

BUILD = Path("build")
LOGS = BUILD / "faults"
CAPACITIES_KW = (300, 350, 450, 550)
"""A little less than the load needs, so that there is a line most of the time."""
CALM_PER_SECOND = 2
"""Less than any of them carries: the line gets empty, and the ledger may forget."""
WARM_UP_S = 3.0
QUIET_WITHIN_S = 30.0
SAY_EVERY_S = 5.0
NO_REDIS = "redis-server is not installed: apt install redis-server"


class Storm:
    """Carries a plan out on a grid under load."""

    def __init__(self, grid: FaultyGrid, load: Load, watch: Watch, say: Callable[[str], None]) -> None:
        self.grid = grid
        self.load = load
        self.watch = watch
        self.say = say
        self.injected: Counter[str] = Counter()
        self.under_way: dict[str, Kind] = {}
        self.outages: list[Outage] = []
        self.forgotten: set[str] = set()
        """What waited, or was reserved and had not started, when Redis forgot it."""
        self.kills: dict[Kind, list[float]] = defaultdict(list)
        """When one was killed; for Redis, when it was back."""
        self._one_at_a_time = defaultdict[str, threading.Lock](threading.Lock)

    def run(self, phases: list[Phase]) -> None:
        with ThreadPoolExecutor(16, thread_name_prefix="fault") as pool:
            for number, phase in enumerate(phases, start=1):
                self.say(f"phase {number} of {len(phases)}: {len(phase.faults)} faults, then {phase.forgetting.kind}")
                self._run_phase(phase, pool)
                self._forget(phase.forgetting)

    def _run_phase(self, phase: Phase, pool: ThreadPoolExecutor) -> None:
        started = time.monotonic()
        running: list[Future[None]] = []
        for fault in phase.faults:
            time.sleep(max(0.0, started + fault.at - time.monotonic()))
            running.append(pool.submit(self._inject, fault))
        for future in running:
            future.result()

    def _inject(self, fault: Fault) -> None:
        with self._one_at_a_time[fault.part]:
            self.under_way[fault.part] = fault.kind
            self.injected[fault.kind] += 1
            began = time.monotonic()
            end = self._begin(fault)
            time.sleep(fault.lasts_s)
            end()
            del self.under_way[fault.part]
            if fault.kind is not Kind.KILL_SUBSTATION:  # what ran there has ended with it
                self.outages.append(Outage(fault.part, began, time.monotonic()))

    def _begin(self, fault: Fault) -> Callable[[], None]:
        """Break something; returns what mends it."""
        grid, part = self.grid, self.grid.parts[fault.part]
        if fault.kind is Kind.HANG_REDIS:
            grid.hang(part)
            return lambda: self._redis_is_back(fault.kind, grid.resume)
        if fault.kind is Kind.KILL_REDIS:
            grid.kill(part)
            return lambda: self._redis_is_back(fault.kind, grid.restart)
        if fault.kind in (Kind.HANG_BALANCER, Kind.HANG_SUBSTATION):
            self.kills[fault.kind].append(time.monotonic())
            grid.hang(part)
            return lambda: grid.resume(part)
        if fault.kind in (Kind.KILL_BALANCER, Kind.KILL_SUBSTATION, Kind.STOP_BALANCER):
            self.watch.look(part)
            self.kills[fault.kind].append(time.monotonic())
            (grid.terminate if fault.kind is Kind.STOP_BALANCER else grid.kill)(part)
            if fault.kind is Kind.KILL_SUBSTATION:
                self.watch.killed(part)
            return lambda: grid.restart(part)
        links = grid.to_redis if fault.kind.startswith("Redis link") else grid.to_substation
        link = links[fault.part]
        _harm(link, fault)
        return link.heal

    def _redis_is_back(self, kind: Kind, bring: Callable[[Service], None]) -> None:
        bring(self.grid.redis)
        self.kills[kind].append(time.monotonic())

    def _forget(self, forgetting: Forgetting) -> None:
        image: Image = self.grid.image()
        taken = time.monotonic()
        usual, self.load.per_second = self.load.per_second, CALM_PER_SECOND
        try:
            self._forget_when_quiet(forgetting, image, taken)
        finally:
            self.load.per_second = usual

    def _forget_when_quiet(self, forgetting: Forgetting, image: Image, taken: float) -> None:
        try:
            self._until(lambda: is_quiet(self.grid) and time.monotonic() - taken >= forgetting.image_age_s)
        except AssertionError:
            self.say(f"no quiet moment: {forgetting.kind} is skipped")
            self.injected[f"{forgetting.kind} (skipped)"] += 1
            return
        self.injected[forgetting.kind] += 1
        self.forgotten |= self.grid.wipe() if forgetting.kind is Kind.WIPE else self.grid.roll_back(image)
        forgot = time.monotonic()
        self._until(lambda: is_known(self.grid))
        self.outages.append(Outage(EVERYWHERE, forgot, time.monotonic()))

    def _until(self, condition: Callable[[], bool]) -> None:
        eventually(condition, QUIET_WITHIN_S, what="a quiet moment", every_s=0.2)

    def recovery_s(self) -> dict[str, float | None]:
        """The longest, by kind: until the next good answer; of a substation, until its sessions have power again."""
        good = self.load.good()
        longest: dict[str, float | None] = {}
        for kind, times in self.kills.items():
            if kind in (Kind.KILL_SUBSTATION, Kind.HANG_SUBSTATION):
                continue
            waits = [next((answered - at for answered in good if answered > at), None) for at in times]
            longest[kind] = _longest(waits)
        if self.watch.wounds:
            longest[Kind.KILL_SUBSTATION] = _longest([wound.recovered_after_s for wound in self.watch.wounds])
        return longest


def _longest(waits: list[float | None]) -> float | None:
    known = [round(wait, 2) for wait in waits if wait is not None]
    return max(known) if len(known) == len(waits) else None


def _harm(link: Proxy, fault: Fault) -> None:
    if fault.kind.endswith("delayed"):
        link.delay(fault.delay_s)
    elif fault.kind.endswith("cut"):
        link.cut()
    elif fault.kind.endswith("swallows replies"):
        link.swallow_replies()
    else:
        link.hold(Direction.REQUESTS if fault.kind.endswith("requests") else Direction.REPLIES)


class Progress:
    """A line every few seconds."""

    def __init__(self, storm: Storm, say: Callable[[str], None]) -> None:
        self._storm = storm
        self._say = say
        self._started = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress")
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(SAY_EVERY_S):
            storm = self._storm
            now = ", ".join(f"{part}: {kind}" for part, kind in list(storm.under_way.items())) or "all well"
            self._say(
                f"{time.monotonic() - self._started:4.0f} s  {sum(storm.injected.values())} faults, "
                f"{len(storm.load.accepted)} sessions, {storm.watch.overload_s:g} s overload; now {now}"
            )


def run(duration_s: float, seed: int, redis_server: str, console: Console) -> Verdict:
    """One storm, from start to verdict."""

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    with FaultyGrid(redis_server, LOGS, CAPACITIES_KW, settings=SETTINGS) as grid:
        load = Load(grid.url, TIME_SCALE, seed)
        watch = Watch(grid.substations, grid.balancers, load.cancelled)
        storm = Storm(grid, load, watch, say)
        names = [[service.name for service in group] for group in (grid.balancers, grid.substations)]
        phases = plan(seed, duration_s, *names)
        started = time.monotonic()
        watch.start()
        load.start()
        progress = Progress(storm, say)
        try:
            time.sleep(WARM_UP_S)
            storm.run(phases)
            ended = time.monotonic()
            load.stop()
            say("the load is over; every session is followed to its end")
            grid.mend_links()
            grid.restart_what_ended()
            drained = verdict.drain(grid, load, watch, storm.forgotten)
            for service in [*grid.balancers, *grid.substations]:
                watch.look(service)
        finally:
            load.stop()
            progress.stop()
            watch.stop()
        return verdict.give(load, watch, drained, storm.outages, storm.injected, storm.recovery_s(), started, ended)


def show(verdict: Verdict, console: Console) -> None:
    """The verdict, for a person."""
    table = Table(show_header=False)
    for kind, count in sorted(verdict.faults.items()):
        table.add_row(kind, str(count))
    table.add_section()
    answers = ", ".join(f"{count} {outcome}" for outcome, count in sorted(verdict.requests.items()))
    refusals = ", ".join(f"{count} {reason}" for reason, count in verdict.refusals.items()) or "none"
    rows = {
        "requests": f"{sum(verdict.requests.values())}: {answers}",
        "given up after 20 s": str(verdict.given_up),
        "sessions accepted": f"{verdict.accepted}; {verdict.waited} answers said that it waits",
        "placements refused": f"{verdict.placements_refused} ({verdict.refused_share:.2%} of {verdict.placements})",
        "refused, with late copies": refusals,
        "overload": f"{verdict.overload_s:g} s",
        "highest peak ÷ limit": f"{verdict.highest_load:.1%}",
        "sessions lost": str(len(verdict.lost)),
        "forgotten by Redis before they started": str(verdict.forgotten),
        "charged after errors only": f"{len(verdict.charged_after_errors)} of {verdict.refused} that asked once",
        "finished by no substation's account": str(len(verdict.unproven)),
        "finished more than once": str(len(verdict.twice)),
        "at two places at once": ", ".join(f"{count}: {why}" for why, count in verdict.doubles.items()) or "none",
        "the same without a reason": str(len(verdict.unexcused)),
        "left in line": str(verdict.left_waiting),
        "watts unaccounted": str(verdict.unaccounted_w),
        "everything ended after": "never" if verdict.drained_after_s is None else f"{verdict.drained_after_s:g} s",
        "longest gap without a good answer": f"{verdict.longest_gap_s:g} s",
    }
    for name, text in rows.items():
        table.add_row(name, text)
    table.add_section()
    for kind, seconds in verdict.recovery_s.items():
        table.add_row(f"slowest recovery (faults overlap), {kind}", "never" if seconds is None else f"{seconds:g} s")
    console.print(table)
    for session, state in verdict.lost.items():
        console.print(f"lost: {session} is {state}")
    for overload in verdict.overloads[:10]:
        console.print(f"overload: {overload}")
    for double in verdict.unexcused:
        console.print(f"at two places at once: {double}")
    for outcome, count in verdict.unexpected.items():
        console.print(f"unexpected: {count} x {outcome}")


def main() -> None:
    """Run it. Exits with 1 if anything was overloaded, lost or left unaccounted."""
    end_on_signals()
    console = Console()
    duration_s = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else random.SystemRandom().randrange(10**6)
    redis_server = shutil.which("redis-server")
    if redis_server is None:
        sys.exit(NO_REDIS)
    again = f".venv/bin/python -m tests.faults.storm {duration_s:g} {seed}"
    console.print(f"Seed {seed}. The same faults again: {again}", soft_wrap=True)
    try:
        result = run(duration_s, seed, redis_server, console)
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    BUILD.mkdir(exist_ok=True)
    report = {"seed": seed, "duration_s": duration_s, **result.as_json()}
    (BUILD / "faults.json").write_text(json.dumps(report, indent=2) + "\n")
    show(result, console)
    if not result.kept:
        console.print(
            f"[bold red]NOT kept.[/] See {BUILD}/faults.json and {LOGS}/*.log. Again: {again}", soft_wrap=True
        )
        sys.exit(1)
    console.print("[bold green]Kept:[/] nothing overloaded, nothing lost, every watt accounted for.")


if __name__ == "__main__":
    main()
