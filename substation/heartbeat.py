"""Tells the ledger, every second, and within 50 ms when a session ends, what this substation really carries."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from grid.ledger import Ended, Grant, Heartbeat, HeartbeatReply, Ledger, LedgerUnavailable, Listed
from substation.meters import Meters
from substation.station import Order, Snapshot, Station, Verdict

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Heartbeats without a pause: one is superseded, one gets an epoch, one gets orders, one acknowledges them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a substation is. Powers in W."""

    substation: str
    url: str
    capacity: int
    limit: int


class Heartbeats:
    """Sends heartbeats and does what their replies say. `epoch` is 0 until the ledger has given one."""

    def __init__(self, ledger: Ledger, station: Station, identity: Identity, meters: Meters) -> None:
        self._ledger = ledger
        self._station = station
        self._identity = identity
        self._meters = meters
        self._number = 0
        self._lock = threading.Lock()
        self.epoch = 0
        self.answered = False

    def beat(self, state: str = "up") -> None:
        """One heartbeat; another at once if the reply ordered anything or gave a new epoch.

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
        snapshot = self._station.snapshot()
        self._meters.show(snapshot)
        try:
            reply = self._ledger.heartbeat(self._message(snapshot, state))
        except LedgerUnavailable:
            self.answered = False
            self._meters.heartbeat("unanswered")
            raise
        self._meters.heartbeat(reply.outcome)
        return self._act_on(reply, snapshot)

    def _message(self, snapshot: Snapshot, state: str) -> Heartbeat:
        identity = self._identity
        return Heartbeat(
            substation=identity.substation,
            url=identity.url,
            epoch=self.epoch,
            number=self._number,
            capacity=identity.capacity,
            limit=identity.limit,
            state=state,
            sessions=[
                Listed(
                    session=charging.order.session,
                    attempt=charging.order.attempt,
                    watts=charging.order.watts,
                    energy_wh=charging.order.energy_wh,
                    delivered_wh=charging.delivered_wh(snapshot.now),
                    vehicle=charging.order.vehicle,
                )
                for charging in snapshot.charging
            ],
            ended=[Ended(end.session, end.attempt, end.how, end.delivered_wh) for end in snapshot.unreported],
        )

    def _act_on(self, reply: HeartbeatReply, snapshot: Snapshot) -> bool:
        if reply.outcome == "superseded":
            log.warning(
                "epoch %s is over (the ledger has %s): unheard for too long, or another process is called %s as well",
                self.epoch,
                reply.epoch,
                self._identity.substation,
            )
            self.epoch = 0
            return True
        if reply.outcome == "registered":
            log.info("registered as %s, epoch %s", self._identity.substation, reply.epoch)
            self.epoch = reply.epoch
            return True
        if reply.outcome == "ok":
            self.answered = True
            self._station.reported(snapshot.unreported)
        for cancel in reply.cancels:
            log.info("the ledger cancels %s, attempt %s", cancel.session, cancel.attempt)
            self._station.stop(cancel.session, cancel.attempt)
        self._start(reply.grants)
        return bool(reply.cancels or reply.grants)

    def _start(self, grants: Sequence[Grant]) -> None:
        """Start those whose turn has come; of any that does not fit, the next heartbeat says that it never ran."""
        orders = [Order(grant.session, grant.attempt, grant.vehicle, grant.watts, grant.energy_wh) for grant in grants]
        for grant, verdict in zip(grants, self._station.charge(orders), strict=True):
            if verdict is Verdict.CHARGING:
                self._meters.waited(grant.priority, grant.waited)
            elif verdict is not Verdict.FINISHED:
                log.warning("%s was given to us and is not started: %s", grant.session, verdict)
                self._meters.refused(verdict)
                self._station.stop(grant.session, grant.attempt)
