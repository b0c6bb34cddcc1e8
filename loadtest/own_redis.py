"""A Redis for one purpose: redis-server on a free port of loopback, or fakeredis where none is installed."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from grid.ledger import connect
from grid.local import Service, accepts, free_port, redis_command, wait_until

# Nobody waits for these answers but the caller.
TIMEOUT_MS = 60_000


@contextmanager
def own_redis() -> Iterator[tuple[Redis, str]]:
    """A client of an empty Redis that ends with the block, and what kind it is. Raises LocalGridError."""
    server = shutil.which("redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        fake = [sys.executable, "-m", "grid.fake_redis", str(port)]
        command = redis_command(server, port, Path(folder)) if server else fake
        service = Service("redis", "", command, {}, Path(folder) / "redis.log")
        service.start()
        try:
            wait_until(service, lambda: accepts(port))
            with connect(f"redis://127.0.0.1:{port}/0", TIMEOUT_MS, connections=1) as redis:
                yield redis, f"redis-server {redis.info('server')['redis_version']}" if server else "fakeredis"
        finally:
            service.stop()
            service.wait()
