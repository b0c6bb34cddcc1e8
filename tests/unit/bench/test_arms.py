"""The floor decides nothing, and the usual design decides by what it saw last; both answer like the grid."""

import shutil
from dataclasses import replace

import pytest

from grid.ledger.records import Heartbeat, Outcome, Request
from loadtest.bench import machine, polling
from loadtest.bench.floor import EPOCH, NoLedger

SUBSTATIONS = {"substation-1": "http://127.0.0.1:1", "substation-2": "http://127.0.0.1:2"}


def test_the_floor_sends_each_to_the_next_whatever_it_carries() -> None:
    ledger = NoLedger("default", SUBSTATIONS)
    requests = [Request(f"default-{number}", "ev-1", 11_000, 10_000) for number in range(3)]

    placements = ledger.reserve(requests)

    assert [placed.outcome for placed in placements] == [Outcome.PLACED] * 3
    assert [placed.substation for placed in placements] == ["substation-1", "substation-2", "substation-1"]
    assert [placed.epoch for placed in placements] == [EPOCH] * 3
    assert not ledger.eject(placements[0])


def test_the_floors_substations_are_registered_at_once_and_ordered_nothing() -> None:
    ledger = NoLedger("default", {})
    beat = Heartbeat("substation-1", "http://x", epoch=0, number=1, capacity=1, limit=1, acknowledged=0, could_take=1)
    first = ledger.heartbeat(beat)
    second = ledger.heartbeat(replace(beat, epoch=first.epoch, number=2, acknowledged=1))

    assert (first.outcome, first.epoch) == ("registered", EPOCH)
    assert (second.outcome, second.stops, second.grants) == ("ok", [], [])


def test_the_usual_design_reads_what_a_substation_draws() -> None:
    text = '# TYPE grid_substation_drawn_watts gauge\ngrid_substation_drawn_watts{substation="a",zone="b"} 1.1e+04\n'

    assert polling.drawn_watts(text) == 11_000


def test_what_is_not_installed_is_named_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "wrk" else f"/usr/bin/{name}")

    assert machine.missing() == "wrk missing: apt install wrk nginx-light redis-server"
