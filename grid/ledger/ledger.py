"""The ledger's only client: turns records into script calls and answers into records."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from grid.ledger.breaker import Breaker
from grid.ledger.keys import FORMAT, NAMES, key, zone_keys
from grid.ledger.records import (
    Cancelled,
    Grant,
    Heartbeat,
    HeartbeatReply,
    LineRecord,
    Listed,
    Outcome,
    Placement,
    Request,
    SessionRecord,
    Stop,
    SubstationRecord,
    Swept,
)

REDIS_CLOCK = ""
SCRIPTS = {"reserve": ["pick", "serve"], "heartbeat": ["pick", "serve", "preempt"]}
SCRIPTS |= {name: [] for name in ("cancel", "look", "eject", "sweep")}
"""The parts that each is made of, besides those that all of them are made of."""

Answer = TypeVar("Answer")


class LedgerUnavailable(Exception):
    """Redis did not answer, or not with an answer. What was asked may have been done."""


class NotAsked(LedgerUnavailable):
    """Nothing was sent: Redis has not answered the last calls, or its keys are in another format."""


def _script(name: str, *parts: str) -> str:
    """What follows the prelude is a function: Lua finds what it shares with others sooner there (5 of 65 µs)."""
    folder = resources.files("grid.ledger") / "lua"
    prelude, *others = (
        (folder / f"{part}.lua").read_text("utf-8") for part in ("prelude", "line", "session", *parts, name)
    )
    keys = f"local {', '.join(NAMES).upper()} = unpack(KEYS)"
    return "\n".join((keys, prelude, "local function run()", *others, "end", "return run()"))


@dataclass(frozen=True)
class LedgerConfig:
    """What a zone's scripts go by. Times in ms of the ledger's clock."""

    heartbeat_ttl: int = 2_500
    """How long a substation stays routable after a heartbeat."""
    lost: int = 1_300
    """How long after that its sessions count as interrupted."""
    patience: int = 1_800_000
    """How soon a session that named no ready-by time should begin."""
    give_up: int = 43_200_000
    """How long it waits at most."""
    preemption_slack: int = 1_800_000
    """How much more urgent than a charging session a queued one must be to take its place."""
    priority_shift: int = 7_200_000
    """By how much emergencies come earlier and flexible ones later than that."""
    longest_line: int = 10_000
    """How many may wait; 0 turns them away."""
    time_scale: float = 1
    """Simulated seconds of charging in a real second."""
    protect: Sequence[int] = ()
    """Charger sizes in falling order, in W, whose slots are worth keeping; see lua/pick.lua."""
    retention: int = 900_000
    """How long an ended session can still be asked for (and its idempotency key holds)."""


class Ledger:
    """One zone's ledger. `clock` is a simulated one in ms; Redis' own if None.

    Every method raises LedgerUnavailable if Redis does not answer, and at once if it has not answered before.
    """

    def __init__(
        self, redis: Redis, zone: str, config: LedgerConfig | None = None, *, clock: Callable[[], int] | None = None
    ) -> None:
        self.zone = zone
        self._redis = redis
        self._config = config or LedgerConfig()
        self._clock = clock
        self._breaker = Breaker()
        self._keys = zone_keys(zone)
        self._scripts = {name: redis.register_script(_script(name, *parts)) for name, parts in SCRIPTS.items()}

    def reserve(self, requests: Iterable[Request]) -> list[Placement]:
        """Place each request on a substation that has room, or in line, in one atomic step.

        See lua/reserve.lua, and lua/pick.lua for which one. O(log N + 64) per request for N substations;
        O(log W) more for W who wait.
        """
        return self._place([_without_none(asdict(request)) for request in requests], ())

    def move(self, refused: Iterable[tuple[Request, Placement]]) -> list[Placement]:
        """Place elsewhere, or in line, what the substation of a placement has refused for good; in one atomic step.

        What has moved already stays where it is. As `reserve` otherwise.
        """
        pairs = list(refused)
        requests = [_without_none(asdict(request)) | {"refused": was.attempt} for request, was in pairs]
        return self._place(requests, {was.substation for _, was in pairs})

    def _place(self, requests: list[dict[str, Any]], avoid: Iterable[str]) -> list[Placement]:
        asked = {"requests": requests, "avoid": list(avoid)}
        return [Placement(Outcome(answer[0]), *answer[1:]) for answer in self._run("reserve", asked)]

    def heartbeat(self, beat: Heartbeat) -> HeartbeatReply:
        """Tell the ledger what a substation really carries; see lua/heartbeat.lua. O(S log T)."""
        asked = vars(beat) | {"sessions": _columns(beat.sessions)}
        outcome, epoch, stops, grants = self._run("heartbeat", asked, somebody_waits=False)
        return HeartbeatReply(outcome, epoch, [Stop(*one) for one in stops], [Grant(*one) for one in grants])

    def cancel(self, session: str, stopped: int = 0, abandoned: bool = False) -> Cancelled:
        """Its owner wants it no longer. Its watts come back when its substation has stopped it. O(log T).

        `stopped`: the attempt of which its substation has said so. `abandoned`: also if it is not known (yet), it must
        never start. See lua/cancel.lua.
        """
        asked = {"session": session, "stopped": stopped, "abandoned": abandoned}
        return Cancelled(*self._run("cancel", asked))

    def eject(self, placement: Placement) -> bool:
        """Nothing new goes to this placement's substation until its next heartbeat; False if it may not be out.

        See lua/eject.lua. O(log N).
        """
        asked = {"substation": placement.substation, "epoch": placement.epoch, "number": placement.number}
        return bool(self._run("eject", asked))

    def sweep(self, limit: int = 100) -> Swept:
        """Deal with up to `limit` of everything that is due; see lua/sweep.lua. O(limit log T)."""
        return Swept._make(self._run("sweep", {"limit": limit}, somebody_waits=False))

    def session(self, session: str) -> SessionRecord | None:
        """One session, or None if the ledger does not know it (any more). See lua/look.lua. O(log W)."""
        text = self._run("look", {"session": session})
        return SessionRecord.of(session, json.loads(text)) if text else None

    def waiting(self, sessions: Sequence[str]) -> set[str]:
        """Which of these wait. O(log W) for each, one round trip."""
        (scores,) = self._pipe(("ZMSCORE", key(self.zone, "waiting"), *sessions))
        return {session for session, score in zip(sessions, scores, strict=True) if score is not None}

    def line(self) -> LineRecord:
        """How late the first in line is, and how little would serve somebody. O(log W), two round trips; W wait."""
        first, smallest, time = self._pipe(
            ("ZRANGE", key(self.zone, "waiting"), "0", "0", "WITHSCORES"),
            ("ZRANGE", key(self.zone, "waiting_by_power"), "0", "0"),
            ("TIME",),
        )
        if not first:
            return LineRecord(overdue_ms=0, smallest_watts=0)
        session, latest = first[0]
        (text,) = self._pipe(("HGET", key(self.zone, "sessions"), session))
        if text and json.loads(text).get("priority") == "emergency":
            latest += self._config.priority_shift
        return LineRecord(
            overdue_ms=max(0, self._now(time) - int(latest)), smallest_watts=int(smallest[0].split("|")[0])
        )

    def grid(self) -> list[SubstationRecord]:
        """Every substation, by name. O(N), two round trips."""
        *answers, time = self._pipe(
            ("HGETALL", key(self.zone, "substations")),
            ("ZRANGE", key(self.zone, "limit"), "0", "-1", "WITHSCORES"),
            ("HGETALL", key(self.zone, "committed")),
            ("ZRANGE", key(self.zone, "headroom"), "0", "-1", "WITHSCORES"),
            ("TIME",),
        )
        substations = {name: json.loads(text) for name, text in sorted(answers[0].items())}
        limits, committed, headroom = dict(answers[1]), answers[2], dict(answers[3])
        now = self._now(time)
        by_substation = key(self.zone, "by_substation")
        counts = self._pipe(*(("ZLEXCOUNT", by_substation, f"[{name}|", f"({name}}}") for name in substations))
        return [
            SubstationRecord(
                substation=name,
                state=about["state"],
                epoch=about["epoch"],
                capacity=about["capacity"],
                limit=int(limits.get(name, 0)),
                committed=int(committed.get(name, 0)),
                headroom=max(0, int(headroom.get(name, 0))),
                sessions=sessions,
                silent_ms=max(0, now - about["heard"]),
            )
            for (name, about), sessions in zip(substations.items(), counts, strict=True)
        ]

    def states(self) -> dict[str, int]:
        """How many sessions are in each state; `superseded` are attempts given up that may still run. O(1)."""
        (states,) = self._pipe(("HGETALL", key(self.zone, "states")))
        return {state: int(number) for state, number in states.items()}

    def ping(self) -> None:
        """Returns if Redis answers, and has no keys of another format."""
        self.sweep(limit=0)

    def _now(self, time: tuple[int, int]) -> int:
        return self._clock() if self._clock else time[0] * 1000 + time[1] // 1000

    def _run(self, script: str, asked: dict[str, Any], somebody_waits: bool = True) -> Any:
        now = REDIS_CLOCK if self._clock is None else self._clock()
        text = json.dumps(asked | vars(self._config) | {"format": FORMAT})
        return self._call(lambda: self._scripts[script](keys=self._keys, args=[now, text]), somebody_waits)

    def _refusal(self, format: str) -> NotAsked:
        return NotAsked(
            f"Redis has zone {self.zone} in format {format}, and this version reads format {FORMAT}: "
            f"stop all services, delete its keys ({key(self.zone, '*')}) and start them in one version"
        )

    def _pipe(self, *commands: tuple[str, ...]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for command in (("GET", key(self.zone, "format")), *commands):
            pipe.execute_command(*command)  # type: ignore[no-untyped-call]
        format, *answers = self._call(pipe.execute, somebody_waits=True)
        if format not in (None, FORMAT):
            raise self._refusal(format)
        return answers

    def _call(self, ask_redis: Callable[[], Answer], somebody_waits: bool) -> Answer:
        if somebody_waits and self._breaker.is_open:
            raise NotAsked("Redis has not answered the last calls")
        try:
            answer = ask_redis()
        except (ConnectionError, TimeoutError) as error:
            self._breaker.failed(error)
            raise LedgerUnavailable(str(error)) from error
        except RedisError as error:
            kind, _, found = str(error).partition(" ")
            raise (self._refusal(found) if kind == "FORMAT" else LedgerUnavailable(str(error))) from error
        self._breaker.succeeded()
        return answer


def _columns(sessions: list[Listed]) -> dict[str, Sequence[Any]]:
    """A script reads these in half the time that it needs for rows."""
    columns: dict[str, Sequence[Any]] = dict(zip(Listed._fields, zip(*sessions, strict=True), strict=False))
    return columns | {"delivered_wh": [str(session.delivered_wh) for session in sessions]}


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
