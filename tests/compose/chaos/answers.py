"""What the drivers were answered, read from the file that Locust writes as it goes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

GOOD = ("charging", "refused")


@dataclass(frozen=True, slots=True)
class Answer:
    """`at` is the clock's time in seconds; `session` is there if it was accepted (201)."""

    at: float
    outcome: str
    session: str | None


def read(path: Path) -> list[Answer]:
    """All lines that are complete by now."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [Answer(**json.loads(line)) for line in lines if line.endswith("\n")]


def longest_gap(answers: Iterable[Answer], until: float) -> tuple[float, float]:
    """The longest time without a good answer (a session, or a grid that is full), and when it began."""
    good = sorted(answer.at for answer in answers if answer.outcome in GOOD)
    return max(((later - earlier, earlier) for earlier, later in pairwise([*good, until])), default=(0.0, until))
