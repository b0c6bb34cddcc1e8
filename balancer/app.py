"""The balancer service."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, Response

from balancer.dispatch import Dispatcher
from balancer.ledger_view import LedgerView
from balancer.routes import create_routes
from balancer.substation import SubstationClient
from balancer.sweeper import Sweeper
from grid import service
from grid.background import Background
from grid.http import Client
from grid.ledger import Ledger, LedgerUnavailable, open_ledgers
from grid.problems import Problem
from grid.settings import Settings, load_settings

log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None, ledgers: Mapping[str, Ledger] | None = None) -> Flask:
    """The app; its sweep starts when it is served (see grid/gunicorn_conf.py)."""
    settings = settings or load_settings()
    ledgers = ledgers or open_ledgers(settings, settings.zones, connections=settings.threads + 1)
    client = Client(settings.threads, settings.connect_timeout_ms, settings.charge_timeout_ms)
    substations = SubstationClient(client)
    pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="forward")
    dispatchers = {zone: Dispatcher(ledger, substations, pool) for zone, ledger in ledgers.items()}

    def redis_answers() -> str | None:
        try:
            next(iter(ledgers.values())).ping()
        except LedgerUnavailable as error:
            return str(error)
        return None

    sweepers = [Sweeper(ledger) for ledger in ledgers.values()]

    def sweep() -> None:
        for sweeper in sweepers:
            sweeper.sweep()

    def unavailable(error: LedgerUnavailable) -> Response:
        log.warning("the ledger does not answer: %s", error)
        cause = f"the ledger cannot be used: {error}"
        problem = Problem("ledger-unavailable", cause, retry_after_s=settings.retry_after_s)
        return problem.response()

    app = Flask(__name__)
    service.init_app(app, "balancer", settings, {"redis": redis_answers}, [LedgerView(ledgers)])
    app.register_error_handler(LedgerUnavailable, unavailable)
    app.register_blueprint(create_routes(ledgers, dispatchers, settings.retry_after_s))
    app.extensions["background"] = [Background("sweep", sweep, settings.sweep_interval_ms)]
    return app
