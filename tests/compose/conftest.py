"""The whole system in containers, brought up once for all tests here: `make test-compose`."""

from collections.abc import Generator, Iterator

import pytest

from .stack import Stack, missing

CAR_KW = 11
ROOM = 10
"""How many cars a substation has room for."""


@pytest.fixture(scope="session")
def docker() -> None:
    """Skips the test where there is none."""
    if reason := missing():
        pytest.skip(f"{reason}, then `make test-compose`")


@pytest.fixture(scope="session")
def stack(docker: None) -> Iterator[Stack]:
    """The system with 3 balancers and 3 substations. A test that changes that asks for `disturbed` instead. Most cars
    have the one size that is protected, so they go to the least loaded, and every substation has some.
    """
    settings = {"CAPACITY_KW": str(CAR_KW * ROOM), "PROTECT_KW": str(CAR_KW), "TIME_SCALE": "60"}
    with Stack("grid-test", COMPOSE_PROFILES="load", **settings) as running:
        yield running


@pytest.fixture
def disturbed(stack: Stack) -> Iterator[Stack]:
    """The system for a test that stops or scales something; put right again afterwards."""
    yield stack
    stack.restore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the containers' logs with a failure."""
    report = yield
    stack = item.funcargs.get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("docker compose", stack.logs_tail()))
    return report
