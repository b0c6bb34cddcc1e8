"""The random run's plan: the same for the same seed, with faults of every kind, one at a time for each part."""

from itertools import pairwise

from .schedule import GAP_S, Kind, Phase, plan

BALANCERS = ["balancer-1", "balancer-2", "balancer-3"]
SUBSTATIONS = ["substation-1", "substation-2", "substation-3", "substation-4"]


def planned(seed: int) -> list[Phase]:
    return plan(seed, 120, BALANCERS, SUBSTATIONS)


def test_a_seed_is_a_plan() -> None:
    assert planned(1) == planned(1)
    assert planned(1) != planned(2)


def test_every_kind_of_fault_occurs() -> None:
    kinds = set()
    for seed in range(20):
        for phase in planned(seed):
            kinds |= {phase.forgetting.kind, *(fault.kind for fault in phase.faults)}
    assert kinds == set(Kind)


def test_faults_overlap_but_not_at_one_part() -> None:
    overlaps = 0
    for seed in range(20):
        for phase in planned(seed):
            for earlier, later in pairwise(phase.faults):
                assert later.at - earlier.at >= GAP_S[0] - 0.01
                overlaps += later.at < earlier.at + earlier.lasts_s
            for part in {fault.part for fault in phase.faults}:
                its_own = [fault for fault in phase.faults if fault.part == part]
                for earlier, later in pairwise(its_own):
                    assert later.at >= earlier.at + earlier.lasts_s
    assert overlaps > 100
