"""Drivers and fleets who want to charge; to have to wait (202), or to be refused by a full line (503), is an outcome.

The process is open: calls are due at instants drawn from a shape, and Locust's users are only how many of them can be
under way at once. Latency, in Locust's statistics too, counts from the instant a call was due, so a grid that
stalls is not asked less often and does not look faster.

locust -f loadtest/locustfile.py --host http://127.0.0.1:8080 --users 500 --spawn-rate 500 --shape rush-hour
"""

import logging
import os
import sys
from argparse import ArgumentParser
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.runners import STATE_RUNNING, MasterRunner, Runner, WorkerRunner

from loadtest import testrun
from loadtest.limits import NoGridError, limits_kw
from loadtest.options import Options
from loadtest.options import add_options as add_rush_options
from loadtest.plan import plan
from loadtest.testrun import Run
from loadtest.trace import TraceError
from loadtest.users import Driver, Fleet

__all__ = ["Driver", "Fleet"]
log = logging.getLogger(__name__)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: ArgumentParser) -> None:
    add_rush_options(parser)
    parser.add_argument("--result", default="", help="write how the run went to this file, as JSON")
    parser.add_argument("--answers", default="", help="write each answer to this file as it comes, a line of JSON each")


@events.init.add_listener  # type: ignore[untyped-decorator]
def alone(runner: Runner, **_: Any) -> None:
    """Each process would make the whole plan: a rush twice as large, which no report would know of."""
    if isinstance(runner, MasterRunner | WorkerRunner):
        sys.exit("A rush is made by one Locust process: without --master, --worker and --processes.")


@events.init.add_listener  # type: ignore[untyped-decorator]
def say_where(environment: Environment, **_: Any) -> None:
    if environment.web_ui is not None and (port := os.environ.get("LOCUST_PORT")):
        log.info("Published, whatever is said above, as http://127.0.0.1:%s", port)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def begin(environment: Environment, **_: Any) -> None:
    parsed = environment.parsed_options
    assert parsed is not None
    assert environment.runner is not None
    testrun.now = Run(Options.of(parsed), parsed.answers, parsed.result)
    testrun.now.calling = gevent.spawn(_run, environment, environment.runner, testrun.now)


def _run(environment: Environment, runner: Runner, current: Run) -> None:
    try:
        if wrong := current.options.wrong():
            raise ValueError(wrong)
        planned = plan(current.options, limits_kw(environment.host or ""))
        while runner.state != STATE_RUNNING:  # until all users are there
            gevent.sleep(0.05)
        current.make(planned)
    except (NoGridError, TraceError, ValueError) as error:
        log.error(error)
        environment.process_exit_code = 1
    if environment.web_ui is None:
        runner.quit()
    elif current is testrun.now:  # not if another test has begun meanwhile
        runner.stop()


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def end(**_: Any) -> None:
    testrun.now.end()
