"""The substation service: one process, one feeder."""

import socket

from flask import Flask

from grid import service
from grid.background import Background
from grid.ledger import Ledger, open_ledgers
from grid.settings import Settings, load_settings
from substation.heartbeat import Heartbeats, Identity
from substation.meters import Meters, Reading
from substation.naming import own_name
from substation.routes import create_routes
from substation.station import Station

REST_MS = 50
"""Between heartbeats. Each lists all cars: where one leaves every few ms, a heartbeat for each costs twice as much."""


def identify(settings: Settings) -> Identity:
    """Who this substation is, from its settings or its surroundings."""
    port = settings.bind.rpartition(":")[2]
    return Identity(
        substation=settings.substation_id or own_name(),
        url=settings.advertise_url or f"http://{socket.gethostname()}:{port}",
        capacity=settings.capacity_watts,
        limit=settings.limit_watts,
    )


def create_app(settings: Settings | None = None, ledger: Ledger | None = None) -> Flask:
    """The app; its heartbeat and its feeder start when it is served (see grid/gunicorn_conf.py)."""
    settings = settings or load_settings()
    ledger = ledger or open_ledgers(settings, [settings.zone], connections=2)[settings.zone]
    identity = identify(settings)
    meters = Meters(settings.zone, identity.substation, identity.capacity, identity.limit)
    station = Station(identity.limit, settings.time_scale, on_end=meters.ended)
    heartbeats = Heartbeats(ledger, station, identity, meters, settings.heartbeat_ttl_ms)

    def feed() -> None:
        station.wait_for_end(timeout_s=1.0)
        station.finish_due()

    heartbeat = Background(
        "heartbeat", heartbeats.beat, settings.heartbeat_interval_ms, heartbeats.farewell, rest_ms=REST_MS
    )
    station.on_change = heartbeat.wake

    def registered() -> str | None:
        return None if heartbeats.is_in_touch else "the ledger has not answered for too long"

    app = Flask(__name__)
    service.init_app(app, "substation", settings, {"ledger": registered}, [Reading(station, meters)])
    app.register_blueprint(create_routes(identity, station, heartbeats, meters))
    app.extensions["background"] = [heartbeat, Background("feeder", feed, interval_ms=1)]
    return app
