"""What drivers were answered: each answer judged, written down as it comes, and read again."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from loadtest.cars import Car

GOOD = ("charging", "waiting", "refused")
GOOD_VISITS = ("found", "cancelled")
FINE = (*GOOD, *GOOD_VISITS)
ACCEPTED = ("reserved", "charging", "finished")
"""States of a session that was just asked for. The last two: the api asked twice, and it had started, or even ended,
before the second answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One car's. `at` is the clock's time in seconds; `session` is there if it was accepted (201, 202).

    `due_s` is when it was due, from the start of the run; `latency_ms` counts from then until the answer,
    `late_ms` until it was sent. `call` is charge, fleet, look-up or cancel; `zone` is where a car asked.
    """

    at: float
    outcome: str
    session: str | None
    call: str = "charge"
    due_s: float = 0.0
    latency_ms: float = 0.0
    late_ms: float = 0.0
    power_kw: float = 0.0
    substation: str | None = None
    zone: str = ""

    @property
    def asks(self) -> bool:
        """Whether a car asked to charge."""
        return self.call in ("charge", "fleet")


class Timing(TypedDict):
    """The three of an Answer."""

    due_s: float
    latency_ms: float
    late_ms: float


class Judged(NamedTuple):
    """charging, waiting (in line), refused (the line is full too, or no substation could ever carry it), or what went
    wrong."""

    outcome: str
    session: str | None = None
    substation: str | None = None


def judge(status: int, text: str, vehicle: str) -> Judged:
    """The answer to one car."""
    body, problem = _json(status, text)
    return Judged(problem) if problem else _judge(status, body, vehicle)


def judge_fleet(status: int, text: str, vehicles: Sequence[str]) -> list[Judged]:
    """The same for each car of a fleet, in order."""
    body, problem = _json(status, text)
    if not problem and status == 207:
        if isinstance(body, list) and len(body) == len(vehicles):
            return [_judge_item(item, vehicle) for item, vehicle in zip(body, vehicles, strict=True)]
        problem = "207 without an answer for each car"
    return [Judged(problem or _wrong(status, body))] * len(vehicles)


def judge_session(status: int, text: str, session: str, states: Sequence[str], good: str) -> str:
    """`good` if it is that session in one of these states, else what went wrong."""
    body, problem = _json(status, text)
    if problem:
        return problem
    if status == 200 and isinstance(body, dict) and body.get("session_id") == session and body.get("state") in states:
        return good
    return _wrong(status, body)


def _json(status: int, text: str) -> tuple[Any, str]:
    try:
        return json.loads(text), ""
    except ValueError:
        return None, f"{status} without JSON" if status else "no answer"


def _judge_item(item: Any, vehicle: str) -> Judged:
    return (
        _judge(item.get("status", 0), item, vehicle)
        if isinstance(item, dict)
        else Judged("207 with something else than answers")
    )


def _judge(status: int, body: Any, vehicle: str) -> Judged:
    if not isinstance(body, dict):
        return Judged(_wrong(status, body))
    charges, waits = status == 201 and body.get("state") in ACCEPTED, status == 202 and body.get("state") == "waiting"
    if charges or waits:
        if body.get("vehicle_id") != vehicle or not body.get("session_id"):
            return Judged(f"{status} for another car")
        return Judged("charging" if charges else "waiting", body["session_id"], body.get("substation"))
    if status == 503 and body.get("type") == "/problems/grid-full":
        return Judged("refused" if body.get("retry_after_s") else "503 that does not say when to ask again")
    if status == 422 and body.get("type") == "/problems/too-powerful":
        return Judged("refused")
    return Judged(_wrong(status, body))


def _wrong(status: int, body: Any) -> str:
    return f"{status} {body.get('type', body.get('state', '?')) if isinstance(body, dict) else '?'}"


def answers_for(
    cars: Iterable[Car], judged: Iterable[Judged], call: str, at: float, timing: Timing, zone: str
) -> list[Answer]:
    """One for each car of a call."""
    return [
        Answer(
            at,
            each.outcome,
            each.session,
            call,
            power_kw=car.power_kw,
            substation=each.substation,
            zone=zone,
            **timing,
        )
        for car, each in zip(cars, judged, strict=True)
    ]


def write(path: Path, answers: Iterable[Answer]) -> None:
    with path.open("a") as log:
        log.writelines(json.dumps(asdict(answer)) + "\n" for answer in answers)


def read(path: Path) -> list[Answer]:
    """All lines that are complete by now."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [Answer(**json.loads(line)) for line in lines if line.endswith("\n")]
