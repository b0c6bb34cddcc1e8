"""Tells the ledger, every second, and within 50 ms when a session ends, what this substation really carries."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from grid.ledger import Ledger, LedgerUnavailable
from grid.ledger.records import Ended, Grant, Heartbeat, HeartbeatReply, Listed
from substation.meters import Meters
from substation.station import Order, Snapshot, Station, Verdict

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Heartbeats without a pause: one is superseded, one gets an epoch, one gets orders, one answers them."""


@dataclass(frozen=True)
class Identity:
    """Who a substation is. Powers in W."""

    substation: str
    url: str
    capacity: int
    limit: int


class Heartbeats:
    """Sends heartbeats and does what their replies say. `epoch` is 0 until the ledger has given one.

    `ttl_ms`: how long the ledger counts on a substation after a heartbeat. A reply that is read later than that is as
    good as none: what it says may be with others by now.
    """

    def __init__(
        self,
        ledger: Ledger,
        station: Station,
        identity: Identity,
        meters: Meters,
        ttl_ms: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._station = station
        self._identity = identity
        self._meters = meters
        self._ttl_s = ttl_ms / 1000
        self._clock = clock
        self._number = 0
        self._acknowledged = 0
        self._in_touch_until = clock()
        self._lock = threading.Lock()
        self.epoch = 0

    @property
    def is_in_touch(self) -> bool:
        """Whether the ledger still counts on this substation: if not, what was meant for it may be with others."""
        return self._clock() < self._in_touch_until

    def beat(self, state: str = "up") -> None:
        """One heartbeat; another at once if the reply gave a new epoch, or made anything start or stop.

        Raises LedgerUnavailable if the ledger does not answer; nothing is lost then, the next one says it all.
        """
        with self._lock:
            for _ in range(AT_ONCE):
                if not self._beat_once(state):
                    break

    def farewell(self) -> None:
        """Give every car back: this substation is about to stop."""
        self._station.close()
        try:
            self.beat("draining")
        except LedgerUnavailable as error:
            log.warning("could not say farewell: %s", error)

    def _beat_once(self, state: str) -> bool:
        self._number += 1
        sent = self._clock()
        snapshot = self._station.snapshot()
        self._meters.show(snapshot)
        try:
            reply = self._ledger.heartbeat(self._message(snapshot, state))
        except LedgerUnavailable:
            self._meters.heartbeat("unanswered")
            raise
        if self._clock() > sent + self._ttl_s:
            log.warning("the reply to heartbeat %s came too late and is ignored", self._number)
            self._meters.heartbeat("unanswered")
            return True
        self._meters.heartbeat(reply.outcome)
        self._acknowledged = self._number
        return self._act_on(reply, sent, snapshot)

    def _message(self, snapshot: Snapshot, state: str) -> Heartbeat:
        return Heartbeat(
            **vars(self._identity),
            epoch=self.epoch,
            number=self._number,
            acknowledged=self._acknowledged,
            could_take=self._identity.limit - snapshot.drawn,
            state=state,
            sessions=[
                Listed(o.session, o.attempt, o.watts, o.energy_wh, charging.delivered_wh(snapshot.now), o.vehicle)
                for charging in snapshot.charging
                for o in (charging.order,)
            ],
            ended=[Ended(e.session, e.attempt, e.how, e.delivered_wh, e.highest) for e in snapshot.unreported],
        )

    def _act_on(self, reply: HeartbeatReply, sent: float, snapshot: Snapshot) -> bool:
        was_in_touch, self._in_touch_until = self.is_in_touch, sent + self._ttl_s
        if reply.outcome == "registered":
            log.info("registered as %s, epoch %s", self._identity.substation, reply.epoch)
            self.epoch = reply.epoch
            return True
        if reply.outcome == "superseded" or not was_in_touch:
            # What was posted for this epoch may be with others by now, and its calls still on their way.
            name = self._identity.substation
            log.warning("epoch %s is over: %s was out of touch for too long, or has a namesake", self.epoch, name)
            self.epoch = 0
            return True
        self._station.reported(snapshot.unreported)
        is_news = False
        for stop in reply.stops:
            log.info("the ledger stops %s, attempt %s: %s", stop.session, stop.attempt, stop.why)
            ran = self._station.stop(stop.session, stop.attempt)
            if ran and stop.why == "preempted":
                self._meters.preempted()
            is_news |= ran
        return self._start(reply.grants) or is_news

    def _start(self, grants: Sequence[Grant]) -> bool:
        """Start what is given to this substation; True if any was not known here before.

        The next heartbeat lists each of them, or says how it ended.
        """
        orders = [Order(grant.session, grant.attempt, grant.vehicle, grant.watts, grant.energy_wh) for grant in grants]
        is_news = False
        for grant, verdict in zip(grants, self._station.charge(orders), strict=True):
            if verdict is Verdict.STARTED and grant.waited is not None:
                self._meters.waited(grant.priority, grant.waited)
            elif verdict is Verdict.NO_ROOM:
                log.warning("%s was given to us and does not fit", grant.session)
                self._meters.refused(verdict)
            elif verdict in (Verdict.FINISHED, Verdict.CANCELLED_BEFORE):
                self._station.stop(grant.session, grant.attempt)  # to tell again how it ended
            is_news |= verdict in (Verdict.STARTED, Verdict.NO_ROOM)
        return is_news
