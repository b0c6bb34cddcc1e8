"""Every answer is judged, those of a fleet car by car."""

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest import answers
from loadtest.answers import Answer, Judged, judge, judge_fleet, judge_session
from loadtest.cars import Car

ACCEPTED = {"status": 201, "session_id": "s1", "state": "reserved", "vehicle_id": "ev-1", "substation": "one"}
WAITING = {"status": 202, "session_id": "s3", "state": "waiting", "vehicle_id": "ev-1", "position": 7}
FULL = {"status": 503, "type": "/problems/grid-full", "retry_after_s": 5}
WRONG = {"status": 422, "type": "/problems/invalid-request"}
TOO_POWERFUL = {"status": 422, "type": "/problems/too-powerful"}
CHARGING, WAITS, REFUSED = Judged("charging", "s1", "one"), Judged("waiting", "s3"), Judged("refused")


@pytest.mark.parametrize(
    ("status", "body", "judged"),
    [
        (201, ACCEPTED, CHARGING),
        (201, ACCEPTED | {"state": "charging"}, CHARGING),
        (201, ACCEPTED | {"state": "finished"}, CHARGING),
        (201, ACCEPTED | {"state": "expired"}, Judged("201 expired")),
        (201, ACCEPTED | {"vehicle_id": "ev-2"}, Judged("201 for another car")),
        (200, ACCEPTED, Judged("200 reserved")),
        (202, WAITING, WAITS),
        (202, WAITING | {"vehicle_id": "ev-2"}, Judged("202 for another car")),
        (202, WAITING | {"session_id": ""}, Judged("202 for another car")),
        (202, ACCEPTED, Judged("202 reserved")),
        (201, WAITING, Judged("201 waiting")),
        (422, TOO_POWERFUL, REFUSED),
        (503, FULL, REFUSED),
        (503, {"type": "/problems/grid-full"}, Judged("503 that does not say when to ask again")),
        (503, {"type": "/problems/ledger-unavailable"}, Judged("503 /problems/ledger-unavailable")),
        (422, WRONG, Judged("422 /problems/invalid-request")),
        (200, [], Judged("200 ?")),
    ],
)
def test_one_car(status: int, body: Any, judged: Judged) -> None:
    assert judge(status, json.dumps(body), "ev-1") == judged


def test_no_answer_and_one_that_is_not_json() -> None:
    assert judge(0, "", "ev-1") == Judged("no answer")
    assert judge(502, "<html>", "ev-1") == Judged("502 without JSON")
    assert judge_fleet(0, "", ["ev-1", "ev-2"]) == [Judged("no answer")] * 2


@pytest.mark.parametrize(
    ("status", "body", "judged"),
    [
        (207, [ACCEPTED, FULL], [CHARGING, REFUSED]),
        (207, [WAITING, TOO_POWERFUL], [WAITS, REFUSED]),
        (207, [WRONG, ACCEPTED | {"vehicle_id": "ev-2"}], [Judged("422 /problems/invalid-request"), CHARGING]),
        (207, [ACCEPTED, ACCEPTED], [CHARGING, Judged("201 for another car")]),
        (207, [ACCEPTED], [Judged("207 without an answer for each car")] * 2),
        (207, [ACCEPTED, "?"], [CHARGING, Judged("207 with something else than answers")]),
        (207, ACCEPTED, [Judged("207 without an answer for each car")] * 2),
        (201, ACCEPTED, [Judged("201 reserved")] * 2),
        (503, {"type": "/problems/ledger-unavailable"}, [Judged("503 /problems/ledger-unavailable")] * 2),
    ],
)
def test_a_fleet(status: int, body: Any, judged: list[Judged]) -> None:
    assert judge_fleet(status, json.dumps(body), ["ev-1", "ev-2"]) == judged


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, {"session_id": "s1", "state": "cancelled"}, "cancelled"),
        (200, {"session_id": "s2", "state": "cancelled"}, "200 cancelled"),
        (200, {"session_id": "s1", "state": "charging"}, "200 charging"),
        (404, {"type": "/problems/unknown-session"}, "404 /problems/unknown-session"),
    ],
)
def test_a_session(status: int, body: Any, outcome: str) -> None:
    assert judge_session(status, json.dumps(body), "s1", ("cancelled", "finished"), "cancelled") == outcome


def test_what_is_written_is_read_up_to_the_last_complete_line(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    noted = answers.answers_for(
        [Car(11, 10), Car(22, 10)],
        [CHARGING, REFUSED],
        "fleet",
        at=5.0,
        timing={"due_s": 1.0, "latency_ms": 12.0, "late_ms": 2.0},
        zone="north",
    )
    answers.write(path, noted)
    with path.open("a") as log:
        log.write('{"at": 6')

    assert answers.read(path) == noted
    assert noted[0] == Answer(5.0, "charging", "s1", "fleet", 1.0, 12.0, 2.0, 11, "one", "north")
    assert all(answer.asks for answer in noted)
