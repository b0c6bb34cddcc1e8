"""Small scenarios."""

from loadtest.simulate.scenario import PowerClass, Scenario, Stays

ONE = (PowerClass(50_000, 1.0),)
TWO = (PowerClass(10_000, 0.75), PowerClass(50_000, 0.25))


def scenario(
    limits: tuple[int, ...] = (200_000,) * 3,
    classes: tuple[PowerClass, ...] = TWO,
    load: float = 0.9,
    stays: Stays = Stays.EXPONENTIAL,
    arrivals: int = 4_000,
    seed: int = 1,
) -> Scenario:
    return Scenario(limits, classes, load, stays, arrivals, seed)
