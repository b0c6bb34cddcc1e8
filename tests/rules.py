"""Prometheus' rules as data: the names of what is recorded, and the text of each alert."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROMETHEUS = ROOT / "monitoring" / "prometheus"
RULES = sorted(PROMETHEUS.glob("rules/*.yml"))
RECORDED = [name for file in RULES for name in re.findall(r"- record: (\S+)", file.read_text())]
# The rules' own text of each alert: from its name to the next one's.
ALERTS = {
    match[1]: match[2]
    for file in RULES
    for match in re.finditer(r"- alert: (\w+)\n(.*?)(?=\n +- alert:|\n\n|\Z)", file.read_text(), re.S)
}
