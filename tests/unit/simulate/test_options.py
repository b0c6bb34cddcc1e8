"""What is typed, and what is said of what is wrong."""

from pathlib import Path

import pytest

from loadtest.simulate.arms import Arm, Rule
from loadtest.simulate.options import classes_of, limits_of, parse, protected_of
from loadtest.simulate.scenario import PowerClass, Stays
from loadtest.simulate.studies import STUDIES, Study


def study(*arguments: str) -> Study:
    found = parse(arguments, "about").study
    assert found is not None
    return found


def test_limits_one_by_one_or_so_many_of_them() -> None:
    assert limits_of("100,250.5") == (100_000, 250_500)
    assert limits_of("3x1000,2x50") == (1_000_000,) * 3 + (50_000,) * 2


def test_sizes_have_shares_and_may_have_stays() -> None:
    assert classes_of("7:0.8,50:0.2:0.5") == (PowerClass(7_000, 0.8, 1.0), PowerClass(50_000, 0.2, 0.5))


def test_a_study_by_its_name_is_as_it_is_published() -> None:
    for name, published in STUDIES.items():
        assert study("--study", name) == published
    assert study() == STUDIES["placement"]


def test_everything_can_be_given() -> None:
    given = study(
        *("--substations", "10x100", "--substations", "20x100", "--sizes", "7:1", "--stays", "lognormal"),
        *("--loads", "0.5,1.5", "--arms", "protect,protect@100,polling@10,best-fit", "--protect", "22,7"),
        *("--protect", "7", "--arrivals", "5000", "--seed", "9"),
    )

    assert given.grids == ((100_000,) * 10, (100_000,) * 20)
    assert (given.classes, given.stays, given.loads) == ((PowerClass(7_000, 1.0),), Stays.LOGNORMAL, (0.5, 1.5))
    assert (given.arrivals, given.seed) == (5_000, 9)
    assert given.arms == (
        *(Arm(Rule.PROTECT, sizes, period) for period in (None, 100.0) for sizes in ((22_000, 7_000), (7_000,))),
        Arm(Rule.POLLING, per_period=10.0),
        Arm(Rule.BEST_FIT),
    )
    assert len(given.cells) == 2 * 2 * 6


def test_lists_to_protect_take_the_place_of_the_studys() -> None:
    before = STUDIES["placement"].arms
    after = study("--protect", "50,22", "--protect", "50").arms

    assert [arm for arm in after if arm.rule is not Rule.PROTECT] == [arm for arm in before if not arm.protect]
    assert [arm.protect for arm in after if arm.protect] == [(50_000, 22_000), (50_000,)]


def test_an_arm_says_what_it_is() -> None:
    names = [arm.name for arm in study("--arms", "protect@100,polling@0.5,random", "--protect", "350,3.7").arms]

    assert names == ["protect 350,3.7 @100", "polling @0.5", "random"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--study", "nothing"], "--study"),
        (["--substations", "ten"], "--substations must be like 100,150 or 10x1000, not 'ten'"),
        (["--substations", "10x-5"], "--substations must"),
        (["--substations", "0x5"], "--substations '0x5' are none"),
        (["--substations", "0.0001"], "--substations must"),
        (["--sizes", "7"], "--sizes must be like 7:0.8,50:0.2"),
        (["--sizes", "7:0"], "--sizes must"),
        (["--sizes", "7:1:1:1"], "--sizes must"),
        (["--stays", "short"], "--stays"),
        (["--loads", "0"], "--loads must be like"),
        (["--loads", "inf"], "--loads must be like"),
        (["--arms", "worst-fit"], "--arms: there is no rule 'worst-fit'; there are least-loaded"),
        (["--arms", "polling"], "--arms: polling needs its arrivals per period, like polling@100"),
        (["--arms", "polling@often"], "--arms: 'polling@often' must end in arrivals per period"),
        (["--arms", "protect@0"], "--arms: 'protect@0' must end in arrivals per period"),
        (["--arms", "random@5"], "--arms: random has no period"),
        (["--protect", "22,50"], "--protect must fall"),
        (["--protect", "50,50"], "--protect must fall"),
        (["--protect", "big"], "--protect must be like"),
        (["--arrivals", "10"], "--arrivals must be 1,000 or more"),
        (["--processes", "0"], "--processes must be 1 or more"),
        (["--seed", "x"], "--seed"),
        (["--study", "validation", "--loads", "0.9"], "--loads does not go with --study validation"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        parse(arguments, "about")

    assert exit.value.code == 2
    assert why in " ".join(capsys.readouterr().err.split())


def test_the_validation_has_cells_of_its_own(tmp_path: Path) -> None:
    asked = parse(["--study", "validation", "--arrivals", "2000", "--seed", "3", "--out", str(tmp_path)], "about")

    assert (asked.study, asked.arrivals, asked.seed, asked.folder) == (None, 2_000, 3, tmp_path)


def test_sizes_to_protect_fall() -> None:
    assert protected_of("350,150.5") == (350_000, 150_500)
