"""What the chaos did to the grid, in figures; and which promises it broke."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.answers import Answer

from .accounts import Account
from .gaps import longest_gap
from .injector import Inflicted
from .schedule import service_of

GAP_LIMIT_S = 10.0
"""The longest fault, and as long again until a driver who asked during it has a good answer."""
EXCUSED = ("503 /problems/no-substation", "503 /problems/ledger-unavailable", "503 /problems/balancer-unavailable")
"""What a driver may be told while containers are away. Anything else is a fault of the grid's own."""


@dataclass(frozen=True)
class Verdict:
    """kW, s. `gap_at_s` counts from the first fault.

    `crashed` are containers that ended by themselves, `lost` accepted sessions and the state they were left in.
    `charged_after_errors` are sessions that charged though their callers got only errors.
    Of the accepted ones `waited` were told so; `left_waiting` are in line when there is room for everybody.
    `orders` is what the substations were asked to start, `refusals` what they refused of it (409), by reason.
    """

    seed: int
    duration_s: float
    faults: dict[str, int]
    crashed: list[str]
    requests: int
    accepted: int
    waited: int
    refused: int
    errors: dict[str, int]
    overload_s: float
    peak_of_limit: float
    lost: dict[str, str]
    charged_after_errors: list[str]
    left_waiting: int
    committed_kw: float
    drawn_kw: float
    orders: int
    refusals: dict[str, int]
    longest_gap_s: float
    gap_at_s: float

    @property
    def broken(self) -> list[str]:
        unexcused = {what: count for what, count in self.errors.items() if what not in EXCUSED}
        promises = {
            "the drivers were never served": self.accepted == 0,
            f"crashed: {', '.join(self.crashed)}": bool(self.crashed),
            f"unexpected answers: {unexcused}": bool(unexcused),
            "a substation was overloaded": self.overload_s > 0 or self.peak_of_limit > 1,
            f"accepted sessions were lost: {dict(Counter(self.lost.values()))}": bool(self.lost),
            f"{len(self.charged_after_errors)} charged after errors only": bool(self.charged_after_errors),
            f"{self.left_waiting} are left in line of an empty grid": self.left_waiting != 0,
            "watts are left over": self.committed_kw != 0 or self.drawn_kw != 0,
            f"no good answer for {self.longest_gap_s} s": self.longest_gap_s > GAP_LIMIT_S,
        }
        return [promise for promise, is_broken in promises.items() if is_broken]

    def as_json(self) -> dict[str, Any]:
        return {"broken": self.broken, **asdict(self)}


def judge(
    seed: int,
    duration_s: float,
    inflicted: Sequence[Inflicted],
    crashed: Sequence[str],
    answers: Sequence[Answer],
    accounts: Sequence[Account],
    at_the_end: Sequence[Account],
    totals: Mapping[str, Any],
    lost: Mapping[str, str],
    charged_after_errors: Sequence[str],
) -> Verdict:
    """Put together what docker did, what the drivers saw, and what the substations and the ledger say.

    `accounts` are of killed substations, `at_the_end` of those that run; `totals` are what GET /grid says at the end.
    """
    lives = [*accounts, *at_the_end]
    refusals: Counter[str] = Counter()
    for life in lives:
        refusals.update(life.refused)
    outcomes = Counter(answer.outcome for answer in answers if not answer.session)
    gap_s, gap_began = longest_gap(answers, until=max(answer.at for answer in answers))
    return Verdict(
        seed=seed,
        duration_s=duration_s,
        faults=dict(Counter(f"{each.fault.kind} {service_of(each.fault.container)}" for each in inflicted)),
        crashed=list(crashed),
        requests=len(answers),
        accepted=sum(1 for answer in answers if answer.session),
        waited=sum(1 for answer in answers if answer.outcome == "waiting"),
        refused=outcomes.pop("refused", 0),
        errors=dict(outcomes),
        overload_s=sum(life.overload_s for life in lives),
        peak_of_limit=max(life.peak / life.limit for life in lives),
        lost=dict(lost),
        charged_after_errors=list(charged_after_errors),
        left_waiting=totals["waiting"],
        committed_kw=totals["committed_kw"],
        drawn_kw=sum(life.drawn for life in at_the_end) / 1000,
        orders=sum(life.started for life in lives) + refusals.total(),
        refusals=dict(refusals),
        longest_gap_s=round(gap_s, 2),
        gap_at_s=round(gap_began - min((each.began for each in inflicted), default=gap_began), 2),
    )
