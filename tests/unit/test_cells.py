"""No sum that is told, and no difference of two of them, is of fewer than five vehicles."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.kpis.cells import shown_days, split_days, told_days
from services.aggregator.kpis.disclosure import publishable
from services.aggregator.kpis.inputs import ExposedDay, HazardDay, Inputs, JunctionDays, Question
from services.aggregator.kpis.junction_passages import KPI as PASSAGES
from services.aggregator.kpis.measures import junctions_of
from services.aggregator.kpis.plan import parse_plan
from services.aggregator.kpis.results import Period, Result, Subject
from services.aggregator.kpis.service_before_after import KPI as BEFORE_AFTER
from services.aggregator.kpis.service_with_without import KPI as WITH_WITHOUT
from tests.kpi_cases import FACTORS

FIRST = date(2026, 3, 2)
NAMES = ("33:1", "33:2", "33:3", "33:4")
LEAST = 5
PLAN = parse_plan(
    'edition = "1"\n'
    '[[corridors]]\nid = "a"\nname = "A"\njunctions = ["33:1", "33:2"]\n'
    '[[corridors]]\nid = "b"\nname = "B"\njunctions = ["33:2", "33:3", "33:4"]\n'
    '[with_service]\nname = {en = "B", fr = "B"}\nstations = ["bus"]\nsource = "x"\n'
    '[without_service]\nname = {en = "C", fr = "C"}\nstations = ["car"]\nsource = "x"\n'
)
SUBJECTS = (
    Subject("programme", "compass4d", "Compass4D"),
    *(Subject("corridor", each, each) for each in ("a", "b")),
    *(Subject("junction", each, each) for each in NAMES),
)
Truth = dict[tuple[str, int, str], int]
"""Vehicles by junction, day and kind; each passes twice."""

towns = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 3), st.sampled_from(["car", "bus", "truck"])),
    st.integers(1, 12),
    min_size=1,
)


def mobility(truth: Truth) -> tuple[JunctionDays, ...]:
    """The sums of days that these vehicles make: delays that tell the number of passages."""
    rows: dict[tuple[str, str], dict[date, dict[str, float]]] = {}
    for (junction, day, group), vehicles in truth.items():
        rows.setdefault((junction, group), {})[FIRST + timedelta(days=day)] = {
            "passages": 2.0 * vehicles,
            "delay_s": 20.0 * vehicles,
            "delay_known": 2.0 * vehicles,
            "heard": float(vehicles),
            "at_once": 1.0,
        }
    return tuple(JunctionDays(junction, "passage", group, "none", days) for (junction, group), days in rows.items())


def told_passages(inputs: Inputs) -> dict[tuple[str, int, int], float]:
    """The number of passages behind every delay that is told, of every place and every period."""
    found = {}
    for first, last in combinations(range(5), 2):
        period = Period(FIRST + timedelta(days=first), FIRST + timedelta(days=last))
        for subject in SUBJECTS:
            for outcome in map(publishable, PASSAGES.compute(inputs, Question(subject, period, None))):
                if isinstance(outcome, Result) and outcome.variant == "delay":
                    found[subject.id, first, last] = outcome.figures["delay_s"] / 10
    return found


@given(truth=towns)
@settings(max_examples=60, deadline=None)
def test_no_difference_of_two_sums_is_of_a_few(truth: Truth) -> None:
    """Over junctions, corridors, all, and any two periods: a part taken from a whole leaves nothing, or five or more.

    What is told is the sum of whole days of junctions, each of five vehicles or more; here each of them passes twice.
    """
    told = told_passages(Inputs(FACTORS, mobility=mobility(truth), plan=PLAN))
    by_day: dict[tuple[str, int], int] = {}
    for (junction, day, _), vehicles in truth.items():
        by_day[junction, day] = by_day.get((junction, day), 0) + vehicles
    for (subject, first, last), passages in told.items():
        names = _names(subject)
        told_days_ = [vehicles for (name, day), vehicles in by_day.items() if name in names and first <= day < last]
        assert passages == 2 * sum(each for each in told_days_ if each >= LEAST)
    for (one, first, last), passages in told.items():
        for (other, low, high), less in told.items():
            if first <= low and high <= last and set(_names(other)) <= set(_names(one)):
                assert passages == less or passages - less >= 2 * LEAST


def _names(subject: str) -> tuple[str, ...]:
    return {"a": NAMES[:2], "b": NAMES[1:], "compass4d": NAMES}.get(subject, (subject,))


@given(truth=towns)
@settings(max_examples=60, deadline=None)
def test_the_rest_beside_two_classes_is_nobody_or_five(truth: Truth) -> None:
    """Total less with less without: trucks, of which there are none on a day that is compared, or five."""
    days = mobility(truth)
    for name in NAMES:
        for day in split_days(days, name, lambda group, _: group == "car", lambda group, _: group == "bus"):
            counts = {group: truth.get((name, (day - FIRST).days, group), 0) for group in ("car", "bus", "truck")}
            assert min(counts["car"], counts["bus"]) >= LEAST
            assert counts["truck"] == 0 or counts["truck"] >= LEAST


@given(truth=towns)
@settings(max_examples=40, deadline=None)
def test_a_comparison_tells_five_of_each_class(truth: Truth) -> None:
    """The counts that stand beside a difference."""
    inputs = Inputs(FACTORS, mobility=mobility(truth), plan=PLAN)
    period = Period(FIRST, FIRST + timedelta(days=5))
    for subject in SUBJECTS:
        for outcome in WITH_WITHOUT.compute(inputs, Question(subject, period, None)):
            if isinstance(outcome, Result):
                assert min(outcome.figures["counted_with"], outcome.figures["counted_without"]) >= 2 * LEAST


def junction_days(**sums: float) -> tuple[JunctionDays, ...]:
    """One day of one group."""
    return (JunctionDays("33:1", "passage", "bus", "none", {FIRST: sums}),)


@pytest.mark.parametrize(("passages", "heard", "shown"), [(40, 4, 0), (4, 40, 0), (5, 5, 1)])
def test_vehicles_count_and_not_passages(passages: int, heard: int, shown: int) -> None:
    """Forty passages of four buses are four vehicles."""
    days = junction_days(passages=float(passages), heard=float(heard))
    assert len(shown_days(days, "33:1", "passage")) == shown


def test_a_class_by_advice_is_counted_by_its_busiest_quarter_of_an_hour() -> None:
    """The bits of a class are of those with and without advice: half of them may be nobody."""
    sums = {"passages": 50.0, "heard": 40.0}
    rows = (
        JunctionDays("33:1", "passage", "car", "received", {FIRST: sums | {"at_once": 4.0}}),
        JunctionDays("33:1", "passage", "car", "none", {FIRST: sums | {"at_once": 9.0}}),
    )
    assert shown_days(rows, "33:1", "passage")
    assert not split_days(rows, "33:1", lambda _, advice: advice == "received", lambda _, advice: advice == "none")


def test_a_day_without_any_request_is_told_as_such() -> None:
    """Where the junction was heard; a day with requests of two vehicles is left out."""
    requests = JunctionDays("33:1", "priority", "6", "none", {FIRST: {"requests": 9.0, "heard": 2.0}})
    seen = JunctionDays("33:1", "signal", "all", "none", {FIRST + timedelta(days=each): {} for each in range(3)})
    assert told_days((requests, seen), "33:1", "priority") == {FIRST + timedelta(days=each): {} for each in (1, 2)}


def exposed(values: Iterable[int]) -> tuple[ExposedDay, ...]:
    """Days on which so many vehicles met a warning."""
    names = [f"{who}_{what}" for who in ("aware", "unaware") for what in ("far", "near", "far_mps", "near_mps")]
    zeros = dict.fromkeys(names, 0.0) | {"unaware_vehicles": 0.0}
    return tuple(
        ExposedDay("33:1", FIRST + timedelta(days=number), zeros | {"aware_vehicles": float(value)})
        for number, value in enumerate(values)
    )


HAZARD_PLAN = parse_plan(
    'edition = "1"\n'
    '[[corridors]]\nid = "a"\nname = "A"\njunctions = ["33:1", "33:2"]\n'
    '[[periods]]\nservice = "off"\nfirst = 2026-03-02\nlast = 2026-03-03\nsource = "x"\n'
    '[[periods]]\nservice = "on"\nfirst = 2026-03-04\nlast = 2026-03-05\nsource = "x"\n'
)
passers = st.dictionaries(
    st.tuples(st.sampled_from(NAMES[:3]), st.integers(0, 3)),
    st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 7)),
    min_size=1,
)


def near_hazards(truth: dict[tuple[str, int], tuple[int, int, int]]) -> Inputs:
    """Warned and unwarned vehicles and hazards of each junction and day."""
    bands = {f"{who}_{band}": 10.0 for who in ("aware", "unaware") for band in ("far", "near", "far_mps", "near_mps")}
    heard = {FIRST + timedelta(days=each): {"messages": 1.0} for each in range(4)}
    return Inputs(
        FACTORS,
        mobility=tuple(JunctionDays(name, "signal", "all", "none", heard) for name in NAMES[:3]),
        exposed=tuple(
            ExposedDay(name, FIRST + timedelta(days=day), bands | {"aware_vehicles": a, "unaware_vehicles": u})
            for (name, day), (a, u, _) in truth.items()
        ),
        hazards=tuple(
            HazardDay(name, FIRST + timedelta(days=day), {"hazards": float(count)})
            for (name, day), (_, _, count) in truth.items()
        ),
        plan=HAZARD_PLAN,
    )


@given(truth=passers)
@settings(max_examples=80, deadline=None)
def test_no_comparison_of_hazards_is_of_a_few(truth: dict[tuple[str, int], tuple[int, int, int]]) -> None:
    """Each group that is told, and what a whole leaves when a part is taken from it, is nobody, or five or more."""
    inputs, period = near_hazards(truth), Period(FIRST, FIRST + timedelta(days=5))
    told: dict[tuple[str, str, str], float] = {}
    for subject in (SUBJECTS[0], SUBJECTS[1], *SUBJECTS[3:6]):
        for kpi in (BEFORE_AFTER, WITH_WITHOUT):
            for outcome in kpi.compute(inputs, Question(subject, period, None)):
                if isinstance(outcome, Result):
                    for side in ("counted_without", "counted_with"):
                        told[outcome.variant, side, subject.id] = outcome.figures[side]
    for (variant, side, subject_id), count in told.items():
        assert count == 0 or count >= LEAST
        for part in NAMES[:2] if subject_id == "a" else (*NAMES[:3], "a") if subject_id == "compass4d" else ():
            rest = count - told.get((variant, side, part), 0.0)
            assert rest <= 0 or rest >= LEAST


def test_a_corridor_is_its_junctions_in_their_order() -> None:
    """And a subject that the plan does not know is nothing."""
    inputs = Inputs(FACTORS, plan=PLAN, exposed=exposed([7]))
    assert junctions_of(inputs, Subject("corridor", "b", "B")) == ["33:2", "33:3", "33:4"]
    assert junctions_of(inputs, Subject("corridor", "c", "C")) == []
