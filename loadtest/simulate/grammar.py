"""The lists that are typed: substations, sizes, loads, what to protect. Each function raises ValueError with a message.

What is typed is in kW, what is returned in W.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from pydantic import ValidationError

from grid.settings import protected_watts
from loadtest.simulate.scenario import PowerClass
from loadtest.simulate.studies import KW

LARGEST = 1_000_000
"""Of all numbers: kW, shares, stays, loads."""
SMALLEST_KW = 0.001
MOST_SUBSTATIONS = 10_000

RANGE = f"above 0, up to {LARGEST:,}"
RANGE_KW = f"{SMALLEST_KW:g} to {LARGEST:,} kW"

T = TypeVar("T")


def limits_of(typed: str) -> tuple[int, ...]:
    counted = _each("--substations", typed, _equal_limits, f"like 100,150 or 10x1000, each of {RANGE_KW}")
    number = sum(count for count, _ in counted)
    require(number <= MOST_SUBSTATIONS, f"--substations {typed!r} are {number:,}, and {MOST_SUBSTATIONS:,} is the most")
    return tuple(limit for count, limit in counted for _ in range(count))


def classes_of(typed: str) -> tuple[PowerClass, ...]:
    return tuple(_each("--sizes", typed, _power_class, f"like 7:0.8,50:0.2, {RANGE_KW}, all other numbers {RANGE}"))


def loads_of(typed: str) -> tuple[float, ...]:
    loads = _each("--loads", typed, _positive, f"like 0.8,0.9, {RANGE}")
    require_once("--loads", loads)
    return tuple(loads)


def protected_of(typed: str) -> tuple[int, ...]:
    """By the rules of PROTECT_KW."""
    try:
        return protected_watts(typed)
    except ValidationError as error:
        raise ValueError(f"--protect {typed!r}: {error.errors()[0]['msg']}") from None


def require(holds: bool, why_not: str) -> None:
    if not holds:
        raise ValueError(why_not)


def require_once(option: str, given: Sequence[Hashable]) -> None:
    """What is given twice would be simulated twice, to the same figures."""
    require(len(set(given)) == len(given), f"{option}: something is given twice, and each once is enough")


def _each(option: str, typed: str, read: Callable[[str], T], like: str) -> list[T]:
    try:
        return [read(item) for item in typed.split(",")]
    except ValueError:
        raise ValueError(f"{option} must be {like}, not {typed!r}") from None


def _equal_limits(item: str) -> tuple[int, int]:
    """How many, and the limit of each."""
    count, times, kw = item.rpartition("x")
    number = int(count) if times else 1
    if number < 1:
        raise ValueError
    return number, _watts(kw)


def _power_class(item: str) -> PowerClass:
    kw, share, *stay = item.split(":")
    if len(stay) > 1:
        raise ValueError
    return PowerClass(_watts(kw), _positive(share), *map(_positive, stay))


def _positive(typed: str) -> float:
    value = float(typed)
    if not 0 < value <= LARGEST:
        raise ValueError
    return value


def _watts(typed: str) -> int:
    kw = float(typed)
    if not SMALLEST_KW <= kw <= LARGEST:
        raise ValueError
    return round(kw * KW)
