"""What was typed, made complete; or a message that says what is wrong with it."""

import os
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import TypeVar

from loadtest.simulate.arms import Arm, Rule, parse_arm
from loadtest.simulate.estimate import BATCHES
from loadtest.simulate.scenario import PowerClass, Stays
from loadtest.simulate.studies import KW, STUDIES, Study

BUILD = Path("build") / "simulate"
DEFAULT = "placement"
VALIDATION = "validation"
FEWEST = 50 * BATCHES

T = TypeVar("T")


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
    parser.add_argument("--stays", choices=list(Stays), help="how they are distributed")
    parser.add_argument("--loads", help="offered ÷ limits, each: 0.8,0.9,1")
    rules = ", ".join(rule + "@100" if rule.needs_period else rule.value for rule in Rule)
    text = f"of {rules}: @ and how many come in a period; least-loaded@1 and protect@100 are told by heartbeats"
    parser.add_argument("--arms", help=text)
    text = "charger sizes in kW, falling, that protect keeps room for: 350,150,50 (may be repeated: an arm each time)"
    parser.add_argument("--protect", action="append", help=text)
    parser.add_argument("--arrivals", type=int, help="counted in each cell; more are surer")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--processes", type=int, default=cores, help="default: as many as cores, %(default)s")
    text = "where to write the JSON and the picture (default: %(default)s)"
    parser.add_argument("--out", type=Path, default=BUILD, metavar="FOLDER", help=text)
    typed = parser.parse_args(arguments)
    changes = {name: getattr(typed, name) for name in ("substations", "sizes", "stays", "loads", "arms", "protect")}
    try:
        _check(typed.arrivals is None or typed.arrivals >= FEWEST, f"--arrivals must be {FEWEST:,} or more")
        _check(typed.processes > 0, "--processes must be 1 or more")
        if typed.study == VALIDATION:
            for name, value in changes.items():
                _check(value is None, f"--{name} does not go with --study {VALIDATION}")
            study = None
        else:
            study = _changed(STUDIES[typed.study], **changes)
            study = replace(study, seed=typed.seed, arrivals=typed.arrivals or study.arrivals)
    except ValueError as error:
        parser.error(str(error))
    return Asked(typed.study, study, typed.arrivals, typed.seed, typed.processes, typed.out)


def _check(holds: bool, why_not: str) -> None:
    if not holds:
        raise ValueError(why_not)


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
        study = replace(study, grids=tuple(limits_of(typed) for typed in substations))
    if sizes is not None:
        study = replace(study, classes=classes_of(sizes))
    if stays is not None:
        study = replace(study, stays=Stays(stays))
    if loads is not None:
        study = replace(study, loads=tuple(_each("--loads", loads, _positive, "like 0.8,0.9")))
    return replace(study, arms=_arms(study, arms, protect))


def _arms(study: Study, arms: str | None, protect: Sequence[str] | None) -> tuple[Arm, ...]:
    """Raises ValueError."""
    lists = [protected_of(typed) for typed in protect or ()]
    if arms is not None:
        lists = lists or [arm.protect for arm in study.arms if arm.protect][:1]
        try:
            return tuple(arm for typed in arms.split(",") for arm in parse_arm(typed, lists))
        except ValueError as error:
            raise ValueError(f"--arms: {error}") from None
    if not lists:
        return study.arms
    periods = dict.fromkeys(arm.per_period for arm in study.arms if arm.rule is Rule.PROTECT)
    protecting = [Arm(Rule.PROTECT, sizes, period) for period in periods for sizes in lists]
    others = [arm for arm in study.arms if arm.rule is not Rule.PROTECT]
    return (*others, *protecting)


def limits_of(typed: str) -> tuple[int, ...]:
    """In W. Raises ValueError."""

    def limits(item: str) -> list[int]:
        count, times, kw = item.rpartition("x")
        return [_watts(kw)] * (int(count) if times else 1)

    found = [limit for part in _each("--substations", typed, limits, "like 100,150 or 10x1000") for limit in part]
    _check(bool(found), f"--substations {typed!r} are none")
    return tuple(found)


def classes_of(typed: str) -> tuple[PowerClass, ...]:
    """Raises ValueError."""

    def power_class(item: str) -> PowerClass:
        kw, share, *stay = item.split(":")
        if len(stay) > 1:
            raise ValueError
        return PowerClass(_watts(kw), _positive(share), *map(_positive, stay))

    return tuple(_each("--sizes", typed, power_class, "like 7:0.8,50:0.2"))


def protected_of(typed: str) -> tuple[int, ...]:
    """In W. Raises ValueError."""
    sizes = tuple(_each("--protect", typed, _watts, "like 350,150"))
    falling = all(one > other for one, other in pairwise(sizes))
    _check(falling, f"--protect must fall, like 350,150, not {typed!r}")
    return sizes


def _each(option: str, typed: str, read: Callable[[str], T], like: str) -> list[T]:
    try:
        return [read(item) for item in typed.split(",")]
    except (ValueError, OverflowError):
        raise ValueError(f"{option} must be {like}, not {typed!r}") from None


def _positive(typed: str) -> float:
    value = float(typed)
    if not (isfinite(value) and value > 0):
        raise ValueError
    return value


def _watts(kw: str) -> int:
    return int(_positive(str(round(_positive(kw) * KW))))
