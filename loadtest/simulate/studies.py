"""The questions that the laboratory is asked by name: which grids, which cars, which rules side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from loadtest.cars import CARS, SHARES
from loadtest.simulate.arms import Arm, Rule
from loadtest.simulate.cells import Cell
from loadtest.simulate.scenario import PowerClass, Scenario, Stays

KW = 1_000
LIMIT = 1_000 * KW

MIX = tuple(
    PowerClass(kw * KW, share) for kw, share in ((7, 0.25), (11, 0.25), (22, 0.15), (50, 0.2), (150, 0.1), (350, 0.05))
)
"""Homes, work places and motorways on one grid, as every study has it that is about no grid of its own."""

_SHIPPED_S = sum(share * car.session_s for car, share in zip(CARS, SHARES, strict=True))
SHIPPED_MIX = tuple(
    PowerClass(round(car.power_kw * KW), share, car.session_s / _SHIPPED_S)
    for car, share in zip(CARS, SHARES, strict=True)
)
"""Who comes to `make rush` and `make demo`, each until it has its energy."""


@dataclass(frozen=True)
class Study:
    """Every arm in every grid (limits in W) at every offered load; `arrivals` are counted in each."""

    grids: tuple[tuple[int, ...], ...]
    loads: tuple[float, ...]
    arms: tuple[Arm, ...]
    arrivals: int
    classes: tuple[PowerClass, ...] = MIX
    stays: Stays = Stays.EXPONENTIAL
    seed: int = 1

    @property
    def scenarios(self) -> list[Scenario]:
        return [
            Scenario(grid, self.classes, load, self.stays, self.arrivals, self.seed)
            for grid in self.grids
            for load in self.loads
        ]

    @property
    def cells(self) -> list[Cell]:
        return [Cell(arm, scenario) for scenario in self.scenarios for arm in self.arms]


def _protect(*kw: int) -> Arm:
    return Arm(Rule.PROTECT, tuple(each * KW for each in kw))


def _periodic(rule: Rule, counts: Sequence[int], protect: tuple[int, ...] = ()) -> tuple[Arm, ...]:
    return tuple(Arm(rule, protect, count) for count in counts)


LEAST_LOADED = Arm(Rule.LEAST_LOADED)
PROTECT = _protect(350, 150, 50, 22)
BEST_FIT = Arm(Rule.BEST_FIT)
OTHERS = (
    Arm(Rule.RANDOM),
    Arm(Rule.POWER_OF_TWO),
    *_periodic(Rule.POLLING, [100]),
    *_periodic(Rule.POLLING_CAPPED, [100]),
    BEST_FIT,
)
LOADS = (0.8, 0.9, 1.0)
MIXED_KW = (100, 250, 400, 630, 800, 1_000, 1_250, 1_600, 2_000, 2_500)

PLACEMENT = Study(((LIMIT,) * 10,), LOADS, (LEAST_LOADED, PROTECT, *OTHERS), arrivals=250_000)

STUDIES: Mapping[str, Study] = {
    "placement": PLACEMENT,
    "many": replace(PLACEMENT, grids=tuple((LIMIT,) * number for number in (50, 200, 1_000)), loads=(0.9,)),
    "mixed": replace(PLACEMENT, grids=(tuple(kw * KW for kw in MIXED_KW),)),
    "stale": replace(
        PLACEMENT,
        loads=(0.9,),
        arms=(
            *_periodic(Rule.POLLING, [1, 10, 100]),
            *_periodic(Rule.POLLING_CAPPED, [1, 10, 100]),
            *_periodic(Rule.PROTECT_LATE, [1, 10, 100], PROTECT.protect),
            *_periodic(Rule.PROTECT, [1, 100], PROTECT.protect),
            PROTECT,
        ),
        arrivals=100_000,
    ),
    "shipped": replace(
        PLACEMENT,
        grids=((100 * KW, 150 * KW, 250 * KW),),
        loads=(0.8, 1.0, 1.5),
        arms=(
            LEAST_LOADED,
            PROTECT,
            *(_protect(*kw) for kw in ((150, 50), (150,), (50, 22), (50,), (22,))),
            BEST_FIT,
        ),
        classes=SHIPPED_MIX,
        stays=Stays.CONSTANT,
    ),
}
