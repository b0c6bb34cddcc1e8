"""Session ids say their zone, and the same key is the same id."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid import session_ids
from grid.settings import Settings

ZONES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)


@settings(deadline=None)
@given(ZONES, st.text(), st.integers(0, 10_000))
def test_every_id_is_valid_and_says_its_zone(zone: str, key: str, index: int) -> None:
    assert Settings(zones=(zone,), zone=zone).zone == zone, "a zone that the settings allow"
    for session_id in (session_ids.new(zone), session_ids.from_key(zone, key, index)):
        assert session_ids.is_valid(session_id)
        assert session_ids.zone_of(session_id) == zone


def test_new_ids_differ() -> None:
    assert len({session_ids.new("default") for _ in range(1_000)}) == 1_000


def test_the_same_key_place_and_zone_are_the_same_id_and_any_other_is_not() -> None:
    first = session_ids.from_key("default", "key", 0)
    assert session_ids.from_key("default", "key", 0) == first
    others = {
        session_ids.from_key(*other) for other in (("north", "key", 0), ("default", "Key", 0), ("default", "key", 1))
    }
    assert len(others) == 3
    assert first not in others
    assert session_ids.from_key("a", "1:x", 1) != session_ids.from_key("a", "x", 11)


NOT_IDS = ["", "default", "-" + "0" * 24, "Default-" + "0" * 24, "default-" + "0" * 23, "default-" + "0" * 25]
NOT_IDS += ["default-" + "0" * 24 + "\n", "default-" + "F" * 24, f"default-{'0' * 24}#1@one", "a" * 33 + "-" + "0" * 24]


@pytest.mark.parametrize("text", NOT_IDS)
def test_what_is_no_id_has_no_zone(text: str) -> None:
    assert not session_ids.is_valid(text)
    assert not re.match(session_ids.PATTERN, text) or text.endswith("\n")
    assert session_ids.zone_of(text) == ""
