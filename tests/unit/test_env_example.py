"""`.env.example` is the list of everything that can be set: nothing missing, nothing invented, no stale default."""

import re
from pathlib import Path

import pytest

from grid.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
LISTED = {
    name: (default, meaning)
    for meaning, name, default in re.findall(r"^# (.+)\n# ([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.M)
}
SETTINGS = {name.upper(): field for name, field in Settings.model_fields.items()}
INTERPOLATED = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", COMPOSE))
PASSED_ON = set(re.findall(r"^ +([A-Z_]+):$", COMPOSE, re.M))
FIXED_BY_COMPOSE = {"BIND", "REDIS_URL", "BALANCER_URLS"}
ONE_SUBSTATION_ONLY = {"SUBSTATION_ID", "ADVERTISE_URL"}


def test_every_setting_and_every_variable_of_compose_is_listed_and_nothing_else() -> None:
    assert LISTED.keys() == SETTINGS.keys() | INTERPOLATED.keys()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_listed_with_its_default_and_its_meaning(name: str) -> None:
    field = SETTINGS[name]
    default, meaning = LISTED[name]

    assert meaning == field.description
    if field.default is None:
        assert default == ""
    else:
        assert getattr(Settings(**{name.lower(): default}), name.lower()) == field.default


@pytest.mark.parametrize(("name", "default"), INTERPOLATED.items())
def test_compose_uses_the_default_that_is_listed(name: str, default: str) -> None:
    assert default == LISTED[name][0]


def test_compose_passes_on_every_setting_that_can_hold_for_all_replicas() -> None:
    assert SETTINGS.keys() - FIXED_BY_COMPOSE - ONE_SUBSTATION_ONLY == PASSED_ON
