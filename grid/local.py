"""The whole grid on this machine, without containers: real gunicorn processes and a Redis, on loopback only.

`python -m grid.local` runs it until Ctrl-C; tests and the demo use `LocalGrid` as a context manager.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from grid.health import probe
from grid.ledger import Ledger, LedgerUnavailable, connect
from grid.settings import inherited_environment, redis_url_if_given

LOGS = Path("build/local")
CAPACITIES_KW = (100, 150, 250)
BALANCERS = 3
API_PORT = 8080
API_THREADS = 128
"""Half of them may be held by drivers who wait to hear that their turn has come."""
PORTS = (20_000, 32_000)
_given: set[int] = set()
FAKEREDIS_PATIENCE = {"REDIS_TIMEOUT_MS": "1500", "ROUTE_TRY_MS": "4000"}
"""It runs Lua in Python: a burst of requests queues up for longer than at a real Redis."""
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 12.0


class LocalGridError(Exception):
    """The grid could not be started; the message says what to do."""


@dataclass
class Service:
    """One process of the grid and where it listens."""

    name: str
    url: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            # A session of its own, so that Ctrl-C reaches only us and we stop everything in order.
            self.process = subprocess.Popen(
                self.command,
                env=inherited_environment() | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was not started"
        return self.process.pid

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        """Ask it to finish what it holds and end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def send_to_all(self, number: signal.Signals) -> None:
        """A signal to the process and its workers: SIGKILL as a crash, SIGSTOP as a hang."""
        os.killpg(self.pid, number)

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Until it has ended; by force after `timeout_s`."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.send_to_all(signal.SIGKILL)
            self.process.wait()


@dataclass
class LocalGrid:
    """Starts Redis, substations, balancers and the api, in that order; stops them in the other.

    `api_port` 0 takes a free one. `settings` are variables of grid.settings for every service.
    Redis is the one at REDIS_URL, else a redis-server found on PATH, else fakeredis.
    """

    capacities_kw: Sequence[float] = CAPACITIES_KW
    balancer_count: int = BALANCERS
    api_port: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    logs: Path = LOGS
    redis_url: str | None = None

    def __post_init__(self) -> None:
        self.redis: Service | None = None
        self._patience: dict[str, str] = {}
        self.redis_kind = "REDIS_URL"
        self.substations: list[Service] = []
        self.balancers: list[Service] = []
        self.api: Service

    @property
    def url(self) -> str:
        return self.api.url

    @property
    def services(self) -> list[Service]:
        redis = [self.redis] if self.redis else []
        return [*redis, *self.substations, *self.balancers, self.api]

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        for old in self.logs.glob("*.log"):
            old.unlink()
        self._data = tempfile.mkdtemp(prefix="grid-redis-")
        self._describe()
        try:
            if self.redis:
                self.redis.start()
                wait_until(self.redis, lambda: accepts(_port(self.redis_url or "")))
            self._check_redis()
            for service in self.services[1 if self.redis else 0 :]:
                service.start()
            for service in [*self.substations, *self.balancers, self.api]:
                wait_until(service, partial(probe, f"{service.url}/ready"))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process, the callers before those they call."""
        for group in ([self.api], self.balancers, self.substations, [self.redis] if self.redis else []):
            for service in group:
                service.stop()
            for service in group:
                service.wait()
        shutil.rmtree(self._data, ignore_errors=True)

    def add_substation(self, capacity_kw: float) -> Service:
        """Start one more, as `--scale substation=N` would; it registers itself."""
        service = self._substation(len(self.substations) + 1, capacity_kw)
        self.substations.append(service)
        service.start()
        wait_until(service, partial(probe, f"{service.url}/ready"))
        return service

    def _check_redis(self) -> None:
        try:
            with connect(self.redis_url or "", timeout_ms=2_000, connections=1) as redis:
                Ledger(redis, "default").ping()
        except (LedgerUnavailable, ValueError) as error:
            raise LocalGridError(f"Redis at {self.redis_url} does not answer: {error}") from error

    def _describe(self) -> None:
        if self.api_port and accepts(self.api_port):
            raise LocalGridError(
                f"Port {self.api_port} is in use. Stop what uses it, or choose another: make up PORT=8081"
            )
        if self.redis_url is None:
            self.redis_url = redis_url_if_given()
        if self.redis_url is None:
            self._describe_redis()
        for number, capacity_kw in enumerate(self.capacities_kw, start=1):
            self.substations.append(self._substation(number, capacity_kw))
        for number in range(1, self.balancer_count + 1):
            self.balancers.append(self._service(f"balancer-{number}", "balancer"))
        urls = ",".join(service.url for service in self.balancers)
        self.api = self._service("api", "api", port=self.api_port, BALANCER_URLS=urls)

    def _describe_redis(self) -> None:
        port = free_port()
        self.redis_url = f"redis://127.0.0.1:{port}/0"
        server = shutil.which("redis-server")
        if server:
            self.redis_kind = "redis-server"
            command = redis_command(server, port, Path(self._data))
        else:
            self.redis_kind = "fakeredis"
            self._patience = FAKEREDIS_PATIENCE
            command = [sys.executable, "-m", "grid.fake_redis", str(port)]
        self.redis = Service("redis", f"127.0.0.1:{port}", command, {}, self.logs / "redis.log")

    def _substation(self, number: int, capacity_kw: float) -> Service:
        return self._service(f"substation-{number}", "substation", CAPACITY_KW=str(capacity_kw))

    def _service(self, name: str, package: str, port: int = 0, **variables: str) -> Service:
        port = port or free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "gunicorn", "-c", "python:grid.gunicorn_conf", f"{package}.app:create_app()"]
        environment = {
            "BIND": f"127.0.0.1:{port}",
            "REDIS_URL": self.redis_url or "",
            **self._patience,
            **self.settings,
        }
        if package == "api":
            environment = {"THREADS": str(API_THREADS)} | environment
        if package == "substation":
            environment |= {"SUBSTATION_ID": name, "ADVERTISE_URL": url, "WORKERS": "1"}
        return Service(name, url, command, environment | variables, self.logs / f"{name}.log")


def wait_until(service: Service, is_ready: Callable[[], bool]) -> None:
    """Raises LocalGridError with the end of the service's log if it ends, or is not ready in time."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_ready():
        if service.has_ended() or time.monotonic() > deadline:
            tail = service.log.read_text(errors="replace")[-2000:]
            raise LocalGridError(f"{service.name} did not start; the end of {service.log}:\n{tail}")
        time.sleep(0.05)


def redis_command(server: str, port: int, folder: Path) -> list[str]:
    """redis-server as the grid needs it: on loopback, every write in the AOF, nothing evicted."""
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    return [*command, "--appendonly", "yes", "--maxmemory-policy", "noeviction"]


def free_port() -> int:
    """A port on loopback that nobody listens on, and that this process has not been given before.

    Not one of those that the system gives to outgoing connections: by the time a service binds it, it might be one.
    """
    while True:
        port = random.randrange(*PORTS)
        if port not in _given and not accepts(port):
            _given.add(port)
            return port


def _port(redis_url: str) -> int:
    return int(redis_url.rpartition(":")[2].partition("/")[0])


def accepts(port: int) -> bool:
    """Whether something listens on this port of loopback."""
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0


def describe(grid: LocalGrid) -> str:
    """Where everything is, and what to try, for a person."""
    lines = ["", "The grid is up. Ctrl-C stops all of it.", ""]
    lines += [f"  {'api':<14} {grid.url}   {grid.url}/docs   {grid.url}/grid"]
    lines += [f"  {service.name:<14} {service.url}" for service in [*grid.balancers, *grid.substations]]
    lines += [f"  {'redis':<14} {grid.redis_url}  ({grid.redis_kind})"]
    lines += [f"  {'logs':<14} {grid.logs}/*.log", "", "Try:", ""]
    lines += [f"  curl -X POST {grid.url}/request-charge -H 'Content-Type: application/json' -d '{EXAMPLE}'"]
    if grid.redis_kind == "redis-server":
        lines += [f"  redis-cli -p {_port(grid.redis_url or '')} ZRANGE '{{grid:default}}:load' 0 -1 WITHSCORES"]
    return "\n".join([*lines, ""])


EXAMPLE = '{"vehicle_id": "ev-42", "power_kw": 11, "energy_kwh": 10}'


def end_on_signals() -> None:
    """Make SIGTERM and a closed terminal end this process as Ctrl-C does, so that nothing is left running."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)


def main() -> None:
    """Run the grid until Ctrl-C, and say so when one of its processes ends."""
    end_on_signals()
    port = int(sys.argv[1]) if len(sys.argv) > 1 else API_PORT
    try:
        print("Starting 3 substations, 3 balancers and the api ...", flush=True)
        with LocalGrid(api_port=port) as grid:
            print(describe(grid), flush=True)
            ended: set[str] = set()
            while True:
                for service in grid.services:
                    if service.has_ended() and service.name not in ended:
                        ended.add(service.name)
                        print(f"{service.name} has ended; see {service.log}", flush=True)
                time.sleep(0.5)
    except LocalGridError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("\nStopped.")


if __name__ == "__main__":
    main()
