"""Cells in processes of their own, one for each core.

Each process talks to us through a pipe, and ends when we do: then nobody reads what it writes.
"""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing.connection import Connection, wait

from grid.local import LocalGridError
from loadtest.simulate.cells import Cell, Result, run
from loadtest.simulate.scripts import DisagreementError

_spawning = multiprocessing.get_context("spawn")


class WorkerError(Exception):
    """A process did not bring its cell to an end; the message says why."""


def run_all(cells: Sequence[Cell], processes: int) -> Iterator[tuple[Cell, int | Result]]:
    """Of each cell how many more arrivals were decided about, and at last its result. Raises WorkerError."""
    ahead = iter(cells)
    with _working(min(processes, len(cells))) as pipes:
        busy: dict[Connection, Cell] = {}
        for pipe, cell in zip(pipes, ahead, strict=False):
            _give(pipe, cell, busy)
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                said = _read(ready)
                yield busy[ready], said
                if isinstance(said, Result):
                    del busy[ready]
                    for cell in islice(ahead, 1):
                        _give(ready, cell, busy)


def _give(pipe: Connection, cell: Cell, busy: dict[Connection, Cell]) -> None:
    pipe.send(cell)
    busy[pipe] = cell


def _read(pipe: Connection) -> int | Result:
    try:
        said = pipe.recv()
    except (EOFError, ConnectionError):
        raise WorkerError("a process of the simulation has ended before its cell") from None
    if isinstance(said, str):
        raise WorkerError(said)
    assert isinstance(said, int | Result)
    return said


@contextmanager
def _working(processes: int) -> Iterator[list[Connection]]:
    """Pipes to so many processes, which end with the block."""
    pipes: list[Connection] = []
    started = []
    try:
        for _ in range(processes):
            ours, theirs = _spawning.Pipe()
            process = _spawning.Process(target=_work, args=(theirs,), daemon=True)
            process.start()
            started.append(process)
            theirs.close()
            pipes.append(ours)
        yield pipes
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.join()


def _work(pipe: Connection) -> None:
    """What a process does until it is terminated, or there is nobody to work for."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C and a closed terminal are for the parent, which ends this
    signal.signal(signal.SIGTERM, _end)
    with suppress(KeyboardInterrupt, EOFError, ConnectionError):
        while True:
            cell: Cell = pipe.recv()
            try:
                pipe.send(run(cell, pipe.send))
            except (LocalGridError, DisagreementError) as error:
                pipe.send(f"{cell.arm.name}: {error}")


def _end(number: int, frame: object) -> None:
    """As Ctrl-C would, and only once: what is cleaned up meanwhile is not to be interrupted."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
