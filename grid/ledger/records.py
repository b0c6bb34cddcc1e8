"""What goes into the ledger and what comes out. Powers in W, energies in Wh, times in ms of the ledger's clock."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Outcome(StrEnum):
    """What `reserve` decided about one request (see lua/reserve.lua); UNAVAILABLE if it could not be asked."""

    PLACED = "placed"
    WAITING = "waiting"
    ENDED = "ended"
    CONFLICT = "conflict"
    FULL = "full"
    TOO_BIG = "too-big"
    TOO_LATE = "too-late"
    NOWHERE = "nowhere"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Request:
    """One car that wants to charge. `ready_by` is ms since the epoch."""

    session: str
    vehicle: str
    watts: int
    energy_wh: int
    ready_by: int | None = None
    priority: str = "normal"


class Placement(NamedTuple):
    """The answer to one request; all but `outcome` is set when it is PLACED, WAITING or ENDED."""

    outcome: Outcome
    state: str = ""
    substation: str = ""
    url: str = ""
    epoch: int = 0
    attempt: int = 0
    watts: int = 0
    energy_wh: int = 0
    """What is still missing: less than was asked for when an earlier attempt was interrupted."""
    accepted: int = 0
    number: int = 0
    """Of the substation's last heartbeat."""
    position: int = 0
    """In line, from 1; 0 if it does not wait."""
    expected_wait_ms: int | None = None


class Cancelled(NamedTuple):
    """What a cancel found (see lua/cancel.lua): while `state` is cancelling, which attempt is to be stopped where."""

    state: str
    attempt: int
    url: str


class Listed(NamedTuple):
    """A session that really runs at a substation."""

    session: str
    attempt: int
    watts: int
    energy_wh: int
    delivered_wh: int
    vehicle: str


class Ended(NamedTuple):
    """How an attempt ended at a substation: finished, cancelled, stopped or never_started (see lua/heartbeat.lua).

    `highest` is the highest attempt of the session that the substation remembers.
    """

    session: str
    attempt: int
    how: str
    delivered_wh: int
    highest: int


@dataclass(frozen=True)
class Heartbeat:
    """What a substation says of itself. `epoch` 0 asks for a new one.

    `acknowledged` is the number of the last heartbeat whose reply it has, `could_take` by its own account, in W.
    """

    substation: str
    url: str
    epoch: int
    number: int
    capacity: int
    limit: int
    acknowledged: int
    could_take: int
    state: str = "up"
    sessions: list[Listed] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)


class Stop(NamedTuple):
    """An attempt that a substation is to stop. `why`: cancelled by its owner, preempted, or superseded."""

    session: str
    attempt: int
    why: str


class Grant(NamedTuple):
    """A session that a substation is to start. `waited` in ms, None if it had not to wait, or has charged before."""

    session: str
    attempt: int
    vehicle: str
    watts: int
    energy_wh: int
    waited: int | None
    priority: str


@dataclass(frozen=True, slots=True)
class HeartbeatReply:
    """`outcome` is registered, ok or superseded (see lua/heartbeat.lua)."""

    outcome: str
    epoch: int
    stops: list[Stop]
    grants: list[Grant]


class Swept(NamedTuple):
    """What one sweep dealt with (see lua/sweep.lua)."""

    silenced: list[str]
    lost: list[str]
    interrupted: int
    expired: int
    forgotten: int


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as the ledger knows it."""

    session: str
    state: str
    vehicle: str
    watts: int
    energy_wh: int
    delivered_wh: int
    substation: str
    attempt: int
    accepted: int
    ready_by: int | None = None
    priority: str = "normal"
    waited: int | None = None
    """How many ms it was queued in all before it was given to a substation; None if it was not."""
    interruptions: int = 0
    """How often it stopped charging with energy missing."""
    interrupted_by: str | None = None
    """The last time: preempted, or substation_lost; None if it was not interrupted."""
    position: int = 0
    """In the queue, from 1; 0 if it is not there."""
    expected_wait_ms: int | None = None

    @classmethod
    def of(cls, session: str, record: dict[str, Any]) -> "SessionRecord":
        """From the ledger's own record, which has more."""
        return cls(session, **{name: record[name] for name in cls.__slots__ if name in record})


@dataclass(frozen=True, slots=True)
class LineRecord:
    """Those who wait. Both are 0 if nobody does."""

    overdue_ms: int
    """How long ago the first should have begun. An emergency is first for its priority: it is late no sooner."""
    smallest_watts: int
    """The least that anybody waits for, rounded up to two digits: who finds so much room is served."""


@dataclass(frozen=True, slots=True)
class SubstationRecord:
    """A substation as the ledger knows it; `state` is up, deaf, draining, silent, lost, or left (was draining)."""

    substation: str
    state: str
    epoch: int
    capacity: int
    limit: int
    committed: int
    headroom: int
    """What the next request may take."""
    sessions: int
    silent_ms: int
    """Since its last heartbeat."""

    @property
    def load(self) -> float:
        """committed ÷ limit; a substation that may carry nothing counts as full."""
        return self.committed / self.limit if self.limit else 1.0
