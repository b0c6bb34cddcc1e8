"""What was typed, made complete; or a message that says what is wrong with it."""

import os
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path

from loadtest.simulate.arms import Arm, Rule, parse_arm
from loadtest.simulate.estimate import BATCHES
from loadtest.simulate.grammar import classes_of, limits_of, loads_of, protected_of, require, require_once
from loadtest.simulate.scenario import Stays
from loadtest.simulate.studies import STUDIES, Study

BUILD = Path("build") / "simulate"
DEFAULT = "placement"
VALIDATION = "validation"
FEWEST = 50 * BATCHES
MOST_UNITS = 20_000_000
"""Of power, in all scenarios: theory takes a step for each of them."""


@dataclass(frozen=True)
class Asked:
    """`study` is None if the laboratory itself is to be validated."""

    name: str
    study: Study | None
    arrivals: int | None
    """If they were typed."""
    seed: int
    processes: int
    folder: Path


def parse(arguments: Sequence[str], about: str) -> Asked:
    parser = ArgumentParser(
        "python -m loadtest.simulate", description=about, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", choices=[*STUDIES, VALIDATION], default=DEFAULT, help="default: %(default)s")
    text = "limits in kW: 100,150,250 or 10x1000, ten of 1,000 (may be repeated: a grid each time)"
    parser.add_argument("--substations", action="append", help=text)
    text = "kW and share of each power class: 7:0.8,50:0.2; and its mean stay, if they differ: 7:0.8:1,50:0.2:0.5"
    parser.add_argument("--sizes", help=text)
    parser.add_argument("--stays", choices=[stays.value for stays in Stays], help="how they are distributed")
    parser.add_argument("--loads", help="offered ÷ limits, each: 0.8,0.9,1")
    rules = ", ".join(rule + "@100" if rule.needs_period else rule.value for rule in Rule)
    text = f"of {rules}: @ and how many come in a period; least-loaded@1 and protect@100 are told by heartbeats"
    parser.add_argument("--arms", help=text)
    text = "sizes in kW, falling, that protect keeps room for: 350,150,50, or none (may be repeated: an arm each time)"
    parser.add_argument("--protect", action="append", help=text)
    parser.add_argument("--arrivals", type=int, help="counted in each cell; more are surer")
    text = "another one, other arrivals; see above for what that does to validation (default: %(default)s)"
    parser.add_argument("--seed", type=int, default=1, help=text)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--processes", type=int, default=cores, help="default: as many as cores, %(default)s")
    text = "where to write the JSON and the picture (default: %(default)s)"
    parser.add_argument("--out", type=Path, default=BUILD, metavar="FOLDER", help=text)
    typed = parser.parse_args(arguments)
    changes = {name: getattr(typed, name) for name in ("substations", "sizes", "stays", "loads", "arms", "protect")}
    try:
        require(typed.arrivals is None or typed.arrivals >= FEWEST, f"--arrivals must be {FEWEST:,} or more")
        require(typed.processes > 0, "--processes must be 1 or more")
        if typed.study == VALIDATION:
            for name, value in changes.items():
                require(value is None, f"--{name} does not go with --study {VALIDATION}")
            study = None
        else:
            study = _changed(STUDIES[typed.study], **changes)
            study = replace(study, seed=typed.seed, arrivals=typed.arrivals or study.arrivals)
            _can_be_computed(study)
    except ValueError as error:
        parser.error(str(error))
    return Asked(typed.study, study, typed.arrivals, typed.seed, typed.processes, typed.out)


def _changed(
    study: Study,
    substations: Sequence[str] | None,
    sizes: str | None,
    stays: str | None,
    loads: str | None,
    arms: str | None,
    protect: Sequence[str] | None,
) -> Study:
    """The study, but for what was typed. Raises ValueError."""
    if substations:
        study = replace(study, grids=tuple(map(limits_of, substations)))
        require_once("--substations", study.grids)
    if sizes is not None:
        study = replace(study, classes=classes_of(sizes))
    if stays is not None:
        study = replace(study, stays=Stays(stays))
    if loads is not None:
        study = replace(study, loads=loads_of(loads))
    return replace(study, arms=_arms(study, arms, protect))


def _arms(study: Study, arms: str | None, protect: Sequence[str] | None) -> tuple[Arm, ...]:
    """Raises ValueError."""
    lists = [protected_of(typed) for typed in protect or ()]
    require_once("--protect", lists)
    if arms is not None:
        lists = lists or [arm.protect for arm in study.arms if arm.protect][:1]
        try:
            given = [arm for typed in arms.split(",") for arm in parse_arm(typed, lists)]
        except ValueError as error:
            raise ValueError(f"--arms: {error}") from None
        require_once("--arms", given)
        return tuple(given)
    if not lists:
        return study.arms
    others = [arm for arm in study.arms if not arm.protect]
    protecting = dict.fromkeys(replace(arm, protect=sizes) for arm in study.arms if arm.protect for sizes in lists)
    return (*others, *protecting)


def _can_be_computed(study: Study) -> None:
    """Raises ValueError if nobody could ever charge, or theory would take for ever."""
    watts = [each.watts for each in study.classes]
    fits = all(min(watts) <= max(limits) for limits in study.grids)
    require(fits, "--sizes: not even the smallest fits into any substation of one of the grids")
    unit = gcd(*watts)
    units = sum(sum(scenario.limits) // unit for scenario in study.scenarios)
    text = (
        f"--sizes: their largest common unit is {unit:,} W. The limits are {units:,} such units in all scenarios, and "
        f"{MOST_UNITS:,} is the most that theory is computed for: round the sizes, or take fewer or smaller substations"
    )
    require(units <= MOST_UNITS, text)
