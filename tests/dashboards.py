"""Grafana's dashboards as data: their panels and queries."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "monitoring" / "grafana" / "dashboards"
DASHBOARDS: dict[str, dict[str, Any]] = {file.stem: json.loads(file.read_text()) for file in FOLDER.glob("*.json")}


@dataclass(frozen=True)
class Query:
    dashboard: str
    panel: str
    ref: str
    expr: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel} {self.ref}"

    def substituted(self, interval: str = "1m", span: str = "15m") -> str:
        """As Grafana sends it when nobody has chosen anything."""
        expr = self.expr.replace("$__rate_interval", interval).replace("$__range", span)
        return with_variables(self.dashboard, expr)


def with_variables(dashboard: str, expr: str) -> str:
    for variable in DASHBOARDS[dashboard]["templating"]["list"]:
        chosen = variable["current"]["value"]
        expr = expr.replace(f"${variable['name']}", ".+" if chosen == "$__all" else "|".join(chosen))
    return expr


def queries() -> Iterator[Query]:
    """Every query of every panel."""
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield Query(name, panel["title"], target["refId"], target["expr"])


def variable_queries() -> Iterator[tuple[str, str, str, str]]:
    """Every template variable that is read from Prometheus: dashboard, variable, selector, label."""
    for name, dashboard in DASHBOARDS.items():
        for variable in dashboard["templating"]["list"]:
            if match := re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]):
                yield name, variable["name"], with_variables(name, match[1]), match[2]
