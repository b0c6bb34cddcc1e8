"""The arms: which processes each one is, and how they are started. All on loopback, each told apart by its log."""

import json
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from grid.health import probe
from grid.local import API_THREADS, Service, accepts, free_port, redis_command, wait_until
from loadtest.bench import cpu, nginx
from loadtest.bench.payloads import time_scale

BALANCERS = 3
SUBSTATIONS = 3
SUBSTATION_NAMES = [f"substation-{number}" for number in range(1, SUBSTATIONS + 1)]
PLENTY_KW = 1_000_000.0
"""Nobody is refused and nobody waits: what is measured is deciding and forwarding."""
_direct = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Arm:
    """Processes in the order in which they are started, and where drivers ask."""

    url: str
    services: list[Service]
    charging_s: float
    """How long every car charges."""

    @property
    def substations(self) -> list[Service]:
        return [service for service in self.services if kind(service) == "substation"]

    def processes(self) -> dict[str, list[int]]:
        """All of them, by what they are."""
        found: dict[str, list[int]] = defaultdict(list)
        for service in self.services:
            found[kind(service)] += cpu.processes(service.pid)
        return found

    def cpu_s(self) -> dict[str, float]:
        return {name: cpu.cpu_s(pids) for name, pids in self.processes().items()}

    def peak_mib(self) -> dict[str, float]:
        """Of the largest process of each kind."""
        return {name: max(map(cpu.peak_mib, pids)) for name, pids in self.processes().items()}

    def statuses(self) -> list[dict[str, int]]:
        """What each substation says of itself."""
        return [json.load(_direct.open(f"{substation.url}/status")) for substation in self.substations]

    def cars_started(self) -> int:
        return sum(status["started"] for status in self.statuses())

    def wait_until_empty(self) -> None:
        """Nearly all of what is used meanwhile is used for the cars' ends: nobody is asked before they are due."""
        time.sleep(self.charging_s)
        while any(status["drawn_watts"] for status in self.statuses()):
            time.sleep(0.2)


@dataclass(frozen=True)
class Workshop:
    """Where arms are made: their logs, and how long every car charges."""

    logs: Path
    charging_s: float

    def gunicorn(self, name: str, app: str, **variables: str) -> Service:
        """As grid/local.py starts them."""
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "-c", "python:grid.gunicorn_conf", app]
        return self.service(name, port, command, {"BIND": f"127.0.0.1:{port}", **self._clock(), **variables})

    def flask(self, name: str, *others: str) -> Service:
        """A part of the usual design, on Flask's own server."""
        port = free_port()
        command = [sys.executable, "-m", "loadtest.bench.polling", name.partition("-")[0], str(port), *others]
        return self.service(name, port, command, self._clock())

    def _clock(self) -> dict[str, str]:
        return {"TIME_SCALE": f"{time_scale(self.charging_s):g}"}

    def service(self, name: str, port: int, command: list[str], environment: dict[str, str]) -> Service:
        return Service(name, f"http://127.0.0.1:{port}", command, environment, self.logs / f"{name}.log")


def kind(service: Service) -> str:
    return service.name.partition("-")[0]


@contextmanager
def grid(workshop: Workshop, capacity_kw: float = PLENTY_KW, replicas: int = BALANCERS) -> Iterator[Arm]:
    """As shipped: nginx, api, nginx again, balancers, substations, and Redis with its log on."""
    port = free_port()
    folder = _empty(workshop.logs / "redis")
    redis = workshop.service("redis", port, redis_command("redis-server", port, folder), {})
    url = f"redis://127.0.0.1:{port}/0"
    substations = _substations(workshop, "substation.app:create_app()", capacity_kw, REDIS_URL=url)
    balancers = [
        workshop.gunicorn(f"balancer-{number}", "balancer.app:create_app()", REDIS_URL=url)
        for number in range(1, replicas + 1)
    ]
    with _running(redis, lambda: accepts(port)), _hops(workshop, balancers, substations) as arm:
        yield Arm(arm.url, [redis, *arm.services], arm.charging_s)


@contextmanager
def floor(workshop: Workshop) -> Iterator[Arm]:
    """The same hops, servers and settings; a constant choice, and no Redis."""
    substations = _substations(workshop, "loadtest.bench.floor:substation()", PLENTY_KW)
    urls = {substation.name: substation.url for substation in substations}
    balancers = [
        workshop.gunicorn(f"balancer-{number}", f"loadtest.bench.floor:balancer({urls!r})")
        for number in range(1, BALANCERS + 1)
    ]
    with _hops(workshop, balancers, substations) as arm:
        yield arm


@contextmanager
def polling(workshop: Workshop) -> Iterator[Arm]:
    """The usual design (see polling.py): api, one balancer, and substations that refuse nobody."""
    substations = [_identified(workshop.flask(name), PLENTY_KW) for name in SUBSTATION_NAMES]
    names = [f"{substation.name}={substation.url}" for substation in substations]
    balancer = workshop.flask("balancer", *names)
    api = workshop.flask("api", balancer.url)
    with _serving(substations, "/ready"), _serving([balancer, api], "/health"):
        yield Arm(api.url, [*substations, balancer, api], workshop.charging_s)


def _substations(workshop: Workshop, app: str, capacity_kw: float, **variables: str) -> list[Service]:
    services = [workshop.gunicorn(name, app, WORKERS="1", **variables) for name in SUBSTATION_NAMES]
    return [_identified(service, capacity_kw) for service in services]


def _identified(substation: Service, capacity_kw: float) -> Service:
    """It is told who and how large it is."""
    substation.environment |= {"SUBSTATION_ID": substation.name, "ADVERTISE_URL": substation.url}
    substation.environment |= {"CAPACITY_KW": f"{capacity_kw:g}"}
    return substation


@contextmanager
def _hops(workshop: Workshop, balancers: list[Service], substations: list[Service]) -> Iterator[Arm]:
    public, internal = free_port(), free_port()
    api = workshop.gunicorn("api", "api.app:create_app()", BALANCER_URLS=f"http://127.0.0.1:{internal}")
    api.environment |= {"THREADS": str(API_THREADS)}
    addresses = [service.url.removeprefix("http://") for service in (api, *balancers)]
    folder = _empty(workshop.logs / "nginx")
    command = nginx.command(folder, public, internal, addresses[0], addresses[1:])
    proxies = workshop.service("nginx", public, command, {})
    with (
        _serving([*substations, *balancers], "/ready"),
        _running(proxies, lambda: accepts(public)),
        _serving([api], "/ready"),
    ):
        yield Arm(proxies.url, [*substations, *balancers, proxies, api], workshop.charging_s)


@contextmanager
def _running(service: Service, is_ready: Callable[[], bool]) -> Iterator[None]:
    try:
        service.start()
        wait_until(service, is_ready)
        yield
    finally:
        service.stop()
        service.wait()


@contextmanager
def _serving(services: list[Service], path: str) -> Iterator[None]:
    """All of them started at once, and stopped at once."""
    try:
        for service in services:
            service.start()
        for service in services:
            wait_until(service, partial(probe, service.url + path))
        yield
    finally:
        for service in services:
            service.stop()
        for service in services:
            service.wait()


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.resolve()
