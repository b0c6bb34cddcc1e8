"""Every setting of every service: its type, its default, its meaning. The only reader of the environment.

A setting's variable is its name in capitals (`RETENTION_MS`); `.env.example` lists them all.
"""

import os
from functools import cache
from itertools import pairwise
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Zone = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
SubstationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/]+$")]


def _watts(kw: float) -> int:
    return round(kw * 1000)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


NOTHING = "none"


def _split_sizes(value: object) -> object:
    if isinstance(value, str):
        return () if value.strip().lower() == NOTHING else _parts(value) or (value,)
    return value


def _falling(sizes: tuple[float, ...]) -> tuple[float, ...]:
    if any(_watts(smaller) >= _watts(bigger) for bigger, smaller in pairwise(sizes)):
        raise ValueError("must fall: the biggest charger first")
    return sizes


ChargerSize = Annotated[float, Field(ge=0.001, le=1_000_000, allow_inf_nan=False)]
ChargerSizes = Annotated[
    tuple[ChargerSize, ...], Field(max_length=8), BeforeValidator(_split_sizes), AfterValidator(_falling)
]


def protected_watts(typed: str) -> tuple[int, ...]:
    """What PROTECT_KW would protect if it were that, in W. Raises ValidationError."""
    return tuple(map(_watts, TypeAdapter(ChargerSizes).validate_python(typed)))


class Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    # Serving
    bind: str = Field("127.0.0.1:5000", description="address and port this process listens on")
    workers: PositiveInt = Field(1, description="gunicorn worker processes (a substation always has one)")
    threads: PositiveInt = Field(16, description="requests that one worker handles at once")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR")
    max_body_bytes: PositiveInt = Field(1_048_576, description="a larger request body gets 413")
    max_batch: PositiveInt = Field(1_000, description="an array of more requests gets 422")
    zones: Annotated[tuple[Zone, ...], NoDecode] = Field(("default",), description="zones served, separated by commas")
    retry_after_s: PositiveInt = Field(5, description="Retry-After of a 503, in seconds")

    # Ledger
    redis_url: str = Field("redis://127.0.0.1:6379/0", pattern="^(rediss?|unix)://", description="where the ledger is")
    redis_timeout_ms: PositiveInt = Field(300, description="how long Redis may take to connect or to answer")
    heartbeat_ttl_ms: PositiveInt = Field(2_500, description="a substation silent for so long gets nothing new")
    lost_ms: PositiveInt = Field(1_300, description="silent for so long after that, its sessions go elsewhere")
    patience_ms: PositiveInt = Field(
        1_800_000, description="how soon a session should begin that named no ready-by time, in simulated ms"
    )
    give_up_ms: PositiveInt = Field(43_200_000, description="how long it waits at most, in simulated ms")
    preemption_slack_ms: PositiveInt = Field(
        1_800_000,
        le=10**11,
        description="how much more urgent a queued session must be to take a charging one's place, in simulated ms",
    )
    priority_shift_ms: NonNegativeInt = Field(
        7_200_000, description="by how much emergency comes earlier in line, and flexible later, in simulated ms"
    )
    longest_line: NonNegativeInt = Field(10_000, description="how many may wait in a zone; 0 turns them away")
    protect_kw: Annotated[ChargerSizes, NoDecode] = Field(
        (350, 150, 50, 22),
        description=f"charger sizes whose room is kept whole, the biggest first, by commas; or {NOTHING}",
    )
    retention_ms: PositiveInt = Field(900_000, description="how long an ended session and its Idempotency-Key are kept")

    # api
    balancer_urls: Annotated[tuple[Url, ...], NoDecode] = Field(
        ("http://127.0.0.1:5001",), description="balancers or their proxy, by commas"
    )
    route_try_ms: PositiveInt = Field(2_000, description="how long one balancer may take before the next is asked")
    route_timeout_ms: PositiveInt = Field(5_000, description="how long all of them together may take")

    # balancer
    charge_timeout_ms: PositiveInt = Field(400, description="how long a substation may take to answer POST /charge")
    connect_timeout_ms: PositiveInt = Field(300, description="how long any connection may take to open")
    sweep_interval_ms: PositiveInt = Field(500, description="how often each balancer looks for what is due")

    # substation
    substation_id: SubstationId | None = Field(None, description="its name; by default the container's")
    zone: Zone = Field("default", description="the zone it serves")
    advertise_url: Url | None = Field(None, description="where balancers reach it; by default http://<hostname>:<port>")
    capacity_kw: float = Field(250, gt=0, le=1_000_000, description="its rating")
    limit_kw: float | None = Field(None, gt=0, description="overload threshold; by default its capacity")
    heartbeat_interval_ms: PositiveInt = Field(1_000, description="how often it tells the ledger what it carries")
    time_scale: float = Field(60, gt=0, le=100_000, description="simulated seconds in one real second, everywhere")

    @field_validator("zones", "balancer_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = _parts(value)
        if not parts:
            raise ValueError("must name at least one")
        return parts

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if self.limit_kw is not None and self.limit_kw > self.capacity_kw:
            raise ValueError("LIMIT_KW must not be above CAPACITY_KW")
        # A session that is refused moves once: two script calls and two POSTs.
        if not 2 * (self.redis_timeout_ms + self.charge_timeout_ms) <= self.route_try_ms <= self.route_timeout_ms:
            raise ValueError(
                "timeouts must shrink along the hops: "
                "2 (REDIS_TIMEOUT_MS + CHARGE_TIMEOUT_MS) <= ROUTE_TRY_MS <= ROUTE_TIMEOUT_MS"
            )
        if self.heartbeat_ttl_ms <= self.heartbeat_interval_ms:
            raise ValueError("HEARTBEAT_TTL_MS must be above HEARTBEAT_INTERVAL_MS")
        if self.give_up_ms < self.patience_ms:
            raise ValueError("GIVE_UP_MS must not be below PATIENCE_MS")
        if self.lost_ms <= 1.1 * self.heartbeat_interval_ms:  # else one that speaks again could be lost before it does
            raise ValueError("LOST_MS must be above HEARTBEAT_INTERVAL_MS and a tenth")
        return self

    def in_real_ms(self, simulated_ms: int) -> int:
        """How long that is for who looks at a clock."""
        return max(1, round(simulated_ms / self.time_scale))

    @property
    def capacity_watts(self) -> int:
        return _watts(self.capacity_kw)

    @property
    def protect_watts(self) -> tuple[int, ...]:
        return tuple(map(_watts, self.protect_kw))

    @property
    def limit_watts(self) -> int:
        return _watts(self.capacity_kw if self.limit_kw is None else self.limit_kw)


@cache
def load_settings() -> Settings:
    """The settings of this process, read once. Exits with a message that names each wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc'])).upper() or 'settings'}: {e['msg']}" for e in error.errors()]
        raise SystemExit("\n".join(["Wrong settings:", *lines, "See .env.example for all of them."])) from None


def inherited_environment() -> dict[str, str]:
    """What a child process gets, before its own variables."""
    return dict(os.environ)


def redis_url_if_given() -> str | None:
    """REDIS_URL if somebody set it; the default would be a guess where none is known to run."""
    return os.environ.get("REDIS_URL") or None
