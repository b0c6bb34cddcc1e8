"""Which orders a substation takes: those meant for it as it is now, and those it has already taken."""

from collections.abc import Sequence

from substation.heartbeat import Heartbeats, Identity
from substation.schemas import ChargeOrder
from substation.station import Order, Station, Verdict


def admit(
    orders: Sequence[ChargeOrder], identity: Identity, heartbeats: Heartbeats, epoch: int, station: Station
) -> list[Verdict]:
    """Start what is meant for this epoch and fits; the verdict on each order, in order.

    An attempt that runs here already is told so whatever epoch it names: the ledger must not free its watts. Nothing
    starts while this substation is out of touch with the ledger, which may have given it to others.
    """
    out_of_touch = not heartbeats.is_in_touch
    ours = {
        i: _order(order)
        for i, order in enumerate(orders)
        if not out_of_touch and order.substation == identity.substation and order.epoch == epoch
    }
    verdicts = dict(zip(ours, station.charge(ours.values()), strict=True))
    for i, order in enumerate(orders):
        if i not in verdicts:
            no = Verdict.OUT_OF_TOUCH if out_of_touch else Verdict.WRONG_EPOCH
            verdicts[i] = station.recall(_order(order)) or no
    return [verdicts[i] for i in range(len(orders))]


def _order(order: ChargeOrder) -> Order:
    return Order(order.session_id, order.attempt, order.vehicle_id, order.watts, order.energy_wh)
