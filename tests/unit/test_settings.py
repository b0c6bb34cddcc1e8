"""Settings come from the environment, and wrong ones stop the start with the variable's name."""

from typing import Any

import pytest
from pydantic import ValidationError

from grid.settings import Settings, load_settings
from substation.app import identify


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def loaded() -> Settings:
    return load_settings.__wrapped__()


def test_without_any_variable_the_defaults_hold() -> None:
    settings = loaded()
    assert settings == Settings()
    assert (settings.zones, settings.capacity_watts, settings.limit_watts) == (("default",), 250_000, 250_000)


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "ZONES": "a, b,c",
        "PROTECT_KW": "350, 22.2",
        "BALANCER_URLS": "http://x:1,https://y",
        "CAPACITY_KW": "0.5",
        "LIMIT_KW": "0.25",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = loaded()
    assert settings.protect_watts == (350_000, 22_200)
    assert settings.zones == ("a", "b", "c")
    assert settings.balancer_urls == ("http://x:1", "https://y")
    assert (settings.capacity_watts, settings.limit_watts) == (500, 250)


@pytest.mark.parametrize("typed", ["none", " None "])
def test_no_charger_size_is_protected_if_somebody_says_so(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setenv("PROTECT_KW", typed)
    assert loaded().protect_watts == ()


def test_an_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZONES", "SUBSTATION_ID", "LIMIT_KW", "PROTECT_KW", "THREADS"):
        monkeypatch.setenv(name, "")
    assert loaded() == Settings()


def test_they_are_read_once_and_cannot_be_changed() -> None:
    load_settings.cache_clear()
    settings = load_settings()
    assert load_settings() is settings
    with pytest.raises(ValidationError, match="frozen"):
        settings.threads = 1  # type: ignore[misc]
    load_settings.cache_clear()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WORKERS", "0"),
        ("THREADS", "-1"),
        ("THREADS", "many"),
        ("THREADS", "1.5"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_LEVEL", "info"),
        ("MAX_BATCH", "0"),
        ("MAX_BODY_BYTES", "1MB"),
        ("PROTECT_KW", "350,big"),
        ("PROTECT_KW", "350,none"),
        ("PROTECT_KW", ","),
        ("PROTECT_KW", "0.0014,0.0011"),
        ("PROTECT_KW", "nan"),
        ("PROTECT_KW", "22,50"),
        ("PROTECT_KW", "50,50"),
        ("PROTECT_KW", "50,0"),
        ("PROTECT_KW", "9,8,7,6,5,4,3,2,1"),
        ("ZONES", ","),
        ("ZONES", "North"),
        ("ZONES", "a,b|c"),
        ("ZONES", "a" * 33),
        ("ZONE", "-a"),
        ("ZONE", "{grid}"),
        ("RETRY_AFTER_S", "0"),
        ("REDIS_URL", "redis:6379"),
        ("REDIS_URL", "http://redis"),
        ("REDIS_TIMEOUT_MS", "0.5s"),
        ("BALANCER_URLS", ","),
        ("BALANCER_URLS", "balancer:5000"),
        ("BALANCER_URLS", "http://balancer:5000/"),
        ("ADVERTISE_URL", "substation-1"),
        ("SUBSTATION_ID", "a|b"),
        ("SUBSTATION_ID", "-a"),
        ("SUBSTATION_ID", "a" * 65),
        ("CAPACITY_KW", "0"),
        ("CAPACITY_KW", "-1"),
        ("CAPACITY_KW", "nan"),
        ("CAPACITY_KW", "inf"),
        ("CAPACITY_KW", "1000001"),
        ("LIMIT_KW", "0"),
        ("TIME_SCALE", "0"),
        ("TIME_SCALE", "nan"),
        ("HEARTBEAT_INTERVAL_MS", "0"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as stopped:
        loaded()
    (line,) = [line for line in str(stopped.value).splitlines() if line.startswith("  ")]
    assert line.strip().startswith(variable)


def test_every_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKERS", "THREADS", "TIME_SCALE"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(SystemExit) as stopped:
        loaded()
    assert all(f"  {name}: " in str(stopped.value) for name in ("WORKERS", "THREADS", "TIME_SCALE"))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"capacity_kw": 10, "limit_kw": 10.1}, "LIMIT_KW"),
        ({"redis_timeout_ms": 601}, "REDIS_TIMEOUT_MS"),
        ({"charge_timeout_ms": 701}, "CHARGE_TIMEOUT_MS"),
        ({"route_try_ms": 1_399}, "ROUTE_TRY_MS"),
        ({"route_try_ms": 5_001}, "ROUTE_TRY_MS"),
        ({"heartbeat_ttl_ms": 1_000}, "HEARTBEAT_TTL_MS"),
        ({"lost_ms": 1_100}, "LOST_MS"),
    ],
    ids=str,
)
def test_values_that_do_not_go_together_are_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings(**values)


def test_values_that_just_go_together_are_taken() -> None:
    Settings(capacity_kw=10, limit_kw=10, route_try_ms=5_000, heartbeat_ttl_ms=1_001, lost_ms=1_101)
    Settings(redis_timeout_ms=600)
    Settings(charge_timeout_ms=700)
    Settings(route_try_ms=1_400)


def test_a_substation_is_who_its_settings_say() -> None:
    identity = identify(Settings(substation_id="one", advertise_url="http://one:1", capacity_kw=2, limit_kw=1))
    assert (identity.substation, identity.url) == ("one", "http://one:1")
    assert (identity.capacity, identity.limit) == (2_000, 1_000)


def test_a_substation_without_an_address_is_reached_by_its_host_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "3f2a9c1b7d4e")
    monkeypatch.setattr("substation.app.own_name", lambda: "substation-2")
    identity = identify(Settings(bind="0.0.0.0:5003"))
    assert (identity.substation, identity.url) == ("substation-2", "http://3f2a9c1b7d4e:5003")
