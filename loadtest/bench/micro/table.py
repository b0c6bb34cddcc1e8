"""Aligned tables: what was measured several times is said as its median, with the range in brackets."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Console

from loadtest.bench.ratios import spread

Cell = str | list[float]
"""What is said as it is, or the values of the rounds."""
GAP = "   "


def show(console: Console, title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    table = [list(head), *([said(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip_longest(*table, fillvalue="")]
    lines = [GAP.join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in table]
    console.print(f"\n[bold]{title}[/bold]", *lines, sep="\n", highlight=False)


def said(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    median, least, most = map(number, spread(cell))
    return f"{median} ({least} to {most})"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
