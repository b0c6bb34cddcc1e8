"""The figures for a program."""

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.simulate import theory
from loadtest.simulate.cells import Result
from loadtest.simulate.estimate import Estimate
from loadtest.simulate.scenario import Scenario


def as_json(results: Sequence[Result], about: Mapping[str, Any]) -> dict[str, Any]:
    """Powers in W, times in mean stays, shares from 0 to 1; `plus_minus` is a 95 % confidence interval."""
    scenarios = list(dict.fromkeys(result.cell.scenario for result in results))
    return {
        **about,
        "scenarios": [
            {
                **_scenario(scenario),
                "theory": _theory(scenario),
                "arms": [_arm(result) for result in results if result.cell.scenario == scenario],
            }
            for scenario in scenarios
        ],
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {
        "limits_w": scenario.limits,
        "classes": [{"watts": each.watts, "share": each.share, "stay": each.stay} for each in scenario.classes],
        "load": scenario.load,
        "stays": scenario.stays,
        "seed": scenario.seed,
    }


def _theory(scenario: Scenario) -> dict[str, Any]:
    pooled = theory.pooled(scenario)
    return {
        "kaufman_roberts": {"carried": theory.carried(scenario, pooled), "classes": pooled},
        "erlang_b": theory.one_size(scenario),
        "fluid_bound": theory.fluid_bound(scenario.load),
    }


def _arm(result: Result) -> dict[str, Any]:
    figures, arm, scenario = result.figures, result.cell.arm, result.cell.scenario
    reference = theory.carried(scenario, theory.pooled(scenario))
    return {
        "arm": arm.name,
        "rule": arm.rule,
        "protect_w": arm.protect,
        "arrivals_per_period": arm.per_period,
        "arrivals": figures.arrivals,
        "carried": _estimate(figures.carried),
        "of_pooled": figures.carried.value / reference,
        "classes": [each and _estimate(each) for each in figures.classes],
        "min_by_max": figures.fairness,
        "jain": _estimate(figures.jain),
        "load": _estimate(figures.load),
        "overloaded": _estimate(figures.overloaded),
        "peak": figures.peak,
        "peak_at_ticks": figures.peak_at_ticks and _estimate(figures.peak_at_ticks),
        "herd_formula": theory.herd_of(scenario, arm.period(scenario)) if arm.is_herd else None,
        "refused": figures.refused,
        "refused_though_it_fitted": figures.refused_though_it_fitted,
        "seconds": result.seconds,
    }


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "plus_minus": estimate.half_width()}
