"""What the random run and the line are judged by, on runs that are made up."""

import pytest

from . import line
from .line import BEFORE_IT_CAME, ELSEWHERE, SMALLER, UNEXPLAINED, Member
from .runs import Run, Runs
from .verdict import EVERYWHERE, FORGOT, OUT_OF_REACH, Outage, reason


def run(session: str, started: float, ended: float, substation: str = "a", watts: int = 10) -> Run:
    return Run(substation, 1, session, 1, watts, started, ended, error_s=0.0, seen=ended, ended=ended)


def status(*delivered: int) -> dict[str, object]:
    """Cars of 11 kW that take an hour, a second here."""
    row = {"attempt": 1, "watts": 11_000, "energy_wh": 11_000}
    sessions = [{"session_id": f"s{i}", "delivered_wh": wh, **row} for i, wh in enumerate(delivered)]
    return {"time_scale": 3600, "sessions": sessions}


def test_a_run_began_as_long_ago_as_its_energy_says_and_ends_when_it_has_all() -> None:
    runs = Runs()
    runs.look("a", 1, status(2_750), asked=9.9, answered=10.1)
    runs.look("a", 1, status(), asked=11.0, answered=11.0)

    (only,) = runs.all
    assert (only.started, only.ended) == pytest.approx((9.75, 10.75))


def test_a_run_that_was_stopped_or_whose_process_was_killed_ended_then() -> None:
    runs = Runs()
    runs.look("a", 1, status(0), asked=10.0, answered=10.0)
    runs.look("a", 1, status(), asked=10.4, answered=10.4)
    runs.look("a", 1, status(0), asked=20.0, answered=20.0)
    runs.killed("a", at=20.5)

    assert [run.ended for run in runs.all] == [10.4, 20.5]


@pytest.mark.parametrize(
    ("outage", "why"),
    [
        (Outage("a", 1.5, 1.8), OUT_OF_REACH),
        (Outage("b", 1.5, 1.8), OUT_OF_REACH),
        (Outage(EVERYWHERE, 1.5, 1.8), FORGOT),
        (Outage("balancer-1", 1.5, 1.8), None),
        (Outage("a", 3.1, 3.5), None),
        (Outage("a", -9.0, -8.0), None),
    ],
)
def test_a_car_at_two_places_at_once_is_seen_and_excused_only_by_what_is_not_promised(
    outage: Outage, why: str | None
) -> None:
    runs = Runs()
    runs.all = [run("s", 1.0, 4.0), run("s", 3.0, 5.0, "b"), run("t", 1.0, 2.0), run("t", 2.0, 3.0, "b")]
    doubles = list(runs.doubles())

    assert [(earlier.session, later.session) for earlier, later in doubles] == [("s", "s")]
    assert [reason(earlier, later, [outage]) for earlier, later in doubles] == [why]


def in_line(*members: tuple[str, int, int], joined: float = 0.0) -> dict[str, Member]:
    return {session: Member(session, watts, latest, joined, waited=True) for session, watts, latest in members}


def test_room_counts_from_when_enough_had_ended_for_all_who_started_there() -> None:
    members = in_line(("s", 10, 1), ("t", 10, 2), ("u", 20, 3))
    runs = [run("s", 0.0, 2.0), run("t", 0.0, 4.0), run("u", 4.25, 5.0, watts=20)]

    assert line.reuse_s(runs, members, {"a": 20}) == [0.0, 0.0, 0.25]
    assert line.utilisation(runs, 0.0, 5.0, 20) == pytest.approx((20 + 40 + 15) / 100)


def test_room_is_idle_if_somebody_in_line_would_fit() -> None:
    members = in_line(("s", 10, 1), ("t", 10, 2), ("u", 20, 3))
    runs = [run("s", 0.0, 2.0), run("t", 3.0, 4.0), run("u", 4.0, 5.0, watts=20)]

    # Beside s there was room for t, all of it when s was done, and the rest beside t was too little for u.
    assert line.idle_share(runs, list(members.values()), {"a": 20}, 0.0, 4.0) == pytest.approx((10 * 2 + 20) / 80)


@pytest.mark.parametrize(
    ("mine", "other", "why"),
    [
        (run("me", 9.0, 10.0), run("it", 5.0, 6.0, watts=5), SMALLER),
        (run("me", 6.0, 10.0), run("it", 5.0, 6.0, "b"), ELSEWHERE),
        (run("me", 9.0, 10.0), run("it", 0.5, 6.0), BEFORE_IT_CAME),
        (run("me", 6.0, 10.0), run("it", 5.0, 6.0), UNEXPLAINED),
        (run("me", 9.0, 10.0), run("it", 5.0, 6.0, "b", watts=20), UNEXPLAINED),
    ],
)
def test_who_was_overtaken_is_told_why(mine: Run, other: Run, why: str) -> None:
    members = in_line(("me", mine.watts, 1), ("it", other.watts, 2))

    assert list(line.overtaken([mine, other], members)) == [("me", why)]


def test_who_starts_in_turn_or_together_has_overtaken_nobody() -> None:
    members = in_line(("me", 10, 1), ("it", 10, 2))

    assert list(line.overtaken([run("me", 1.0, 2.0), run("it", 1.5, 2.0)], members)) == []
    assert list(line.overtaken([run("me", 1.04, 2.0), run("it", 1.0, 2.0)], members)) == []
