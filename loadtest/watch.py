"""Looks at the grid while drivers rush it: GET /grid, four times a second."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any

import requests
from rich.console import Console
from rich.live import Live
from rich.table import Table

from loadtest.samples import Load, Sample, names

SAMPLE_S = 0.25
SLOW_S = 1.0
PLAIN_LINE_EVERY_S = 2.0


def look(session: requests.Session, url: str, status_urls: Sequence[str] = ()) -> Sample | None:
    """Every substation that is up, and what those at `status_urls` draw; None if the grid does not say."""
    try:
        answer = session.get(f"{url}/grid", timeout=5)
        grid = answer.json() if answer.status_code == 200 else None
        statuses = [session.get(f"{each}/status", timeout=5).json() for each in status_urls]
    except requests.RequestException:
        return None
    if grid is None:
        return None
    loads = tuple(_load(row) for row in grid["substations"] if row["state"] == "up")
    drawn_kw = sum(status["drawn_watts"] for status in statuses) / 1000 if statuses else None
    return Sample(time.time(), loads, grid["totals"]["waiting"], drawn_kw)


def _load(row: dict[str, Any]) -> Load:
    return Load(row["zone"], row["substation"], row["committed_kw"], row["limit_kw"], row["sessions"])


def watch(
    url: str,
    status_urls: Sequence[str],
    locust: "subprocess.Popen[bytes]",
    lasts_s: float,
    within_s: float,
    console: Console,
) -> Iterator[Sample]:
    """Until Locust has ended, and shown to a person meanwhile: on a terminal as a table, else line by line.

    Of a moment at which the grid did not say in time there is a sample without loads.
    """
    started = said = time.monotonic()
    with requests.Session() as session, Live(console=console, auto_refresh=False, transient=True) as live:
        while locust.poll() is None and (elapsed := time.monotonic() - started) < within_s:
            asked = time.time()
            sample = look(session, url, status_urls)
            yield from unknown(asked, time.time(), sample is not None)
            if sample:
                yield sample
                if console.is_terminal:
                    live.update(_table(sample, elapsed, lasts_s), refresh=True)
                elif time.monotonic() - said >= PLAIN_LINE_EVERY_S:
                    said = time.monotonic()
                    console.print(_line(sample, elapsed), soft_wrap=True)
            time.sleep(SAMPLE_S)


def unknown(asked: float, answered: float, well: bool) -> list[Sample]:
    """The moments that were missed: all until a look failed, or until an answer came that was long in coming."""
    if well and answered - asked < SLOW_S:
        return []
    return [Sample(asked + number * SAMPLE_S, ()) for number in range(max(1, round((answered - asked) / SAMPLE_S)))]


def _table(sample: Sample, elapsed: float, lasts_s: float) -> Table:
    title = f"{min(elapsed, lasts_s):.0f} of {lasts_s:.0f} s, {sample.waiting} in line"
    table = Table(title=title, title_justify="left")
    for heading in ("substation", "load", "committed kW", "limit kW", "cars"):
        table.add_column(heading, justify="left" if heading in ("substation", "load") else "right")
    name = names(sample.loads)
    for row in sample.loads:
        bar = "█" * round(row.share * 30)
        load = f"{bar:<30} {row.share:4.0%}"
        table.add_row(name[row.place], load, f"{row.committed_kw:.1f}", f"{row.limit_kw:g}", str(row.sessions))
    return table


def _line(sample: Sample, elapsed: float) -> str:
    name = names(sample.loads)
    rows = [f"{name[row.place]} {row.committed_kw:.0f}/{row.limit_kw:g} kW" for row in sample.loads]
    return f"{elapsed:3.0f} s  " + "   ".join([*rows, f"{sample.waiting} in line"])
