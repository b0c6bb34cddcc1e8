"""`make chaos` keeps its own rules: the same seed, the same faults; and somebody is always left to serve."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from loadtest.answers import Answer
from tests.compose.chaos.gaps import longest_gap
from tests.compose.chaos.schedule import FOR_S, NEVER_ALL, REPLICAS, Fault, Kind, schedule, service_of
from tests.compose.chaos.verdict import Verdict

SEEDS = range(50)
LONG_S = 600.0


def test_the_faults_follow_from_the_seed_and_a_longer_run_begins_with_the_same() -> None:
    assert schedule(7, 60) == schedule(7, LONG_S)[: len(schedule(7, 60))]
    assert schedule(7, 60) != schedule(8, 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_something_is_killed_at_least_every_five_seconds(seed: int) -> None:
    begins = [0.0, *(fault.at for fault in schedule(seed, LONG_S) if fault.kind is Kind.KILL)]

    assert all(1 <= later - earlier <= 5 for earlier, later in pairwise(begins))
    assert LONG_S - begins[-1] <= 5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_container_suffers_from_one_fault_at_a_time_and_one_of_each_service_is_left(seed: int) -> None:
    faults = schedule(seed, LONG_S)
    for fault in faults:
        assert FOR_S[fault.kind][0] <= fault.for_s <= FOR_S[fault.kind][1]
        at_once = [other.container for other in faults if suffers(other, fault.at)]
        assert len(at_once) == len(set(at_once))
        for service in NEVER_ALL:
            assert [service_of(container) for container in at_once].count(service) < REPLICAS[service]


def test_everything_that_may_suffer_does_in_every_way() -> None:
    happened = {(fault.container, fault.kind) for fault in schedule(7, LONG_S)}

    assert happened == {
        (f"{service}-{i}", kind)
        for service, replicas in REPLICAS.items()
        for i in range(1, replicas + 1)
        for kind in Kind
    }


def test_the_longest_gap_is_between_good_answers_and_may_last_until_the_end() -> None:
    answers = [Answer(3.0, "refused", None), Answer(1.0, "charging", "s1"), Answer(2.0, "503 without JSON", None)]

    assert longest_gap(answers, until=4.5) == (2.0, 1.0)
    assert longest_gap(answers, until=9.0) == (6.0, 3.0)


KEPT = Verdict(
    seed=7,
    duration_s=60,
    faults={"kill redis": 1},
    crashed=[],
    requests=100,
    accepted=90,
    waited=20,
    refused=5,
    errors={"503 /problems/ledger-unavailable": 5},
    overload_s=0.0,
    peak_of_limit=1.0,
    lost={},
    charged_after_errors=[],
    left_waiting=0,
    committed_kw=0.0,
    drawn_kw=0.0,
    orders=91,
    refusals={"wrong-epoch": 1},
    longest_gap_s=3.0,
    gap_at_s=12.0,
)


def test_what_a_driver_may_be_told_while_redis_is_away_breaks_no_promise() -> None:
    assert KEPT.broken == []


@pytest.mark.parametrize(
    "figures",
    [
        {"crashed": ["grid-chaos-api-1"]},
        {"accepted": 0},
        {"errors": {"500 about:blank": 1}},
        {"errors": {"no answer": 1}},
        {"overload_s": 0.001},
        {"peak_of_limit": 1.001},
        {"lost": {"default-1": "expired"}},
        {"charged_after_errors": ["default-1"]},
        {"left_waiting": 1},
        {"committed_kw": 11.0},
        {"drawn_kw": 11.0},
        {"longest_gap_s": 10.1},
    ],
)
def test_each_of_these_breaks_a_promise(figures: dict[str, Any]) -> None:
    assert len(replace(KEPT, **figures).broken) == 1


def suffers(fault: Fault, at: float) -> bool:
    return fault.at <= at < fault.at + fault.for_s
