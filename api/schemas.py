"""What drivers and fleets send and get: kW, kWh, RFC 3339."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

EXAMPLE: dict[str, Any] = {"vehicle_id": "ev-42", "power_kw": 11, "energy_kwh": 10}


_DATE_AND_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:")
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _only_text(value: object) -> object:
    # pydantic would also read a number, in quotes or not, as seconds or milliseconds.
    if not (isinstance(value, str) and _DATE_AND_TIME.match(value)):
        raise ValueError("must be a date and time like 2030-01-31T18:00:00Z")
    return value


Timestamp = Annotated[AwareDatetime, BeforeValidator(_only_text), Field(strict=False)]


MAX_WAIT_S = 30


class ChargeRequest(BaseModel):
    """A car that wants to charge."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": EXAMPLE})

    vehicle_id: Annotated[
        str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:-]*$")
    ]
    power_kw: float = Field(11, ge=1, le=1_000, allow_inf_nan=False, description="what the car draws")
    energy_kwh: float = Field(10, ge=0.001, le=1_000, allow_inf_nan=False, description="what it needs")
    ready_by: Timestamp | None = Field(None, description="when it must be done, RFC 3339 with a time zone")
    priority: Literal["emergency", "normal", "flexible"] = "normal"
    zone: str | None = Field(None, description="the zone it is in; the first one served if not given")

    @field_validator("ready_by")
    @classmethod
    def _in_the_future(cls, ready_by: datetime | None, info: ValidationInfo) -> datetime | None:
        # A request with a key may be a repeated one, which only the ledger knows.
        may_be_repeated = (info.context or {}).get("keyed", False)
        if ready_by is not None and ready_by <= datetime.now(UTC) and not may_be_repeated:
            raise ValueError("must be in the future")
        if ready_by is not None and not _EARLIEST <= ready_by < _LATEST:
            raise ValueError(f"must be in {_EARLIEST.year} to {_LATEST.year - 1}")
        return ready_by

    @field_validator("zone")
    @classmethod
    def _served(cls, zone: str | None, info: ValidationInfo) -> str | None:
        zones = (info.context or {})["zones"]
        if zone is not None and zone not in zones:
            raise ValueError(f"is not served here; the zones are {', '.join(zones)}")
        return zone

    @property
    def watts(self) -> int:
        return round(self.power_kw * 1000)

    @property
    def energy_wh(self) -> int:
        return round(self.energy_kwh * 1000)

    @property
    def ready_by_ms(self) -> int | None:
        return None if self.ready_by is None else int(self.ready_by.timestamp() * 1000)


class Session(BaseModel):
    """A request's life, from accepted to finished."""

    session_id: str
    state: str = Field(description="waiting, reserved, charging, cancelling, finished, cancelled or expired")
    substation: str | None = Field(description="none while it waits, or if it never had one")
    position: int | None = Field(description="in line, from 1, while it waits")
    estimated_start: str | None = Field(description="while it waits: when its turn should come")
    zone: str
    vehicle_id: str
    power_kw: float
    energy_kwh: float
    delivered_kwh: float
    accepted_at: str
    ready_by: str | None
    priority: str
    waited_s: float | None = Field(description="how long it was queued, in all, before it was given to a substation")
    interruptions: int = Field(description="how often it stopped charging with energy missing")
    interrupted_by: str | None = Field(
        description="the last time: preempted by a session with less time, or substation_lost"
    )


class Accepted(BaseModel):
    """The answer to a request that has a substation, which starts it within a heartbeat, mostly at once.

    In an array each item has the status it would have had alone.
    """

    status: int
    session_id: str
    state: str
    substation: str | None
    zone: str
    vehicle_id: str
    power_kw: float
    energy_kwh: float
    accepted_at: str


class Waiting(BaseModel):
    """The answer to a request that nobody has room for yet: a substation starts it when its turn has come."""

    status: int
    session_id: str
    state: str
    position: int | None = Field(description="in line, from 1")
    estimated_start: str | None
    zone: str
    vehicle_id: str
    power_kw: float
    energy_kwh: float
    accepted_at: str


class Substation(BaseModel):
    substation: str
    zone: str
    state: str = Field(description="up, deaf, draining, silent, lost, or left if it was told to stop")
    epoch: int
    capacity_kw: float
    limit_kw: float
    committed_kw: float
    headroom_kw: float
    load: float = Field(description="committed ÷ limit")
    sessions: int


class Totals(BaseModel):
    substations: int
    limit_kw: float
    committed_kw: float
    load: float
    sessions: int
    waiting: int


class Grid(BaseModel):
    """Every substation, and all of them together."""

    substations: list[Substation]
    totals: Totals
    waiting: dict[str, int] = Field(description="how many wait in each zone")


class ProblemDetails(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    retry_after_s: int | None = None
    errors: list[dict[str, str]] | None = Field(None, description="each wrong field and what is wrong with it")


class SessionPath(BaseModel):
    session_id: str


class SessionQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    wait: float = Field(0, ge=0, le=MAX_WAIT_S)
