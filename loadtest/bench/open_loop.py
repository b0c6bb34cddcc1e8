"""Requests at fixed instants, whether or not others are answered; each latency counts from when its request was due.

A process of its own: `python -m loadtest.bench.open_loop URL RATE COUNT CARS`. It opens as many connections as it
needs and keeps them. Its limit is one core of Python: it says what it used, and how late it was itself.
"""

import asyncio
import gc
import json
import resource
import selectors
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from loadtest.bench.payloads import bodies

PATIENCE_S = 10.0
"""Whoever is not answered so long after the last request was due has failed."""


@dataclass
class Answers:
    """Latencies from the instants the requests were due; `late_ms` is how long after those they were sent."""

    latencies_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    failed: int = 0
    seconds: float = 0.0
    generator_cpu_s: float = 0.0


def ask(url: str, rate: float, count: int, cars: int) -> Answers:
    """Do all that in a process of its own."""
    arguments = [url, str(rate), str(count), str(cars)]
    command = [sys.executable, "-m", "loadtest.bench.open_loop", *arguments]
    return Answers(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


class Caller:
    """Sends `requests` in turn."""

    def __init__(self, host: str, port: int, requests: list[bytes]) -> None:
        self._address = host, port
        self._requests = requests
        self._idle: list[Connection] = []
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._open = 0
        self.answers = Answers()

    async def call(self, rate: float, count: int) -> None:
        """`count` requests, `rate` in a second, and their answers."""
        begin = self._loop.time()
        for number in range(count):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            self._open += 1
            self._send(self._requests[number % len(self._requests)], due)
        while self._open and self._loop.time() < due + PATIENCE_S:
            await asyncio.sleep(0.01)
        self.answers.failed += self._open
        self.answers.seconds = self._loop.time() - begin

    def _send(self, request: bytes, due: float) -> None:
        self.answers.late_ms.append((self._loop.time() - due) * 1000)
        if self._idle:
            self._idle.pop().send(request, due)
        else:
            task = self._loop.create_task(self._open_and_send(request, due))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open_and_send(self, request: bytes, due: float) -> None:
        try:
            _, connection = await self._loop.create_connection(lambda: Connection(self), *self._address)
        except OSError:
            self.done(None, due)
        else:
            connection.send(request, due)

    def done(self, status: int | None, due: float) -> None:
        self._open -= 1
        if status is None or status >= 400:
            self.answers.failed += 1
        else:
            self.answers.latencies_ms.append((self._loop.time() - due) * 1000)

    def is_idle(self, connection: "Connection") -> None:
        self._idle.append(connection)

    def is_closed(self, connection: "Connection") -> None:
        if connection in self._idle:
            self._idle.remove(connection)


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._received = b""
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = parse(self._received)
        if answer and self._due is not None:
            due, self._due, self._received = self._due, None, b""
            self._caller.done(answer.status, due)
            if answer.keeps_alive:
                self._caller.is_idle(self)
            else:
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._caller.is_closed(self)
        if self._due is not None:
            self._caller.done(None, self._due)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    keeps_alive: bool


def parse(received: bytes) -> Answer | None:
    """A whole answer with a Content-Length; None as long as it is not whole."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.lower().split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines)
    if len(body) < int(headers[b"content-length"]):
        return None
    version, status, *_ = first.split(b" ")
    return Answer(int(status), version == b"http/1.1" and headers.get(b"connection") != b"close")


def request(host: str, body: str) -> bytes:
    return (
        f"POST /request-charge HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _run(url: str, rate: float, count: int, cars: int) -> Answers:
    parts = urlsplit(url)
    caller = Caller(parts.hostname or "", parts.port or 80, [request(parts.netloc, body) for body in bodies(cars)])
    await caller.call(rate, count)
    return caller.answers


def main() -> None:
    url, rate, count, cars = sys.argv[1:]
    gc.disable()  # a pause of ours would look like theirs
    # Of all selectors, only select() takes waits of less than a millisecond.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    before = _cpu_s()
    answers = loop.run_until_complete(_run(url, float(rate), int(count), int(cars)))
    answers.generator_cpu_s = _cpu_s() - before
    print(json.dumps(asdict(answers)))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
