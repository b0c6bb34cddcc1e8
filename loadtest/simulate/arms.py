"""The rules that are compared, as they are asked for: a name, what is protected, and how often it learns the loads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from math import inf

from loadtest.own_redis import own_redis
from loadtest.simulate import policies
from loadtest.simulate.policies import Policy
from loadtest.simulate.scenario import Scenario
from loadtest.simulate.scripts import Scripts, ScriptsWithHeartbeats


class Rule(StrEnum):
    LEAST_LOADED = "least-loaded"
    PROTECT = "protect"
    PROTECT_LATE = "protect-late"
    """The same, but the ledger hears of those who left with the next heartbeat only."""
    RANDOM = "random"
    POWER_OF_TWO = "power-of-two"
    POLLING = "polling"
    POLLING_CAPPED = "polling-capped"
    BEST_FIT = "best-fit"

    @property
    def is_ours(self) -> bool:
        """Decided by the real scripts."""
        return self is Rule.LEAST_LOADED or self.protects

    @property
    def protects(self) -> bool:
        return self in (Rule.PROTECT, Rule.PROTECT_LATE)

    @property
    def needs_period(self) -> bool:
        return self in (Rule.POLLING, Rule.POLLING_CAPPED, Rule.PROTECT_LATE)


_PLAIN: Mapping[Rule, Callable[[Scenario], Policy]] = {
    Rule.RANDOM: lambda scenario: policies.Random(scenario.limits, scenario.seed),
    Rule.POWER_OF_TWO: lambda scenario: policies.PowerOfTwo(scenario.limits, scenario.seed),
    Rule.POLLING: lambda scenario: policies.Polling(scenario.limits),
    Rule.POLLING_CAPPED: lambda scenario: policies.PollingCapped(scenario.limits),
    Rule.BEST_FIT: lambda scenario: policies.BestFit(scenario.limits),
}


@dataclass(frozen=True, slots=True)
class Arm:
    """`protect` in W, falling; `per_period`: a poll, or a heartbeat of every substation, each time so many came."""

    rule: Rule
    protect: tuple[int, ...] = ()
    per_period: float | None = None

    @property
    def name(self) -> str:
        named: str = self.rule.value
        if self.rule.protects:
            named += " " + (",".join(f"{watts / 1000:g}" for watts in self.protect) or "none")
        return named if self.per_period is None else f"{named} @{self.per_period:g}"

    @property
    def is_herd(self) -> bool:
        """Everybody goes where few were when all were asked last, and nobody is refused."""
        return self.rule is Rule.POLLING

    def period(self, scenario: Scenario) -> float:
        """In mean stays."""
        return inf if self.per_period is None else self.per_period / scenario.rate

    def cost(self, scenario: Scenario) -> float:
        """About what an arrival costs, in plain rules: for the order of the cells, and the time that is left."""
        if not self.rule.is_ours:
            return 1.0
        if self.per_period is None:
            return 25.0
        return 60.0 + 30.0 * len(scenario.limits) / self.per_period

    @contextmanager
    def running(self, scenario: Scenario) -> Iterator[Policy]:
        """The policy, while the block lasts: ours has a Redis of its own. Raises LocalGridError."""
        if not self.rule.is_ours:
            yield _PLAIN[self.rule](scenario)
            return
        kind = partial(ScriptsWithHeartbeats, late=self.rule is Rule.PROTECT_LATE) if self.per_period else Scripts
        with own_redis() as (redis, server):
            if server.startswith("redis-server"):
                redis.config_set("appendonly", "no")  # nothing of a simulation is to be kept
            yield kind(redis, scenario.limits, self.protect)


def parse_arm(typed: str, protected: Sequence[tuple[int, ...]]) -> list[Arm]:
    """`rule` or `rule@arrivals-per-period`; `protect` is one arm for each list of sizes. Raises ValueError."""
    name, at, count = typed.partition("@")
    if name not in list(Rule):
        raise ValueError(f"there is no rule {name!r}; there are {', '.join(Rule)}")
    rule = Rule(name)
    try:
        per_period = float(count) if at else None
    except ValueError:
        per_period = 0.0
    if per_period is not None and not 0 < per_period < inf:
        raise ValueError(f"{typed!r} must end in arrivals per period, above 0, like {name}@100")
    if rule.needs_period and per_period is None:
        raise ValueError(f"{name} needs its arrivals per period, like {name}@100")
    if per_period is not None and not (rule.needs_period or rule.is_ours):
        raise ValueError(f"{name} has no period")
    if not rule.protects:
        return [Arm(rule, per_period=per_period)]
    if not protected:
        raise ValueError(f"{name} needs --protect")
    return [Arm(rule, sizes, per_period) for sizes in protected]
