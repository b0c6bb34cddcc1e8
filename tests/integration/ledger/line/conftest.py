"""A substation without room for those who come now."""

import pytest

from ..conftest import Substation, Zone

HOUR_MS = 3_600_000


@pytest.fixture
def full(zone: Zone, one: Substation) -> Substation:
    """One substation of 100 kW, which a car of 50 kW and two of 25 kW fill."""
    for session, watts in (("half", 50_000), ("quarter", 25_000), ("other quarter", 25_000)):
        zone.reserve(session, watts)
        one.starts(session, watts)
    assert one.beat().grants == []
    return one
