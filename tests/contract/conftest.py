"""A whole grid in one process: the real apps, fakeredis, a clock the test moves, and a network of function calls."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from fakeredis import FakeRedis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import api.app
import balancer.app
import substation.app
from grid.http import Client, NoAnswer, NotSent, Reply
from grid.ledger import Ledger, connect
from grid.ledger.records import Heartbeat, HeartbeatReply
from grid.settings import Settings
from substation.heartbeat import Heartbeats, Identity
from substation.meters import Meters
from substation.station import Snapshot, Station

SERVICES = ("api", "balancer", "substation")
ZONES = ("default", "north")
RETRY_AFTER_S = 7
CAR = {"vehicle_id": "ev-42", "power_kw": 11, "energy_kwh": 10}
SETTINGS = Settings(
    zones=ZONES, balancer_urls=("http://balancer",), retry_after_s=RETRY_AFTER_S, max_batch=50, max_body_bytes=1_048_576
)


@dataclass(frozen=True)
class Call:
    method: str
    url: str
    request_id: str
    body: Any

    @property
    def path(self) -> str:
        return "/" + self.url.partition("//")[2].partition("/")[2]


Answerer = Callable[[Call], Reply]


def unreachable(call: Call) -> Reply:
    raise NotSent("connection refused")


def silent(call: Call) -> Reply:
    raise NoAnswer("timed out")


def answers(status: int) -> Answerer:
    """Says this to every item of an array, or to the whole request if there is none."""

    def answer(call: Call) -> Reply:
        if isinstance(call.body, list):
            return Reply(207, [{"status": status} for _ in call.body])
        return Reply(status, {"status": status})

    return answer


def in_turn(*answerers: Answerer) -> Answerer:
    turns = iter(answerers)
    return lambda call: next(turns)(call)


class Network(Client):
    """Carries every call to who is at its host, and remembers it. Nobody is at an unknown host."""

    def __init__(self) -> None:
        self.hosts: dict[str, Answerer] = {}
        self.calls: list[Call] = []

    def call(self, method: str, url: str, request_id: str, body: Any = None, timeout_ms: int | None = None) -> Reply:
        call = Call(method, url, request_id, json.loads(json.dumps(body)))
        self.calls.append(call)
        return self.hosts.get(url.split("/")[2], unreachable)(call)

    def calls_to(self, host: str) -> list[Call]:
        return [call for call in self.calls if call.url.split("/")[2] == host]


def served_by(app: Flask) -> Answerer:
    def answer(call: Call) -> Reply:
        headers = {"X-Request-ID": call.request_id}
        response = app.test_client().open(call.path, method=call.method, json=call.body, headers=headers)
        return Reply(response.status_code, json.loads(response.data))

    return answer


@dataclass
class Clock:
    """One clock for the ledger, in ms, and the stations, in s."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def ms(self) -> int:
        return round(self.seconds * 1000)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class SubstationUnderTest:
    """A real one; its heartbeats are sent when the test says so."""

    client: FlaskClient
    station: Station
    heartbeats: Heartbeats

    def beat(self) -> None:
        self.heartbeats.beat()

    def snapshot(self) -> Snapshot:
        return self.station.snapshot()


@dataclass
class Grid:
    monkeypatch: pytest.MonkeyPatch
    clock: Clock = field(default_factory=Clock)
    touch: Clock = field(default_factory=Clock)
    """By which substations know how long ago the ledger answered."""
    network: Network = field(default_factory=Network)
    redis: FakeRedis = field(default_factory=lambda: FakeRedis(decode_responses=True))

    def __post_init__(self) -> None:
        self.monkeypatch.setattr("grid.logs.configure", lambda service, level: None)  # else pytest would see no logs
        self.monkeypatch.setattr("api.app.Client", lambda *limits: self.network)
        self.monkeypatch.setattr("balancer.app.Client", lambda *limits: self.network)
        self.ledgers = {zone: Ledger(self.redis, zone, clock=self.clock.ms) for zone in ZONES}
        self.balancer_app = self.new_balancer(self.ledgers)
        self.balancer = self.balancer_app.test_client()
        self.api = api.app.create_app(SETTINGS).test_client()

    @property
    def ledger(self) -> Ledger:
        return self.ledgers["default"]

    def new_balancer(self, ledgers: dict[str, Ledger]) -> Flask:
        """Another balancer takes over."""
        app = balancer.app.create_app(SETTINGS, ledgers)
        self.network.hosts["balancer"] = served_by(app)
        return app

    def substation(self, name: str = "one", limit_kw: float = 100, zone: str = "default") -> SubstationUnderTest:
        """A real substation, registered with the ledger and reachable."""
        made: list[Heartbeats] = []
        stations: list[Station] = []

        def heartbeats(ledger: Ledger, station: Station, identity: Identity, meters: Meters, ttl_ms: int) -> Heartbeats:
            stations.append(station)
            made.append(Heartbeats(ledger, station, identity, meters, ttl_ms, touch))
            return made[-1]

        self.monkeypatch.setattr("substation.app.Station", partial(Station, clock=self.clock))
        touch = self.touch
        self.monkeypatch.setattr("substation.app.Heartbeats", heartbeats)
        settings = SETTINGS.model_copy(
            update={"substation_id": name, "zone": zone, "advertise_url": f"http://{name}", "capacity_kw": limit_kw}
        )
        app = substation.app.create_app(settings, self.ledgers[zone])
        self.network.hosts[name] = served_by(app)
        made[0].beat()
        return SubstationUnderTest(app.test_client(), stations[0], made[0])

    def stub(self, name: str, answerer: Answerer, limit_kw: int = 100, zone: str = "default") -> None:
        """A substation that the ledger believes in, and that answers as told."""
        watts = limit_kw * 1000
        self.beat(name, watts, zone=zone)
        self.network.hosts[name] = answerer

    def beat(
        self, name: str, watts: int = 100_000, number: int = 1, zone: str = "default", **more: Any
    ) -> HeartbeatReply:
        """A heartbeat of a stub, by hand."""
        drawn = sum(listed.watts for listed in more.get("sessions", ()))
        beat = Heartbeat(name, f"http://{name}", 1, number, watts, watts, number - 1, watts - drawn, **more)
        return self.ledgers[zone].heartbeat(beat)

    def watts_held(self, zone: str = "default") -> dict[str, int]:
        return {row.substation: row.committed for row in self.ledgers[zone].grid()}

    def ledger_dump(self) -> dict[str, Any]:
        """Everything that is in Redis, to compare."""
        read: dict[str, Callable[[str], Any]] = {
            "hash": self.redis.hgetall,
            "set": self.redis.smembers,
            "string": self.redis.get,
            "zset": lambda key: self.redis.zrange(key, 0, -1, withscores=True),
        }
        return {key: read[str(self.redis.type(key))](key) for key in map(str, self.redis.scan_iter())}

    def request_charge(self, **fields: Any) -> TestResponse:
        return self.api.post("/request-charge", json={**CAR, **fields})


@pytest.fixture(autouse=True)
def nothing_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a caller sends or breaks, no service takes it for a fault of its own."""
    caplog.set_level(logging.INFO)
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> Grid:
    """An api and a balancer; the test adds substations."""
    return Grid(monkeypatch)


@pytest.fixture
def one(grid: Grid) -> SubstationUnderTest:
    """A real substation of 100 kW in zone `default`."""
    return grid.substation("one", limit_kw=100)


@pytest.fixture
def balancer_without_redis(grid: Grid, closed_port: int) -> Iterator[FlaskClient]:
    """Another balancer takes over, and its Redis is not there."""
    with connect(f"redis://127.0.0.1:{closed_port}/0", SETTINGS.redis_timeout_ms, 4) as redis:
        yield grid.new_balancer({zone: Ledger(redis, zone) for zone in ZONES}).test_client()


@pytest.fixture
def clients(grid: Grid, one: SubstationUnderTest) -> dict[str, FlaskClient]:
    """Of each service."""
    return {"api": grid.api, "balancer": grid.balancer, "substation": one.client}


def problem_in(response: TestResponse, status: int, type: str) -> dict[str, Any]:
    """The body of an answer that must be this problem."""
    assert response.status_code == status, response.data[:500]
    assert response.content_type == "application/problem+json"
    assert response.headers["X-Request-ID"]
    body: dict[str, Any] = json.loads(response.data)
    assert body["type"] == (type if type == "about:blank" else f"/problems/{type}")
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def body_of(response: TestResponse) -> Any:
    return response.get_json()
