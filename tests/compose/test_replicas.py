"""Replicas come, go, die and hang: nobody is told, nothing else restarts, no request fails."""

import time

import pytest

from .drivers import drivers
from .stack import Stack, eventually, run


def all_wait(statuses: list[int]) -> bool:
    """Whether no driver has had an answer for a while."""
    answered = len(statuses)
    time.sleep(0.2)
    return len(statuses) == answered


def test_nginx_follows_the_balancers_up_and_down_without_a_failed_request(disturbed: Stack) -> None:
    def nginx_started() -> str:
        (nginx,) = disturbed.containers("nginx")
        started: str = nginx["State"]["StartedAt"]
        return started

    before = nginx_started()
    with drivers(disturbed) as statuses:
        disturbed.up(balancer=5)
        eventually(lambda: len(placed := disturbed.placed()) == 5 and min(placed.values()) > 0)

        disturbed.up(balancer=2)
        at_two = disturbed.placed()
        assert len(at_two) == 2
        eventually(lambda: all(count > at_two[name] + 20 for name, count in disturbed.placed().items()))

    assert set(statuses) == {201}
    assert nginx_started() == before


def test_a_killed_balancer_fails_no_request(disturbed: Stack) -> None:
    victim = disturbed.containers("balancer")[0]["Id"]
    with drivers(disturbed, 8) as statuses:
        run("docker", "pause", victim)
        eventually(lambda: all_wait(statuses))  # it dies with requests in its hands
        run("docker", "kill", victim)
        answered = len(statuses)
        eventually(lambda: len(statuses) > answered + 100)

    assert set(statuses) == {201}


@pytest.mark.parametrize("service", ["balancer", "substation"])
def test_a_hanging_replica_fails_no_request(disturbed: Stack, service: str) -> None:
    victim = disturbed.containers(service)[0]["Id"]
    with drivers(disturbed, 8) as statuses:
        run("docker", "pause", victim)
        try:
            answered = len(statuses)
            eventually(lambda: len(statuses) > answered + 200)
        finally:
            run("docker", "unpause", victim)

    assert set(statuses) == {201}


def test_substations_keep_their_names_through_a_restart(disturbed: Stack) -> None:
    names = {"substation-1", "substation-2", "substation-3"}
    before = disturbed.substations()
    assert before.keys() == names

    disturbed.compose("restart", "substation")

    def restarted() -> bool:
        after = disturbed.substations()
        return after.keys() == names and all(after[name]["epoch"] > before[name]["epoch"] for name in names)

    eventually(restarted)


def test_a_new_substation_is_found_without_configuration(disturbed: Stack) -> None:
    disturbed.up(substation=4)

    eventually(lambda: "substation-4" in disturbed.substations())
    cars = [disturbed.ask(f"ev-{number}") for number in range(4)]
    assert "substation-4" in {car.json()["substation"] for car in cars}
    for car in cars:
        disturbed.cancel(car)
