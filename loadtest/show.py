"""The verdict, for a person at a terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from loadtest.acceptance import Acceptance
from loadtest.balance import in_words
from loadtest.recording import BY_THE_LEDGER, OWN_ACCOUNT
from loadtest.verdict import Verdict


def show(verdict: Verdict, accounts: str, console: Console) -> None:
    table = Table(title=f"The substations, {accounts}", title_justify="left")
    for heading in ("substation", "limit kW", "peak kW", "peak ÷ limit", "overload s", "sessions"):
        table.add_column(heading, justify="left" if heading == "substation" else "right")
    for s in verdict.substations:
        table.add_row(
            s.substation,
            f"{s.limit_kw:g}",
            f"{s.peak_kw:.1f}",
            f"{s.peak_kw / s.limit_kw:.1%}",
            f"{s.overload_s:.3f}",
            str(s.sessions),
        )
    console.print(table)
    for name, text in _rows(verdict):
        console.print(f"{name:<11} {text}", soft_wrap=True)
    console.print()
    if verdict.kept:
        whose = "" if accounts == OWN_ACCOUNT else f" ({BY_THE_LEDGER})"
        console.print(f"[bold green]Kept:[/] no substation was ever above its limit, and no request failed{whose}.")
    else:
        console.print(f"[bold red]NOT kept:[/] {verdict.why_not}.")


def _rows(verdict: Verdict) -> Iterator[tuple[str, str]]:
    yield "cars", f"{verdict.requests:,}   ({verdict.requests_per_s:g} a second)"
    yield "charging", f"{verdict.charging:,}   at once"
    yield "waiting", f"{verdict.waiting:,}"
    if verdict.line.became:
        yield "", verdict.line.became
    if verdict.line.waits:
        yield "waited", verdict.line.waits
    if verdict.line.used is not None:
        yield "drawn", f"{verdict.line.used:.1%} of the limits, on average, while any was queued"
    yield "interrupted", f"{verdict.interruptions:.2f} times per session; {verdict.most_interruptions} times at most"
    yield "refused", f"{verdict.refused:,}   (the line was full, or no substation could ever carry so much)"
    yield "errors", _counted(verdict.errors)
    latency = "   ".join(f"{name} {value:g} ms" for name, value in verdict.latency_ms.items())
    yield "latency", f"{latency}   (from the instant a call was due)"
    if verdict.visit_errors:
        yield "not cars", _counted(verdict.visit_errors)
    if evenness := in_words(verdict.balance):
        yield "Jain index", evenness
    yield from _by_power(verdict.acceptance)


def _by_power(acceptance: Acceptance) -> Iterator[tuple[str, str]]:
    if acceptance.at_once and acceptance.in_all:
        yield "by power", f"at once {acceptance.at_once.said}"
        yield "", f"in all {acceptance.in_all.said}"
        yield "kW", f"of those asked for: {acceptance.of_the_power}"


def _counted(errors: dict[str, int]) -> str:
    return "   ".join([str(sum(errors.values())), *(f"{count} x {what}" for what, count in errors.items())])
