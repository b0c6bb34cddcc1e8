"""Both Redises that everything must pass on, each a process of its own; and a port at which nobody listens."""

import gc
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from redis import Redis
from redis.exceptions import RedisError

from grid.local import free_port

# Thousands of small apps and examples: the collector looks through them in vain for a tenth of the time.
gc.set_threshold(100_000)

# `make test` tries the same examples every time; `make storm` looks for new ones, for as long as it takes.
settings.register_profile("repeatable", max_examples=35, derandomize=True, deadline=None)
settings.register_profile("storm", max_examples=1_000, stateful_step_count=60, deadline=None, print_blob=True)
settings.load_profile("repeatable")

NO_REDIS = "redis-server is not installed: apt install redis-server"


@contextmanager
def _serving(command: list[str], port: int) -> Iterator[str]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with Redis(port=port) as redis:
            deadline = time.monotonic() + 10
            while not _answers(redis):
                assert process.poll() is None, f"{command[0]} ended"
                assert time.monotonic() < deadline, f"{command[0]} does not answer"
                time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False


@pytest.fixture(scope="session")
def redis_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, empty at the start, with nothing on disk."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip(NO_REDIS)
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("redis")
    with _serving(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)], port
    ) as url:
        yield url


@pytest.fixture(scope="session")
def fakeredis_url() -> Iterator[str]:
    """fakeredis over TCP, as `make up` uses it where there is no redis-server."""
    port = free_port()
    with _serving([sys.executable, "-m", "grid.fake_redis", str(port)], port) as url:
        yield url


@pytest.fixture(params=["redis-server", "fakeredis"])
def redis_url(request: pytest.FixtureRequest) -> str:
    """Each kind of Redis in turn."""
    name = "redis_server_url" if request.param == "redis-server" else "fakeredis_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of an empty Redis, of each kind in turn."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Nobody listens there, and nobody else is given it."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield nobody.getsockname()[1]
