"""The laboratory's own account, against looking at everything."""

import random

import pytest

from loadtest.balance import jain
from loadtest.simulate.books import Books


def test_the_sums_are_what_adding_up_all_loads_gives() -> None:
    limits = [100_000, 250_000, 630_000, 99_999]
    books, rng = Books(limits), random.Random(1)
    here: list[int] = []
    for number in range(2_000):
        books.take(number, rng.randrange(4), rng.choice([3_700, 11_000, 50_000]))
        here.append(number)
        if len(here) > 12:
            books.leave(here.pop(rng.randrange(len(here))))
        loads = [used / limit for used, limit in zip(books.committed, limits, strict=True)]
        assert books.jain == pytest.approx(jain(loads), rel=1e-12)
        assert books.mean_load == pytest.approx(sum(loads) / 4, rel=1e-12)
        assert books.highest_load == max(loads)
        assert books.overloaded == sum(load > 1 for load in loads)
    for number in here:
        books.leave(number)
    assert (books.committed, books.mean_load, books.overloaded, books.jain) == ([0] * 4, 0, 0, 1)


def test_a_full_substation_is_not_overloaded() -> None:
    books = Books([10, 10])
    books.take(1, 0, 10)
    assert (books.overloaded, books.peak) == (0, 1.0)
    books.take(2, 0, 1)
    assert (books.overloaded, books.peak) == (1, 1.1)
    books.leave(1)
    assert (books.overloaded, books.peak) == (0, 1.1)


def test_who_fits_somewhere() -> None:
    books = Books([10, 20])
    books.take(1, 1, 12)

    assert books.fits_somewhere(10)
    assert not books.fits_somewhere(11)


def test_who_was_refused_leaves_nothing() -> None:
    books = Books([10])
    books.leave(1)

    assert books.committed == [0]
