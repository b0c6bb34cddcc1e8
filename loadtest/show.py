"""The verdict, for a person at a terminal."""

from rich.console import Console
from rich.table import Table

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
    console.print(f"cars        {verdict.requests}   ({verdict.requests_per_s:g} a second)")
    console.print(f"charging    {verdict.charging}   (at once)")
    console.print(f"waiting     {verdict.waiting}   ({verdict.line.became or 'nobody had to'})")
    if verdict.line.waits:
        console.print(f"  in line   {verdict.line.waits}")
    if verdict.line.used is not None:
        console.print(f"  in use    {verdict.line.used:.1%} of the grid, on average, while anybody waited")
    console.print(f"refused     {verdict.refused}   (the line was full, or no substation could ever carry it)")
    errors = ", ".join(f"{count} x {what}" for what, count in verdict.errors.items())
    console.print(f"errors      {sum(verdict.errors.values())}   {errors}")
    latency = "   ".join(f"{name} {value:g} ms" for name, value in verdict.latency_ms.items())
    console.print(f"latency     {latency}   (from the instant a call was due)")
    visits = ", ".join(f"{count} x {what}" for what, count in verdict.visit_errors.items())
    if visits:
        console.print(f"not cars    {sum(verdict.visit_errors.values())}   {visits}")
    saturated = f", {verdict.fairness}" if verdict.fairness else ""
    console.print(f"Jain index  {verdict.jain}{saturated}   (1 = all substations equally loaded)\n")
    if verdict.kept:
        whose = "" if accounts == OWN_ACCOUNT else f" ({BY_THE_LEDGER})"
        console.print(f"[bold green]Kept:[/] no substation was ever above its limit, and no request failed{whose}.")
    else:
        console.print(f"[bold red]NOT kept:[/] {verdict.why_not}.")
