"""What became of those who had to wait, in figures and words. For Locust's process too, so it imports nothing else."""

from dataclasses import dataclass

STARTED, WAITING, EXPIRED, CANCELLED = KNOWN = ("started", "waiting", "expired", "cancelled")
IN_WORDS = {
    STARTED: "charged",
    WAITING: "still in line",
    EXPIRED: "not served in time",
    CANCELLED: "cancelled",
}
FORGOTTEN = "forgotten"
RETENTION_S = 900.0  # RETENTION_MS in grid/settings.py
"""A session that ended longer ago may be forgotten."""


@dataclass(frozen=True, slots=True)
class Fate:
    """`what` is one of KNOWN, forgotten, or what else was answered. `waited_s`, real seconds in line, if that is known.

    `substation` is the last one that had it.
    """

    what: str
    substation: str | None = None
    waited_s: float | None = None
    interruptions: int = 0


@dataclass(frozen=True)
class Line:
    """`fates` counts what had become of those who waited when their sessions were looked up, `after_s` real seconds
    after the rush; `lost` those of whom the grid said nothing that could be.

    `waited_s` is how long those who were started had been in line, in real seconds; empty if that is not known. `used`
    is the mean of drawn ÷ limit at the moments when any was queued.
    """

    fates: dict[str, int]
    lost: dict[str, int]
    after_s: float
    waited_s: dict[str, float]
    used: float | None
    time_scale: float

    @property
    def started(self) -> int:
        return self.fates.get(STARTED, 0)

    @property
    def became(self) -> str:
        """Of all who waited; empty if nobody did."""
        if not self.fates:
            return ""
        counts = {what: self.fates.get(what, 0) for what in KNOWN} | self.fates
        said = ", ".join(f"{count:,} {IN_WORDS.get(what, what)}" for what, count in counts.items())
        return f"{said} ({self.after_s:.0f} s after the rush)"

    @property
    def waits(self) -> str:
        """How long those who were started had been in line; empty if nobody was."""
        if not self.started:
            return ""
        if not self.waited_s:
            return "for how long is not known"
        real = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.waited_s.items())
        simulated = ", ".join(f"{seconds * self.time_scale / 60:,.0f}" for seconds in self.waited_s.values())
        return f"{real} ({simulated} simulated minutes)"
