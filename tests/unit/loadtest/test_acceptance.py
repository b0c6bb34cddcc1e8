"""Who could charge, by power, and how much of the power."""

from dataclasses import replace

from loadtest.acceptance import PowerClass, Served, Share, acceptance, by_zone
from loadtest.answers import Answer
from loadtest.line import Fate

LARGEST_KW = {"north": 200}


def cars(number: int, power_kw: float, outcome: str, session: str | None = None) -> list[Answer]:
    return [Answer(0.0, outcome, session, power_kw=power_kw, zone="north")] * number


WAITED = {"started": Fate("started", "one", 5.0), "cancelled": Fate("cancelled"), "in-line": Fate("waiting")}
EVENING = [
    *cars(8, 3.7, "charging"),
    *cars(1, 3.3, "waiting", "started"),
    *cars(1, 3.7, "waiting", "cancelled"),
    *cars(1, 50, "charging"),
    *cars(2, 50, "waiting", "started"),
    *cars(1, 50, "waiting", "in-line"),
    *cars(1, 50, "refused"),
    *cars(1, 350, "refused"),
    Answer(0.0, "charging", "started", "look-up"),
]


def test_acceptance_is_by_power_class_and_counts_those_who_waited_before() -> None:
    accepted = acceptance(EVENING, WAITED, LARGEST_KW)

    assert accepted.classes == [
        PowerClass("3.3 to 3.7 kW", asked=10, charging=8, started=1),
        PowerClass("50 kW", asked=5, charging=1, started=2),
    ]


def test_fairness_is_the_smallest_share_by_the_largest_and_says_of_how_many() -> None:
    accepted = acceptance(EVENING, WAITED, LARGEST_KW)
    asked_kw = 9 * 3.7 + 3.3 + 5 * 50

    assert accepted.at_once == Served(
        least=Share("50 kW", 5, 0.2),
        most=Share("3.3 to 3.7 kW", 10, 0.8),
        min_by_max=0.25,
        kw_share=round((8 * 3.7 + 50) / asked_kw, 4),
    )
    assert accepted.in_all == Served(
        least=Share("50 kW", 5, 0.6),
        most=Share("3.3 to 3.7 kW", 10, 0.9),
        min_by_max=0.6667,
        kw_share=round((8 * 3.7 + 50 + 3.3 + 2 * 50) / asked_kw, 4),
    )
    assert accepted.at_once.said == "20% of 5 cars of 50 kW to 80% of 10 cars of 3.3 to 3.7 kW; min ÷ max 0.25"
    assert accepted.of_the_power == "27.8% at once, 63.8% in all"


def test_who_is_too_powerful_for_every_substation_is_nobodys_to_serve() -> None:
    assert acceptance(EVENING, WAITED, LARGEST_KW).too_powerful == 1

    larger = acceptance(EVENING, WAITED, largest_kw={"north": 350})
    assert larger.too_powerful == 0
    assert larger.classes[-1] == PowerClass("350 kW", asked=1, charging=0, started=0)
    assert larger.at_once is not None
    assert larger.at_once.min_by_max == 0


def test_an_error_is_a_car_that_was_not_served() -> None:
    accepted = acceptance([*cars(1, 11, "charging"), *cars(1, 11, "no answer in time")], {}, LARGEST_KW)

    assert accepted.at_once is not None
    assert accepted.at_once.least == Share("11 kW", 2, 0.5)


def test_where_nobody_was_served_or_asked_there_is_no_fairness() -> None:
    nobody = acceptance(cars(1, 11, "refused"), {}, LARGEST_KW)
    empty = acceptance([], {}, LARGEST_KW)

    assert nobody.at_once is not None
    assert (nobody.at_once.min_by_max, nobody.at_once.said) == (None, "nobody")
    assert (empty.classes, empty.at_once, empty.in_all, empty.of_the_power) == ([], None, None, "")


def test_classes_are_in_the_order_of_their_powers_and_have_no_upper_end() -> None:
    accepted = acceptance([*cars(1, 2_000, "charging"), *cars(1, 11, "charging"), *cars(1, 150, "charging")], {}, {})

    assert [each.powers for each in accepted.classes] == ["11 kW", "150 kW", "2000 kW"]


def test_each_of_several_zones_has_its_own_acceptance_by_what_its_own_substations_can_carry() -> None:
    elsewhere = [replace(car, zone="south") for car in [*cars(1, 50, "charging"), *cars(1, 350, "refused")]]
    largest_kw = {"north": 200, "south": 400}
    zones = by_zone([*elsewhere, *EVENING], WAITED, largest_kw)

    assert list(zones) == ["north", "south"]
    assert zones["north"] == acceptance(EVENING, WAITED, LARGEST_KW)
    assert zones["south"].classes == [PowerClass("50 kW", 1, 1, 0), PowerClass("350 kW", 1, 0, 0)]
    assert (zones["north"].too_powerful, zones["south"].too_powerful) == (1, 0)
    assert acceptance([*elsewhere, *EVENING], WAITED, largest_kw).too_powerful == 1


def test_one_zone_is_the_whole_grid() -> None:
    assert by_zone(EVENING, WAITED, LARGEST_KW) == {}
