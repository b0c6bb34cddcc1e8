"""What POST /charge takes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f|]+$")]
MAX_WATTS = 1_000_000
MAX_WATT_HOURS = 1_000_000


class ChargeOrder(BaseModel):
    """A session to start here, as the ledger reserved it: W, Wh, the attempt and the epoch it is meant for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    session_id: Name
    attempt: int = Field(ge=1, le=1_000_000_000)
    substation: Name
    epoch: int = Field(ge=1, le=1_000_000_000)
    vehicle_id: Name
    watts: int = Field(ge=1, le=MAX_WATTS)
    energy_wh: int = Field(ge=1, le=MAX_WATT_HOURS)


class WhichAttempt(BaseModel):
    """The query of DELETE /charge/{id}."""

    model_config = ConfigDict(extra="forbid")

    attempt: int | None = Field(None, ge=1, le=1_000_000_000)
