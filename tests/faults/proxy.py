"""A TCP proxy in front of one upstream, whose link can be slowed, cut, or made to lose or keep what it carries."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self, TypeVar

CHUNK = 65_536
T = TypeVar("T")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Direction(Enum):
    """Which way bytes go."""

    REQUESTS = "requests"
    REPLIES = "replies"


@dataclass(eq=False, slots=True)
class _Connection:
    client: asyncio.StreamWriter
    upstream: asyncio.StreamWriter
    has_a_hole: bool = False

    def reset(self) -> None:
        _reset(self.client)
        _reset(self.upstream)

    def close(self) -> None:
        self.client.close()
        self.upstream.close()


class Proxy:
    """Listens on `port`. Each mode replaces the one before, for the connections there are and those to come."""

    def __init__(self, upstream_host: str, upstream_port: int) -> None:
        self._upstream = (upstream_host, upstream_port)
        self._connections: set[_Connection] = set()
        self._delay_s = 0.0
        self._is_cut = False
        self._swallows: bytes | None = None
        self._flows = {direction: asyncio.Event() for direction in Direction}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy of {upstream_port}", daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.heal()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def heal(self) -> None:
        """Pass everything on, and deliver what was held. A stream with a hole is of no use: it is reset."""
        self._run(self._switch())

    def delay(self, seconds: float) -> None:
        """Deliver everything so much later, each way."""
        self._run(self._switch(delay_s=seconds))

    def cut(self) -> None:
        """Reset every connection, and each new one."""
        self._run(self._switch(is_cut=True))

    def swallow_replies(self, only: bytes = b"") -> None:
        """Requests arrive; what comes back is thrown away if it begins with `only`."""
        self._run(self._switch(swallows=only))

    def hold(self, direction: Direction) -> None:
        """Keep what goes this way until healed; the other way flows."""
        self._run(self._switch(held=direction))

    def close(self) -> None:
        self._run(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _switch(
        self,
        *,
        delay_s: float = 0.0,
        is_cut: bool = False,
        swallows: bytes | None = None,
        held: Direction | None = None,
    ) -> None:
        self._delay_s, self._is_cut, self._swallows = delay_s, is_cut, swallows
        for connection in self._connections:
            if is_cut or connection.has_a_hole:
                connection.reset()
        for direction, flows in self._flows.items():
            if direction is held:
                flows.clear()
            else:
                flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._is_cut:
                raise ConnectionResetError
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            _reset(writer)
            return
        connection = _Connection(writer, upstream_writer)
        self._connections.add(connection)
        try:
            await asyncio.gather(
                self._pump(reader, upstream_writer, Direction.REQUESTS, connection),
                self._pump(upstream_reader, writer, Direction.REPLIES, connection),
            )
        finally:
            self._connections.discard(connection)
            connection.close()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        direction: Direction,
        connection: _Connection,
    ) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                await asyncio.sleep(self._delay_s)
                await self._flows[direction].wait()
                swallowed = self._swallows is not None and data.startswith(self._swallows)
                if swallowed and direction is Direction.REPLIES:
                    connection.has_a_hole = True
                    continue
                target.write(data)
                await target.drain()
            await self._flows[direction].wait()  # the end of a stream comes after what is held
            if target.can_write_eof():
                target.write_eof()

    async def _shut_down(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.reset()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
