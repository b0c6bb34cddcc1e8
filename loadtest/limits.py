"""What the grid that is to be rushed can carry; or why there is none."""

from collections import defaultdict

import requests


class NoGridError(Exception):
    """There is no grid to rush; the message says why, in a sentence."""


def limits_kw(url: str, within_s: float = 10.0) -> dict[str, float]:
    """By zone: the limits of the substations that are up, together. A zone that can carry nothing is not there.

    Raises NoGridError.
    """
    try:
        answer = requests.get(f"{url}/grid", timeout=within_s)
    except requests.Timeout:
        raise NoGridError(f"{url} did not answer within {within_s:g} s") from None
    except requests.ConnectionError:
        raise NoGridError(f"nobody answers at {url}") from None
    except (requests.RequestException, ValueError):
        raise NoGridError(f"{url!r} is not an address like http://127.0.0.1:8080") from None
    if answer.status_code != 200:
        raise NoGridError(f"{url}/grid was answered by {answer.status_code}, not 200")
    limits: defaultdict[str, float] = defaultdict(float)
    try:
        for row in answer.json()["substations"]:
            if row["state"] == "up":
                limits[row["zone"]] += float(row["limit_kw"])
    except (ValueError, KeyError, TypeError):
        raise NoGridError(f"what answers at {url} is not a grid: its /grid does not list substations") from None
    routable = {zone: limit for zone, limit in limits.items() if limit > 0}
    if not routable:
        raise NoGridError(f"no substation is up at {url}")
    return routable
