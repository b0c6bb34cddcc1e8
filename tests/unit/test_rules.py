"""The rules of Prometheus: valid, each alert tested both ways, each with its section for the person who is paged."""

import re
import shutil
import subprocess

import pytest

from tests.rules import ALERTS, PROMETHEUS, RECORDED, ROOT, RULES

TESTS = sorted(PROMETHEUS.glob("tests/*.yml"))
TESTED = "\n".join(file.read_text() for file in TESTS)


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: apt install prometheus (and stop the server that it starts)")
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config", "--lint-fatal", str(PROMETHEUS / "prometheus.yml")],
        ["check", "rules", "--lint-fatal", *map(str, RULES)],
        *(["test", "rules", str(file)] for file in TESTS),
    ],
    ids=["config", "rules", *(file.stem for file in TESTS)],
)
def test_promtool_finds_nothing_wrong(promtool: str, arguments: list[str]) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_tested_firing_and_not_firing(alert: str) -> None:
    about = [
        expected
        for pattern, expected in re.findall(r'alertname=~?"([^"]+)".*exp_samples: (\[.*\])\}$', TESTED, re.M)
        if re.fullmatch(pattern, alert)
    ]

    assert "[]" in about, "nothing says when it must be silent"
    assert len(set(about)) > 1, "nothing says when it must fire"


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_rule_is_tested_and_named_level_metric_operation(name: str) -> None:
    assert re.fullmatch(r"[a-z_]+:[a-z_0-9]+:[a-z0-9_]+", name)
    assert f"expr: {name}" in TESTED or f"({name}" in TESTED


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_what_and_what_to_do(alert: str) -> None:
    text = ALERTS[alert]

    assert re.search(r"labels: \{severity: (critical|warning|info)\}", text)
    assert re.search(r'summary: ".+"', text)
    assert re.search(r'description: ".+\."', text)
    assert f"runbook_url: docs/operations.md#{alert.lower()}\n" in f"{text}\n"
    assert f"\n### {alert}\n" in (ROOT / "docs" / "operations.md").read_text()
