"""What POST /route takes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from grid import session_ids

MAX_WATTS = 1_000_000
MAX_WATT_HOURS = 1_000_000


class CancelQuery(BaseModel):
    """The query of DELETE /sessions/{id}. `abandoned`: its only caller was told that it failed."""

    model_config = ConfigDict(extra="forbid")

    abandoned: bool = False


class RouteRequest(BaseModel):
    """One accepted request: W, Wh, ms since the epoch. The session id begins with its zone."""

    model_config = ConfigDict(extra="forbid", strict=True)

    session_id: Annotated[str, StringConstraints(pattern=session_ids.PATTERN)]
    vehicle_id: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f|]+$")]
    watts: int = Field(ge=1, le=MAX_WATTS)
    energy_wh: int = Field(ge=1, le=MAX_WATT_HOURS)
    ready_by: int | None = Field(None, ge=0, le=10**13)
    priority: Literal["emergency", "normal", "flexible"] = "normal"

    @field_validator("session_id")
    @classmethod
    def _in_a_zone_of_ours(cls, session_id: str, info: ValidationInfo) -> str:
        zones = (info.context or {})["zones"]
        if session_ids.zone_of(session_id) not in zones:
            raise ValueError(f"names a zone that is not served here ({', '.join(zones)})")
        return session_id
