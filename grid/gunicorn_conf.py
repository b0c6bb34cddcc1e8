"""gunicorn's settings for every service: `gunicorn -c python:grid.gunicorn_conf 'balancer.app:create_app()'`."""

import atexit
import gc
import os
import select
import shutil
import tempfile
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from grid.settings import load_settings

# A fresh folder per start, before anything imports the metrics, so that no earlier run's figures are counted.
_multiprocess = tempfile.mkdtemp(prefix="grid-metrics-")
_owner = os.getpid()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _multiprocess


@atexit.register
def _remove_metrics() -> None:
    if os.getpid() == _owner:
        shutil.rmtree(_multiprocess, ignore_errors=True)


STAYS_S = 0.2
STAYING = 4
"""A quarter of the threads: others wait for drivers (api), and some must be free for whoever comes."""
COLLECT_AFTER = 10_000
"""So many more objects made than freed; Python's own is 700, as many as a few requests have under way."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's, with two differences.

    As soon as it stops it refuses new connections, so that they go to the next replica, and says farewell. gunicorn's
    own leaves the socket open until it ends, seconds later: callers connect and wait in vain.

    A thread that has answered stays with the connection for a moment. gunicorn's own gives it back to the main thread,
    which watches it and wakes a thread for its next request: three changes of threads for each request instead of one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._staying = threading.Semaphore(self.cfg.threads // STAYING)

    def handle(self, conn: Any) -> Any:
        kept = super().handle(conn)
        while kept is True and self.alive and (conn.parser.unreader.buf.getvalue() or self._stay(conn)):
            kept = super().handle(conn)
        return kept

    def _stay(self, conn: Any) -> bool:
        """Whether another request comes, or the end of the connection, while this thread can wait for it."""
        if not self._staying.acquire(blocking=False):
            return False
        try:
            poll = select.poll()
            poll.register(conn.sock, select.POLLIN)
            return bool(poll.poll(STAYS_S * 1000))
        finally:
            self._staying.release()

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()
            # Beside what is still under way here, which must not wait for it.
            threading.Thread(target=_stop_background, args=[self]).start()


_settings = load_settings()
bind = _settings.bind
workers = _settings.workers
threads = _settings.threads
worker_class = Worker
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
# Longer than nginx's 60 s and the clients' pools: the side that reuses a connection must not be the last to know.
keepalive = 75
timeout = 30
graceful_timeout = 10
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"


def post_worker_init(worker: Any) -> None:
    from grid.background import start_all

    gc.freeze()  # the program itself: the collector need not look through it again and again
    gc.set_threshold(COLLECT_AFTER)
    start_all(worker.app.callable)


def worker_exit(server: Any, worker: Any) -> None:
    _stop_background(worker)


def _stop_background(worker: Any) -> None:
    from grid.background import stop_all

    if worker.app.callable is not None:
        stop_all(worker.app.callable)


def child_exit(server: Any, worker: Any) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
