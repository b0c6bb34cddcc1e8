"""The dashboards are sound before Grafana sees them: what its dashboard-linter asks, and that every metric exists."""

import json
import re
import shutil
import subprocess
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from balancer.ledger_view import SESSION_STATES, SUBSTATION_STATES
from balancer.substation import Started
from grid.ledger.records import Outcome, Swept
from grid.metrics import (
    ANSWERS,
    LEDGER_GAUGES,
    PROCESS_METRICS,
    api_metrics,
    balancer_metrics,
    service_metrics,
    substation_metrics,
)
from substation import meters
from tests.dashboards import DASHBOARDS, ROOT, Query, queries, variable_queries

PANELS = {f"{name}: {panel['title']}": panel for name, dashboard in DASHBOARDS.items() for panel in dashboard["panels"]}
QUERIES = list(queries())
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"watt", "percentunit", "short", "s", "reqps", "ops", "bytes", "Bps", "none"}
LAPTOP_ROWS = 20
"""Of 38 pixels: what a screen of 1366 by 768 shows without scrolling, in kiosk mode."""

# Of PromQL itself, and of the labels that `by` and `on` name.
WORDS = {"sum", "max", "min", "count", "avg", "by", "on", "and", "or", "unless", "rate", "increase", "sort_desc"}
WORDS |= {"histogram_quantile", "abs", "round", "vector", "absent", "avg_over_time", "min_over_time", "max_over_time"}
# What Prometheus and the exporters show. tests/compose asks the real ones.
REDIS = """
    aof_base_size_bytes aof_current_size_bytes aof_last_bgrewrite_status aof_last_write_status blocked_clients
    commands_duration_seconds_total commands_total connected_clients cpu_sys_main_thread_seconds_total
    cpu_user_main_thread_seconds_total evicted_keys_total memory_max_bytes memory_used_bytes memory_used_rss_bytes
    net_input_bytes_total net_output_bytes_total rejected_connections_total up uptime_in_seconds
"""
FOREIGN = {"up", "ALERTS", "nginx_up", *(f"redis_{name}" for name in REDIS.split())}
VALUES = {
    ("grid_answers", "outcome"): ANSWERS,
    ("grid_placements", "outcome"): tuple(Outcome),
    ("grid_charge_orders", "answer"): tuple(started.value for started in Started),
    ("grid_swept", "kind"): Swept._fields,
    ("grid_substation_sessions_ended", "how"): meters.ENDS,
    ("grid_substation_refusals", "reason"): meters.REFUSALS,
    ("grid_substation_heartbeats", "outcome"): meters.ANSWERS,
    ("grid_ledger_sessions", "state"): SESSION_STATES,
    ("grid_ledger_substation_state", "state"): SUBSTATION_STATES,
}
"""Of the labels whose values are a fixed list."""
RULES_AND_THEIR_TESTS = sorted((ROOT / "monitoring" / "prometheus").glob("*/*.yml"))


def own_metrics() -> set[str]:
    """The name of every sample that a service may show."""
    names = set(LEDGER_GAUGES) | set(PROCESS_METRICS)
    for group in (service_metrics(), api_metrics(), balancer_metrics(), substation_metrics()):
        for metric in vars(group).values():
            assert isinstance(metric, MetricWrapperBase)
            (family,) = metric.describe()
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
            names |= {family.name + suffix for suffix in suffixes}
    return names


def recorded() -> set[str]:
    files = (ROOT / "monitoring" / "prometheus" / "rules").glob("*.yml")
    return {name for file in files for name in re.findall(r"- record: (\S+)", file.read_text())}


def named(expr: str) -> set[str]:
    """The metrics that a query names."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on) \([^)]*\)|\"[^\"]*\"", " ", expr)
    return set(re.findall(r"(?<![\w.])[a-zA-Z_][\w:]*", bare)) - WORDS


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_metric_of_a_query_exists(query: Query) -> None:
    assert named(query.expr)
    assert named(query.expr) - own_metrics() - recorded() - FOREIGN == set()


@pytest.mark.parametrize(
    "rules", sorted((ROOT / "monitoring" / "prometheus" / "rules").glob("*.yml")), ids=lambda file: file.stem
)
def test_every_metric_of_a_rule_exists(rules: Path) -> None:
    text = re.sub(r"^ *#.*$", "", rules.read_text(), flags=re.M)
    exprs = re.findall(r"expr: (?:>\n)?(.*?)(?=\n +(?:- )?(?:for|labels|record|alert|name):|\Z)", text, re.S)

    assert len(exprs) == text.count("expr:")
    assert {name for expr in exprs for name in named(expr)} - own_metrics() - recorded() - FOREIGN == set()


def test_the_page_for_operators_lists_every_metric_and_no_other() -> None:
    listed = set(re.findall(r"^\| `(grid_\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.M))
    samples = {re.sub("_(bucket|sum|count)$", "", name) for name in own_metrics()}

    assert listed == samples


def matched_values(text: str, metric: str, label: str) -> set[str]:
    """What the selectors of a metric, and of what is recorded of it, want of a label. Regular expressions are split."""
    selectors = re.findall(rf"{metric}[\w:]*\{{([^}}]*)\}}", text)
    matched = [values for selector in selectors for values in re.findall(rf'\b{label}(?:=~?|!=|!~)"([^"]*)"', selector)]
    return {value for values in matched for value in values.split("|")}


@pytest.mark.parametrize(("metric", "label"), VALUES)
def test_every_value_of_a_label_that_a_query_or_rule_names_exists(metric: str, label: str) -> None:
    texts = [query.expr for query in QUERIES] + [file.read_text() for file in RULES_AND_THEIR_TESTS]
    matched = {value for text in texts for value in matched_values(text, metric, label)}

    assert {
        value for value in matched if not any(re.fullmatch(value, known) for known in VALUES[metric, label])
    } == set()


@pytest.mark.parametrize(("metric", "label"), VALUES)
def test_the_page_for_operators_lists_every_value_of_a_label(metric: str, label: str) -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    (row,) = re.findall(rf"^\| `{metric}(?:_total)?` \|.*$", page, re.M)

    assert {value for value in VALUES[metric, label] if f"`{value}`" not in row} == set()


def test_what_the_page_for_operators_says_of_fairness_is_on_the_grid_and_recorded() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(
        r"^\| ([^|]+) \|.*\| ([^|]+) \|$", page.partition("## Is it fair?")[2].partition("\n## ")[0], re.M
    )
    exprs = {panel["title"]: {target["expr"] for target in panel["targets"]} for panel in DASHBOARDS["grid"]["panels"]}
    told = {panel: set(re.findall(r"`([^`]+)`", rules)) for panel, rules in rows if "`" in rules}

    assert len(told) == 5
    assert {panel: set().union(*map(named, exprs[panel])) for panel in told} == told


def test_every_query_is_promql(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt install prometheus (and stop the server that it starts)")
    rules = [{"record": f"query:{number}", "expr": query.substituted()} for number, query in enumerate(QUERIES)]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))  # JSON is YAML

    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_counters_are_rates_over_an_interval_that_grafana_chooses(query: Query) -> None:
    ranges = re.findall(r"\b(\w+)\([\w:]+(?:\{[^}]*\})?\[([^\]]+)\]\)", query.expr)

    chosen = {"rate": "$__rate_interval", "increase": "$__range", "max_over_time": "$__range"}
    assert all(span == chosen[function] for function, span in ranges)
    counted = [function for function, _ in ranges if function != "max_over_time"]
    assert len(counted) == len(re.findall(r"\w+_(?:total|bucket)\b", query.expr)), "a counter is not a rate"


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == DATASOURCE
    assert panel["targets"]
    assert all(target["datasource"] == DATASOURCE for target in panel["targets"])
    assert panel["type"] == "table" or all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize(("name", "dashboard"), DASHBOARDS.items())
def test_a_dashboard_is_the_file_and_nothing_else(name: str, dashboard: dict[str, Any]) -> None:
    assert dashboard["uid"] == name
    assert "id" not in dashboard
    assert dashboard["editable"] is False
    assert dashboard["schemaVersion"] == 42
    assert max(Counter(panel["id"] for panel in dashboard["panels"]).values()) == 1
    assert max(Counter(panel["title"] for panel in dashboard["panels"]).values()) == 1


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_panels_do_not_overlap_and_leave_no_hole(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, f"{one} and {other}"

    rows = max(place["y"] + place["h"] for place in places)
    assert sum(place["w"] * place["h"] for place in places) == 24 * rows


def test_the_grid_is_seen_on_a_laptop_without_scrolling() -> None:
    panels = DASHBOARDS["grid"]["panels"]

    assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) <= LAPTOP_ROWS


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_variables_are_read_when_the_time_range_changes_and_can_all_be_chosen(dashboard: dict[str, Any]) -> None:
    source, *variables = dashboard["templating"]["list"]

    assert (source["name"], source["label"], source["type"], source["query"]) == (
        "datasource",
        "Data source",
        "datasource",
        "prometheus",
    )
    assert variables
    for variable in variables:
        assert variable["label"] == variable["name"]
        assert variable["type"] == "query"
        assert variable["datasource"] == DATASOURCE
        assert variable["refresh"] == 2
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["allValue"] == ".+"


def test_every_variable_names_a_metric_that_exists_and_is_used() -> None:
    for dashboard, variable, selector, _ in variable_queries():
        assert named(selector) <= own_metrics() | FOREIGN
        assert any(f"${variable}" in query.expr for query in QUERIES if query.dashboard == dashboard)


def test_no_query_uses_a_variable_that_its_dashboard_has_not() -> None:
    for query in QUERIES:
        variables = {variable["name"] for variable in DASHBOARDS[query.dashboard]["templating"]["list"]}
        assert set(re.findall(r"\$(\w+)", query.expr)) <= variables | {"__rate_interval", "__range"}
