"""A family's own page is of itself and by consent alone; a captain's page tells of the team and of nobody in it."""

import re
import stat
from datetime import date
from pathlib import Path

import pytest

from services.aggregator.kpis.results import Period
from services.ownpages import make_family_page, make_team_page
from services.reporting import ReportProblem
from services.runtime.settings import Settings
from tests.report_city import END, START, City, build_city

HOME = "famille-castors-0"
ASKED = Period(START, END)
_LINE = (
    '{{"recorded_at": "2024-01-01T00:00:00Z", "household": "{home}", "action": "{action}", '
    '"purposes": ["{purpose}"], {more}"from": "{start}"}}\n'
)


def agree(settings: Settings, home: str, purpose: str, start: str = "2024-01-01T00:00:00Z") -> None:
    """Write a consent down."""
    _line(settings, home=home, action="grant", purpose=purpose, more='"granularity": "daily", ', start=start)


def _line(settings: Settings, **words: str) -> None:
    assert settings.consent_file is not None
    with settings.consent_file.open("a", encoding="utf-8") as file:
        file.write(_LINE.format(**words))


@pytest.fixture
async def city(tmp_path: Path) -> City:
    """Thirteen families in three teams; nobody has agreed to anything yet."""
    found = await build_city(tmp_path)
    consent = tmp_path / "consent.jsonl"
    consent.write_text("", "utf-8")
    found.settings = found.settings.model_copy(update={"consent_file": consent})
    return found


def readable(page: str) -> str:
    """The words of a page, without drawings and style."""
    return re.sub(r"<(style|svg).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).replace("\u202f", " ")


@pytest.mark.parametrize("purpose", ["challenge", "city"])
async def test_a_page_without_consent_to_advice_is_refused(city: City, purpose: str) -> None:
    """Another purpose is none to this; nothing is written, and the text names no household."""
    agree(city.settings, HOME, purpose)
    with pytest.raises(ReportProblem, match="has not agreed to advice") as refusal:
        await make_family_page(city.settings, HOME, ASKED, "fr", city.folder / "own")
    assert HOME not in str(refusal.value)
    assert not (city.folder / "own").exists()


async def test_a_page_after_the_withdrawal_is_refused(city: City) -> None:
    """As easy to withdraw as to give."""
    agree(city.settings, HOME, "advice")
    _line(city.settings, home=HOME, action="withdraw", purpose="advice", more="", start="2026-02-01T00:00:00Z")
    with pytest.raises(ReportProblem, match="has not agreed to advice"):
        await make_family_page(city.settings, HOME, ASKED, "fr", city.folder / "own")


async def test_without_a_consent_file_nobody_has_a_page(city: City) -> None:
    """Consent that is kept elsewhere cannot be asked."""
    with pytest.raises(ReportProblem, match="consent_file is not set"):
        await make_family_page(
            city.settings.model_copy(update={"consent_file": None}), HOME, ASKED, "fr", city.folder / "own"
        )


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_family_sees_its_own_saving_worked_out_slowly(city: City, language: str) -> None:
    """Its kWh of both winters, and the percentage, from what was written of this family; the file is its owner's."""
    agree(city.settings, HOME, "advice")
    own = next(each for each in city.homes if each.id == HOME)
    before = now = 0.0
    for day, kwh in own.energy_kwh.items():
        if day < START:
            before += kwh
        else:
            now += kwh
    path = await make_family_page(city.settings, HOME, ASKED, "fr" if language == "fr" else "en", city.folder / "own")
    text = readable(path.read_text("utf-8"))
    raw = f"{100 * (1 - now / before):.1f}"
    assert (raw.replace(".", ",") if language == "fr" else raw) in text
    both = [f"{each:,.0f}".replace(",", " " if language == "fr" else ",") for each in (before, now)]
    assert all(each in text for each in both)
    assert HOME in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert HOME not in path.name


async def test_a_family_page_does_not_change_with_what_others_used(city: City, tmp_path: Path) -> None:
    """Whatever the rest of the city did, the page is the same, byte for byte: nothing of it is in there."""
    agree(city.settings, HOME, "advice")
    path = await make_family_page(city.settings, HOME, ASKED, "en", city.folder / "own")
    first = path.read_bytes()
    own = next(each for each in city.homes if each.id == HOME)
    async with city.store() as store:
        others = [
            point._replace(fields=tuple((n, 9999.0 if n == "energy_kwh" else v) for n, v in point.fields))
            for point in city.points
            if point.measurement == "energy" and dict(point.tags)["household"] != own.pseudonym
        ]
        assert await store.write(others) == []
    again = await make_family_page(city.settings, HOME, ASKED, "en", tmp_path / "again")
    assert again.read_bytes() == first
    for each in city.homes:
        if each.id != HOME:
            assert each.id.encode() not in first
            assert each.pseudonym.encode() not in first


async def test_days_before_the_consent_are_not_counted(city: City) -> None:
    """It agreed in January alone: too few days of the two winters, and the page says so."""
    agree(city.settings, HOME, "advice", start="2026-01-10T00:00:00+01:00")
    path = await make_family_page(city.settings, HOME, ASKED, "en", city.folder / "own")
    text = readable(path.read_text("utf-8"))
    assert "There is no figure to tell yet" in text
    assert "kWh" not in text


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_captain_sees_percentages_of_the_team_and_no_family(city: City, language: str) -> None:
    """Who agreed to the challenge counts; no name, no pseudonym, no amount in kWh."""
    for each in city.homes:
        agree(city.settings, each.id, "challenge")
    path = await make_team_page(city.settings, "castors", ASKED, "fr" if language == "fr" else "en", city.folder)
    page = path.read_text("utf-8")
    text = readable(page)
    assert "6 / 6" in text
    assert ("sur 2 équipes classées" if language == "fr" else "of 2 ranked teams") in text
    assert "kWh" not in text.replace("les kWh d’une équipe", "").replace("amounts in kWh", "")
    for home in city.homes:
        assert home.id not in page
        assert home.pseudonym not in page


async def test_a_team_of_which_four_agreed_has_no_figure(city: City) -> None:
    """Five families are needed, of those who agreed to the challenge."""
    for each in [home for home in city.homes if home.team == "hirondelles"][:4]:
        agree(city.settings, each.id, "challenge")
    path = await make_team_page(city.settings, "hirondelles", ASKED, "en", city.folder)
    text = readable(path.read_text("utf-8"))
    assert "There is no figure to tell yet" in text
    assert "Too few families" in text


async def test_a_team_that_does_not_exist_is_said(city: City) -> None:
    """With those that there are."""
    with pytest.raises(ReportProblem, match="there is no team 'loutres'; there are: castors, hirondelles, duo"):
        await make_team_page(city.settings, "loutres", ASKED, "en", city.folder)


def test_the_days_of_this_city_are_a_winter() -> None:
    """What the tests above ask for is compared with the same days a year before."""
    assert (ASKED.start, ASKED.end) == (date(2025, 11, 1), date(2026, 1, 31))
