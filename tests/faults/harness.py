"""A grid of real processes that can be killed, hung and restarted, with a proxy on every link between them."""

import json
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from grid.health import probe
from grid.ledger.keys import key, zone_keys
from grid.local import LocalGrid, Service, free_port, redis_command

from .proxy import Proxy

Image = Mapping[str, bytes]
"""Every key of the ledger, as DUMP gives it."""

TIME_SCALE = 3600
PATIENCE_MS, GIVE_UP_MS = 1_800_000, 43_200_000
PRIORITY_SHIFT_MS, PREEMPTION_SLACK_MS = 7_200_000, 1_800_000
SETTINGS = {
    "TIME_SCALE": str(TIME_SCALE),
    "RETENTION_MS": "3600000",
    # People are as patient as in real life, while an hour of charging passes in a second.
    "PATIENCE_MS": str(PATIENCE_MS * TIME_SCALE),
    "GIVE_UP_MS": str(GIVE_UP_MS * TIME_SCALE),
    "PREEMPTION_SLACK_MS": str(PREEMPTION_SLACK_MS * TIME_SCALE),
    "PRIORITY_SHIFT_MS": str(PRIORITY_SHIFT_MS * TIME_SCALE),
}
"""Of every grid of these tests."""


class FaultyGrid(LocalGrid):
    """A LocalGrid on a redis-server of its own. Before Redis there is a proxy for each service that calls it
    (`to_redis`), before each substation one for all who call it (`to_substation`), by the service's name.
    """

    redis: Service

    def __init__(
        self,
        redis_server: str,
        logs: Path,
        capacities_kw: Sequence[float],
        balancer_count: int = 3,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(capacities_kw, balancer_count, settings=dict(settings or {}), logs=logs)
        self.to_redis: dict[str, Proxy] = {}
        self.to_substation: dict[str, Proxy] = {}
        self.redis_port = free_port()
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}/0"
        self._redis_server = redis_server

    @property
    def parts(self) -> dict[str, Service]:
        """What can fail, by name."""
        return {service.name: service for service in [self.redis, *self.balancers, *self.substations]}

    def stop(self) -> None:
        self.mend_links()
        for service in self.services:
            self.resume(service)
        super().stop()
        for proxy in [*self.to_redis.values(), *self.to_substation.values()]:
            proxy.close()

    # Processes

    def kill(self, service: Service) -> None:
        """As a crash: nothing is said, nothing is finished."""
        if not service.has_ended():
            service.send_to_all(signal.SIGKILL)
            service.wait()

    def hang(self, service: Service) -> None:
        service.send_to_all(signal.SIGSTOP)

    def resume(self, service: Service) -> None:
        if service.process is not None and not service.has_ended():
            service.send_to_all(signal.SIGCONT)

    def terminate(self, service: Service) -> None:
        """As an orchestrator does: told to stop, and waited for."""
        service.stop()
        service.wait()

    def restart(self, service: Service) -> None:
        """The same again, as soon as it is ready: same name, port, environment and, for Redis, data."""
        service.start()
        ready = self.redis_answers if service is self.redis else lambda: probe(f"{service.url}/health")
        eventually(ready, within_s=20, what=f"{service.name} starts")

    def restart_what_ended(self) -> None:
        for service in self.parts.values():
            if service.has_ended():
                self.restart(service)

    def mend_links(self) -> None:
        for proxy in [*self.to_redis.values(), *self.to_substation.values()]:
            proxy.heal()

    # The ledger's data

    def redis_answers(self) -> bool:
        try:
            with self.redis_client() as redis:
                return bool(redis.ping())
        except RedisError:
            return False

    def wipe(self) -> set[str]:
        """Which sessions nothing else knows of from now on: they waited, or were reserved and had not started."""
        return self.roll_back({})

    def image(self) -> Image:
        keys = zone_keys("default")
        with self.redis_client() as redis, redis.pipeline(transaction=True) as pipe:
            for name in keys:
                pipe.dump(name)
            return {name: dump for name, dump in zip(keys, pipe.execute(), strict=True) if dump}

    def roll_back(self, image: Image) -> set[str]:
        """As `wipe`, of those that the image does not have either."""
        with self.redis_client() as redis, redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(key("default", "sessions"))
            pipe.flushall()
            for name, dump in image.items():
                pipe.restore(name, 0, dump)
            pipe.hgetall(key("default", "sessions"))
            known, *_, kept = pipe.execute()
        return {
            session.decode()
            for session, record in known.items()
            if session not in kept and json.loads(record)["state"] in ("waiting", "reserved")
        }

    def redis_client(self, decode_responses: bool = False) -> Redis:
        """Straight to Redis, past every proxy."""
        return Redis(
            port=self.redis_port,
            decode_responses=decode_responses,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )

    # How it is built

    def _describe(self) -> None:
        command = redis_command(self._redis_server, self.redis_port, Path(self._data))
        self.redis = Service("redis", f"127.0.0.1:{self.redis_port}", command, {}, self.logs / "redis.log")
        super()._describe()

    def _service(self, name: str, package: str, port: int = 0, **variables: str) -> Service:
        port = port or free_port()
        variables["TMPDIR"] = self._data  # a killed process leaves its files behind
        if package != "api":
            link = self.to_redis[name] = Proxy("127.0.0.1", self.redis_port)
            variables["REDIS_URL"] = f"redis://127.0.0.1:{link.port}/0"
        if package == "substation":
            link = self.to_substation[name] = Proxy("127.0.0.1", port)
            variables["ADVERTISE_URL"] = f"http://127.0.0.1:{link.port}"
        return super()._service(name, package, port, **variables)


def eventually(condition: Callable[[], bool], within_s: float, what: str = "this", every_s: float = 0.02) -> float:
    """Wait for what must come true; how long it took, in seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s, f"not within {within_s:g} s: {what}"
        time.sleep(every_s)
    return time.monotonic() - started
