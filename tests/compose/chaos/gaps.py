"""How long the drivers went without a good answer."""

from collections.abc import Iterable
from itertools import pairwise

from loadtest.answers import GOOD, Answer


def longest_gap(answers: Iterable[Answer], until: float) -> tuple[float, float]:
    """The longest time without a good answer (charging, in line, or the line is full), and when it began."""
    good = sorted(answer.at for answer in answers if answer.outcome in GOOD)
    return max(((later - earlier, earlier) for earlier, later in pairwise([*good, until])), default=(0.0, until))
