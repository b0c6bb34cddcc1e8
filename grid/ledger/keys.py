"""Every key of a zone, in one place. `docs/redis-keys.md` says what each holds and how to look at it."""

NAMES = (
    *("load", "headroom", "committed", "limit", "heartbeats", "substations", "epochs", "ejected"),
    *("sessions", "delivered", "states", "by_substation", "by_slack", "due"),
    *("waiting", "waiting_by_power", "pace", "format"),
)
"""In the order of KEYS in every script. Each script has them as LOAD, HEADROOM, ..."""

FORMAT = "3"
"""Of what the keys hold. It goes up when a service of the version before could not work with them."""


def key(zone: str, name: str) -> str:
    """The full name of one key; the `{...}` tag keeps a zone on one node of a Redis cluster."""
    return f"{{grid:{zone}}}:{name}"


def zone_keys(zone: str) -> list[str]:
    """All keys of a zone, in the order the scripts expect them."""
    return [key(zone, name) for name in NAMES]
