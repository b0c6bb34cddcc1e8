"""How this project connects to Redis: short timeouts, one quick retry, a pool per process."""

from collections.abc import Iterable

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry

from grid.ledger.ledger import Ledger, LedgerConfig
from grid.settings import Settings


def connect(url: str, timeout_ms: int, connections: int) -> Redis:
    """A client with a pool of its own, connecting on first use (so it may be made before or after a fork).

    One retry after a broken connection is safe because every script may run twice: a session id, an attempt or a
    heartbeat number says that it already did. None after a time-out: whoever waits behind the caller would wait for
    both. redis-py's default of ten retries would outlast any caller.

    Raises ValueError for a malformed url.
    """
    return Redis.from_url(
        url,
        decode_responses=True,
        max_connections=connections,
        socket_timeout=timeout_ms / 1000,
        socket_connect_timeout=timeout_ms / 1000,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.05, base=0.01), 1, supported_errors=(ConnectionError,)),
        health_check_interval=0,
    )


def open_ledgers(settings: Settings, zones: Iterable[str], connections: int) -> dict[str, Ledger]:
    """A ledger for each zone, all on one pool."""
    redis = connect(settings.redis_url, settings.redis_timeout_ms, connections)
    config = LedgerConfig(
        heartbeat_ttl=settings.heartbeat_ttl_ms,
        lost=settings.lost_ms,
        patience=settings.in_real_ms(settings.patience_ms),
        give_up=settings.in_real_ms(settings.give_up_ms),
        preemption_slack=settings.in_real_ms(settings.preemption_slack_ms),
        priority_shift=settings.in_real_ms(settings.priority_shift_ms),
        longest_line=settings.longest_line,
        time_scale=settings.time_scale,
        protect=settings.protect_watts,
        retention=settings.retention_ms,
    )
    return {zone: Ledger(redis, zone, config) for zone in zones}
