"""What is typed, and what is said of what is wrong."""

from pathlib import Path

import pytest

from loadtest.simulate.arms import Arm, Rule
from loadtest.simulate.options import parse
from loadtest.simulate.scenario import PowerClass, Stays
from loadtest.simulate.studies import STUDIES, Study


def study(*arguments: str) -> Study:
    found = parse(arguments, "about").study
    assert found is not None
    return found


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


def test_nothing_may_be_protected() -> None:
    assert study("--arms", "protect", "--protect", "none", "--protect", "50").arms == (
        Arm(Rule.PROTECT, ()),
        Arm(Rule.PROTECT, (50_000,)),
    )
    assert [arm.protect for arm in study("--protect", "none").arms if arm.rule is Rule.PROTECT] == [()]


def test_an_arm_that_protects_nothing_says_so() -> None:
    assert [arm.name for arm in study("--arms", "protect,protect@5", "--protect", "none").arms] == [
        "protect none",
        "protect none @5",
    ]


def test_theory_may_take_so_many_steps_and_no_more() -> None:
    """10 substations of 1,000 kW are 10 million units of 1 W, at each load."""
    for loads in ("0.9", "0.9,1"):
        assert study("--sizes", "7.001:0.5,11:0.5", "--loads", loads).classes[0].watts == 7_001
    with pytest.raises(SystemExit):
        study("--sizes", "7.001:0.5,11:0.5", "--loads", "0.9,1", "--substations", "10000.001")


def test_an_arm_says_what_it_is() -> None:
    names = [arm.name for arm in study("--arms", "protect@100,polling@0.5,random", "--protect", "350,3.7").arms]

    assert names == ["protect 350,3.7 @100", "polling @0.5", "random"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--study", "nothing"], "--study"),
        (["--substations", "ten"], "--substations must be like 100,150 or 10x1000"),
        (["--substations", "10x50", "--substations", "5x50,5x50"], "--substations: something is given twice"),
        (["--sizes", "7"], "--sizes must be like 7:0.8,50:0.2"),
        (["--sizes", "1000.1:1"], "--sizes: not even the smallest fits"),
        (["--sizes", "50:1", "--substations", "50", "--substations", "49"], "--sizes: not even the smallest fits"),
        (["--sizes", "7.001:0.5,11:0.5"], "--sizes: their largest common unit is 1 W. The limits are 30,000,000 such"),
        (["--substations", "10000x10000"], "--sizes: their largest common unit is 1,000 W."),
        (["--stays", "short"], "--stays: invalid choice: 'short' (choose from exponential, constant, lognormal)"),
        (["--loads", "0"], "--loads must be like"),
        (["--loads", "0.9,1,0.90"], "--loads: something is given twice"),
        (["--arms", "random,random"], "--arms: something is given twice"),
        (["--arms", "polling@10,polling@1e1"], "--arms: something is given twice"),
        (["--arms", "worst-fit"], "--arms: there is no rule 'worst-fit'; there are least-loaded"),
        (["--arms", "polling"], "--arms: polling needs its arrivals per period, like polling@100"),
        (["--arms", "polling@often"], "--arms: 'polling@often' must end in arrivals per period"),
        (["--arms", "protect@0"], "--arms: 'protect@0' must end in arrivals per period"),
        (["--arms", "random@5"], "--arms: random has no period"),
        (["--protect", "22,50"], "--protect '22,50': Value error, must fall"),
        (["--protect", "50", "--protect", "50"], "--protect: something is given twice"),
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
    said = " ".join(capsys.readouterr().err.split())
    assert why.replace("'", "") in said.replace("'", "")  # argparse quotes choices in some Pythons


def test_the_validation_has_cells_of_its_own(tmp_path: Path) -> None:
    asked = parse(["--study", "validation", "--arrivals", "2000", "--seed", "3", "--out", str(tmp_path)], "about")

    assert (asked.study, asked.arrivals, asked.seed, asked.folder) == (None, 2_000, 3, tmp_path)
