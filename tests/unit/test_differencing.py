"""A slow reader tries every sum and difference of what is published of families and of the panel, and finds no few."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.kpis.app_evaluation import KPI as EVALUATION
from services.aggregator.kpis.disclosure import PUBLIC, publishable
from services.aggregator.kpis.energy_saving import KPI as SAVING
from services.aggregator.kpis.inputs import DayValue, Evaluation, Home, Inputs, Question, RegisterDays
from services.aggregator.kpis.results import Period, Result, Subject
from services.aggregator.kpis.seasons import years_before
from tests.kpi_cases import FACTORS

FAMILIES = Subject("programme", "familles", "Familles")
TEAMS = [Subject("team", each, each) for each in ("a", "b")]
APPLICATION = Subject("application", "tbm", "tbm")
MONTHS = [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)]
WINTER = Period(MONTHS[0], MONTHS[-1])
SPANS = [
    *(Period(first, last) for first, last in combinations(MONTHS, 2)),
    Period(date(2025, 11, 1), date(2025, 11, 16)),
    Period(date(2026, 1, 5), date(2026, 1, 12)),
    Period(date(2025, 11, 1), date(2026, 3, 31)),
]

# ---- the panel: answers are weights that no sum of others gives, so a sum tells whose it is ----

panels = st.dictionaries(
    st.tuples(st.integers(0, 13), st.sampled_from(MONTHS[:5]), st.sampled_from([1, 6, 20])),
    st.booleans(),
    min_size=20,
    max_size=160,
)


def _panel(truth: dict[tuple[int, date, int], bool]) -> tuple[Evaluation, ...]:
    said = [
        Evaluation(f"p_{member}", "tbm", month.replace(day=day), task_success=success, rating=5)
        for (member, month, day), success in truth.items()
    ]
    return tuple(sorted(said, key=lambda each: each.day))


def _told_attempts(said: tuple[Evaluation, ...], span: Period) -> frozenset[tuple[str, date]] | None:
    """The attempts in a figure that everybody may read, by member and day; `None` if there is none.

    Found from outside: an attempt is in it if the figure's account changes when the attempt was another one.
    """
    inputs = Inputs(FACTORS, evaluations=said)
    shown = {o.variant: publishable(o, PUBLIC) for o in EVALUATION.compute(inputs, Question(APPLICATION, span, None))}
    result = shown["task_success"]
    if not isinstance(result, Result):
        return None
    found = set()
    for number, each in enumerate(said):
        other = (*said[:number], each._replace(task_success=not each.task_success), *said[number + 1 :])
        again = EVALUATION.compute(Inputs(FACTORS, evaluations=other), Question(APPLICATION, span, None))
        (changed,) = [o for o in again if o.variant == "task_success"]
        if isinstance(changed, Result) and changed.value != result.value:
            found.add((each.member, each.day))
    return frozenset(found)


def _differences(cells: Sequence[frozenset[tuple[str, date]]]) -> set[frozenset[tuple[str, date]]]:
    """What is left of a whole when one, or two that have nothing in common, are taken from it."""
    found = set(cells)
    found |= {one - other for one in cells for other in cells if other < one}
    for one, other in combinations(cells, 2):
        if not one & other:
            found |= {whole - one - other for whole in cells if (one | other) < whole}
            found.add(one | other)
    return {each for each in found if each}


@given(truth=panels)
@settings(max_examples=12, deadline=None)
def test_no_difference_of_spans_is_of_fewer_than_ten_members(truth: dict[tuple[int, date, int], bool]) -> None:
    """Months, sums of months, a week, a half month, a day less: what two figures differ by has ten members, or none."""
    said = _panel(truth)
    told = {cell for span in SPANS if (cell := _told_attempts(said, span)) is not None}
    for group in _differences(sorted(told, key=len)):
        assert len({member for member, _ in group}) >= PUBLIC.members


def test_a_member_who_came_late_is_not_the_difference_of_a_month_and_a_quarter() -> None:
    """Eleven in January, one in February: the quarter tells the eleven, and January is the same figure."""
    january = [Evaluation(f"p_{n}", "tbm", date(2026, 1, 6), task_success=n % 2 == 0, rating=4) for n in range(11)]
    said = (*january, Evaluation("p_late", "tbm", date(2026, 2, 6), task_success=False, rating=1))
    inputs = Inputs(FACTORS, evaluations=said)
    month, both = (
        {o.variant: publishable(o, PUBLIC) for o in EVALUATION.compute(inputs, Question(APPLICATION, span, None))}
        for span in (Period(MONTHS[2], MONTHS[3]), Period(MONTHS[2], MONTHS[4]))
    )
    for variant in ("task_success", "csat"):
        one, other = month[variant], both[variant]
        assert isinstance(one, Result)
        assert isinstance(other, Result)
        assert (one.value, one.population, one.figures) == (other.value, other.population, other.figures)


# ---- families: any amount that everybody may read is a rounded one, of a whole winter ----

homes = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.floats(4, 40), st.integers(0, 4), st.integers(0, 31)),
    min_size=10,
    max_size=16,
)
"""Team, kWh a day, the first month that is missing days, and how many are missing."""


def _home(number: int, truth: tuple[str, float, int, int], years: int = 2) -> Home:
    team, kwh, month, missing = truth
    gap = {MONTHS[month] + timedelta(days=day) for day in range(missing)}
    days = {}
    for back in range(years):
        winter = years_before(WINTER, back)
        for offset in range(winter.days):
            day = winter.start + timedelta(days=offset)
            if back or day not in gap:
                days[day] = DayValue(kwh * (1 + back / 10), 1.0)
    register = RegisterDays(f"m_{number}", "electricity", "import_energy", "total", "kWh", days)
    return Home(f"h_{number:016x}", team, (register,))


def _told(found: Sequence[Home], span: Period, subject: Subject) -> list[Result]:
    inputs = Inputs(FACTORS, homes=tuple(found))
    outcomes = SAVING.compute(inputs, Question(subject, span, years_before(span)))
    return [each for o in outcomes if isinstance(each := publishable(o, PUBLIC), Result)]


@given(truth=homes)
@settings(max_examples=15, deadline=None)
def test_no_amount_of_a_span_can_be_taken_from_another(truth: list[tuple[str, float, int, int]]) -> None:
    """Months, partial and whole winters, teams, the programme: one amount in all, the winter's, and no team has one."""
    found = [_home(number, each) for number, each in enumerate(truth)]
    for span in SPANS:
        for subject in (FAMILIES, *TEAMS):
            for result in _told(found, span, subject):
                if subject != FAMILIES or span != WINTER:
                    assert (result.baseline, result.reported, result.change_percent) == (None, None, None)
                    assert not result.series
                else:
                    assert result.population >= PUBLIC.homes_for_amounts


@given(truth=homes)
@settings(max_examples=25, deadline=None)
def test_who_joins_or_leaves_is_not_the_difference_of_two_reports(truth: list[tuple[str, float, int, int]]) -> None:
    """Amounts of a winter are told in steps of more than any family has in them, so is each day of the curves.

    So two reports, one before and one after a family left, differ by whole steps: by nothing, or by more than it used.
    """
    found = [_home(number, each) for number, each in enumerate(truth)]
    for result in _told(found, WINTER, FAMILIES):
        if result.baseline is None or result.reported is None:
            continue
        used = [
            1.1 * sum(v.value for d, v in h.registers[0].days.items() if d >= MONTHS[0]) for h in found if _counts(h)
        ]
        step = next(f * 10.0**p for p in range(9) for f in (1, 2, 5) if f * 10.0**p >= max(used))
        assert result.baseline.value % step == result.reported.value % step == 0
        for name, curve in result.series.items():
            if name.endswith("_kwh_per_home"):
                most = max(max(v.value for v in h.registers[0].days.values()) for h in found if _counts(h))
                values = sorted(set(curve.values()))
                steps = [b - a for a, b in pairwise(values)]
                assert all(each >= most / 1.1 / len(used) - 1e-9 for each in steps)


def _counts(home: Home) -> bool:
    """Nine tenths of the days are measured."""
    return sum(day >= WINTER.start for day in home.registers[0].days) >= 0.9 * WINTER.days
