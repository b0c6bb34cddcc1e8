"""The lists that are typed, and their bounds."""

import re
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from grid.settings import Settings
from loadtest.simulate.grammar import classes_of, limits_of, loads_of, protected_of
from loadtest.simulate.scenario import PowerClass


def test_limits_one_by_one_or_so_many_of_them() -> None:
    assert limits_of("100,250.5") == (100_000, 250_500)
    assert limits_of("3x1000,2x50") == (1_000_000,) * 3 + (50_000,) * 2


def test_the_largest_grid() -> None:
    assert limits_of("5000x1000000,5000x0.001") == (1_000_000_000,) * 5_000 + (1,) * 5_000


def test_sizes_have_shares_and_may_have_stays() -> None:
    assert classes_of("7:0.8,50:0.2:0.5") == (PowerClass(7_000, 0.8, 1.0), PowerClass(50_000, 0.2, 0.5))


@pytest.mark.parametrize(
    ("read", "typed", "why"),
    [
        *(
            (limits_of, typed, "--substations must be like")
            for typed in ("", "ten", "10x-5", "0x5", "-1x5", "x5", "nan")
        ),
        *((limits_of, typed, "each of 0.001 to 1,000,000 kW") for typed in ("0.0009", "1000000.1", "1e300", "2xinf")),
        (limits_of, "1000000000x1", "--substations '1000000000x1' are 1,000,000,000, and 10,000 is the most"),
        (limits_of, "10000x1,1", "are 10,001, and 10,000 is the most"),
        *((classes_of, typed, "--sizes must be like") for typed in ("7", "7:0", "7:-1", "7:1:0", "7:1:1:1", "7:nan")),
        *((classes_of, typed, "0.001 to 1,000,000 kW") for typed in ("1e300:1", "0:1")),
        *((classes_of, typed, "above 0, up to 1,000,000") for typed in ("7:1e300", "7:1:inf")),
        *((loads_of, typed, "--loads must be like 0.8,0.9, above 0, up to 1,000,000") for typed in ("0", "inf", "1e7")),
    ],
)
def test_what_is_out_of_bounds_is_said(read: Callable[[str], object], typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        read(typed)


@pytest.mark.parametrize(
    "typed",
    [
        *("350,150.5", "0.001", "1000000", "8,7,6,5,4,3,2,1", "none"),
        *("9,8,7,6,5,4,3,2,1", "22,50", "50,50", "50,0", "0.0009", "1000000.1", "350,none", "big", "inf", "nan"),
    ],
)
def test_what_may_be_protected_is_what_the_grid_may_protect(typed: str) -> None:
    try:
        expected = Settings(protect_kw=typed).protect_watts
    except ValidationError:
        with pytest.raises(ValueError, match=r"^--protect "):
            protected_of(typed)
    else:
        assert protected_of(typed) == expected


def test_sizes_to_protect_fall_in_watts() -> None:
    with pytest.raises(ValueError, match=r"^--protect .* must fall"):
        protected_of("50.0004,50.0001")


def test_so_many_sizes_are_protected_at_most() -> None:
    with pytest.raises(ValueError, match="at most 8 items"):
        protected_of("9,8,7,6,5,4,3,2,1")
