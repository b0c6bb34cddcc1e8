"""Percentiles that were measured."""

from loadtest.percentiles import percentile, percentiles


def test_percentiles_are_values_that_were_measured() -> None:
    assert [percentile([4, 1, 3, 2], share) for share in (0.5, 0.75, 0.99)] == [2, 3, 4]
    assert percentile([7], 0.5) == 7


def test_percentiles_have_names_and_there_are_none_of_nothing() -> None:
    assert percentiles([4, 1, 3, 2]) == {"p50": 2, "p95": 4, "p99": 4}
    assert percentiles([]) == {}
