"""Figures count whom agreed to their purpose, on the days of the agreement; nobody else, no other day."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.kpis.inputs import DayValue, Home, RegisterDays
from services.consented import agreed_homes
from services.forgetting import tell_again
from services.ingest.consent import PURPOSES, Book, Change, Purpose
from services.ingest.consentfile import append_change
from services.reporting import ReportProblem, make_report
from services.runtime.settings import Settings
from tests.cases import KEYS
from tests.report_city import BASELINE, END, START, City, build_city

ZONE = ZoneInfo("Europe/Paris")
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def _change(
    household: str, action: Literal["grant", "withdraw"], *purposes: Purpose, start: datetime = LONG_AGO
) -> Change:
    fine = {"granularity": "daily"} if action == "grant" else {}
    said = {"recorded_at": LONG_AGO, "household": household, "action": action, "purposes": purposes, "from": start}
    return Change.model_validate(said | fine)


@pytest.fixture
async def city(tmp_path: Path) -> City:
    """Thirteen families in three teams, who agreed to the challenge and to figures of the city."""
    found = await build_city(tmp_path)
    found.settings = found.settings.model_copy(update={"consent_file": tmp_path / "consent.jsonl"})
    for home in found.homes:
        _say(found.settings, _change(home.id, "grant", "challenge", "city"))
    return found


def _say(settings: Settings, change: Change) -> None:
    assert settings.consent_file is not None
    append_change(settings.consent_file, change)


async def _population(city: City, end: date = END) -> dict[str, int]:
    """Families that count, by subject; nothing for a figure that is withheld."""
    path = await _report(city, end)
    entries: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["entries"]
    return {
        each["subject"]["id"]: each["population"]
        for each in entries
        if (each["kpi"], each["variant"], each["status"]) == ("energy_saving", "raw", "assessed")
    }


async def _report(city: City, end: date = END) -> Path:
    (path,) = await make_report(
        city.settings,
        start=START,
        end=end,
        baseline_start=BASELINE[0],
        baseline_end=date(end.year - 1, end.month, end.day),
        language="en",
        formats=("json",),
        folder=city.folder / "report",
        wanted=("familles",),
        audience="members",
    )
    return path


async def test_a_team_counts_who_agreed_to_the_challenge_and_the_programme_who_agreed_to_the_city(city: City) -> None:
    """Consent is separate for each purpose (meters.md 6): to one is none to the other."""
    assert await _population(city) == {"familles": 13, "castors": 6, "hirondelles": 5}
    _say(city.settings, _change("famille-castors-0", "withdraw", "challenge"))
    _say(city.settings, _change("famille-duo-0", "withdraw", "city"))
    assert await _population(city) == {"familles": 12, "castors": 5, "hirondelles": 5}
    _say(city.settings, _change("famille-castors-1", "withdraw", "challenge"))
    assert await _population(city) == {"familles": 12, "hirondelles": 5}


async def test_a_withdrawal_changes_what_comes_after_it_and_not_what_was_before(city: City) -> None:
    """The report of the first weeks stays; one that reaches beyond loses the family once its days are too few."""
    half = START + timedelta(days=45)
    at = datetime(half.year, half.month, half.day, tzinfo=ZONE)
    _say(city.settings, _change("famille-castors-0", "withdraw", "challenge", "city", start=at))
    assert await _population(city, half) == {"familles": 13, "castors": 6, "hirondelles": 5}
    assert await _population(city) == {"familles": 12, "castors": 5, "hirondelles": 5}


async def test_without_a_consent_file_everybody_counts(city: City) -> None:
    """As before: such a site has its agreements elsewhere."""
    city.settings = city.settings.model_copy(update={"consent_file": None})
    assert await _population(city) == {"familles": 13, "castors": 6, "hirondelles": 5}


async def test_a_consent_file_that_is_wrong_makes_no_report(city: City) -> None:
    """Rather none than one that counts whom it must not."""
    assert city.settings.consent_file is not None
    city.settings.consent_file.write_text("{", "utf-8")
    with pytest.raises(ReportProblem, match="line 1"):
        await _report(city)


async def test_figures_are_told_again_without_who_is_forgotten(city: City) -> None:
    """What the store held of the team and the programme is deleted first: no number of before stays beside it."""
    await _report(city)
    gone = city.homes[0]
    before = await _stored(city)
    async with city.store() as store:
        await store.forget({"household": gone.pseudonym})
    periods = await tell_again(city.settings, {"castors", "familles"}, set())
    assert [(each.start, each.end) for each in periods] == [(START, END)]
    after = await _stored(city)
    assert before.keys() == after.keys()
    changed = {
        subject for subject, kpi in before if kpi == "energy_saving.raw" and before[subject, kpi] != after[subject, kpi]
    }
    assert changed == {"castors", "familles"}
    now = sum(kwh for home in city.homes[1:6] for day, kwh in home.energy_kwh.items() if START <= day < END)
    then = sum(kwh for home in city.homes[1:6] for day, kwh in home.energy_kwh.items() if day < START)
    assert after["castors", "energy_saving.raw"]["value"] == pytest.approx(100 * (1 - now / then))


async def _stored(city: City) -> dict[tuple[str, str], dict[str, Any]]:
    async with city.store() as store:
        return {(row.tags["subject"], row.tags["kpi"]): dict(row.fields) for row in await store.select("kpi")}


_DAYS = [date(2025, 11, 1) + timedelta(days=number) for number in range(12)]
_INSTANTS = st.integers(-2, 26).map(lambda half: datetime(2025, 11, 1, tzinfo=ZONE) + timedelta(hours=12 * half))
_CHANGES = st.tuples(st.sampled_from(["grant", "withdraw"]), st.sampled_from(PURPOSES), _INSTANTS, st.booleans())


@given(changes=st.lists(_CHANGES, max_size=6), purpose=st.sampled_from(PURPOSES))
def test_a_day_counts_if_its_first_and_its_last_instant_were_agreed(
    changes: list[tuple[Literal["grant", "withdraw"], Purpose, datetime, bool]], purpose: Purpose
) -> None:
    """Against a slow way: hour by hour, the last change that holds the hour speaks."""
    lines = [
        _change("home", action, its, start=start).model_copy(
            update={"until": start + timedelta(days=3) if ends else None}
        )
        for action, its, start, ends in changes
    ]
    values = {day: DayValue(1.0, 1.0) for day in _DAYS}
    register = RegisterDays("m", "electricity", "import_energy", "total", "kWh", values)
    home = Home(KEYS.pseudonym("household", "home"), "team", (register,))
    (agreed,) = agreed_homes([home], Book(lines, KEYS.pseudonym), purpose, ZONE)
    left = {day for each in agreed.registers for day in each.days}

    def agreed_at(at: datetime) -> bool:
        said = [c for c in lines if purpose in c.purposes and c.start <= at and (c.until is None or at < c.until)]
        return bool(said) and said[-1].action == "grant"

    midnights = {day: datetime(day.year, day.month, day.day, tzinfo=ZONE) for day in _DAYS}
    ends = {day for day, at in midnights.items() if agreed_at(at) and agreed_at(at + timedelta(hours=23, minutes=59))}
    assert left == ends
