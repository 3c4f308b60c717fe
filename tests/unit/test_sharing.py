"""A family's own page: only by its consent, for the days of its consent, and taken back when it ends."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from services.runtime.settings import Settings
from services.sharing import SharingProblem, share
from tests.report_city import City, build_city

TODAY = date(2026, 1, 31)
_LINE = (
    '{{"recorded_at": "2025-01-01T00:00:00Z", "household": "{home}", "action": "{action}", "purposes": ["{purpose}"], '
    '{more}"from": "{start}"}}\n'
)


def _agree(settings: Settings, home: str, purpose: str = "advice", start: str = "2024-01-01T00:00:00Z") -> None:
    _add(
        settings, _LINE.format(home=home, action="grant", purpose=purpose, more='"granularity": "daily", ', start=start)
    )


def _withdraw(settings: Settings, home: str, start: str) -> None:
    _add(settings, _LINE.format(home=home, action="withdraw", purpose="advice", more="", start=start))


def _add(settings: Settings, line: str) -> None:
    assert settings.consent_file is not None
    with settings.consent_file.open("a", encoding="utf-8") as file:
        file.write(line)


@pytest.fixture
async def city(tmp_path: Path) -> City:
    """Thirteen families; nobody has agreed to anything yet."""
    found = await build_city(tmp_path)
    consent = tmp_path / "consent.jsonl"
    consent.write_text("", "utf-8")
    found.settings = found.settings.model_copy(update={"consent_file": consent})
    return found


async def _shown(city: City) -> dict[str, dict[int, float]]:
    async with city.store() as store:
        rows = await store.select("family_day")
    shown: dict[str, dict[int, float]] = {}
    for row in rows:
        if row.fields["shared"]:
            shown.setdefault(row.tags["household"], {})[row.time_ns] = float(row.fields["energy_kwh"])
    return shown


async def test_only_who_agreed_to_advice_has_a_page(city: City) -> None:
    """Consent to the challenge, or to figures of the city, is none to this."""
    _agree(city.settings, "famille-castors-0")
    _agree(city.settings, "famille-castors-1", purpose="challenge")
    assert await share(city.settings, TODAY) == 1
    shown = await _shown(city)
    home = next(each for each in city.homes if each.id == "famille-castors-0")
    assert shown.keys() == {home.pseudonym}
    expected = [kwh for day, kwh in home.energy_kwh.items() if TODAY - timedelta(days=400) <= day < TODAY]
    assert list(shown[home.pseudonym].values()) == pytest.approx(expected)


async def test_days_before_the_consent_are_not_shown(city: City) -> None:
    """It agreed from the tenth of January on."""
    _agree(city.settings, "famille-castors-0", start="2026-01-10T00:00:00+01:00")
    assert await share(city.settings, TODAY) == 1
    (days,) = (await _shown(city)).values()
    assert len(days) == 21


async def test_what_is_withdrawn_is_taken_back_and_its_values_are_gone(city: City) -> None:
    """Not only hidden: nothing but zeros stands there after the next night."""
    _agree(city.settings, "famille-castors-0")
    await share(city.settings, TODAY)
    _withdraw(city.settings, "famille-castors-0", "2026-01-31T00:00:00Z")
    assert await share(city.settings, TODAY) == 0
    assert await _shown(city) == {}
    async with city.store() as store:
        assert {row.fields["energy_kwh"] for row in await store.select("family_day")} == {0.0}


async def test_without_a_consent_file_nobody_has_a_page(city: City) -> None:
    """Consent that is kept elsewhere cannot be asked: what was shared before is taken back too."""
    _agree(city.settings, "famille-castors-0")
    await share(city.settings, TODAY)
    assert await share(city.settings.model_copy(update={"consent_file": None}), TODAY) == 0
    assert await _shown(city) == {}


async def test_a_consent_file_that_cannot_be_read_shows_nobody_anew_and_says_so(city: City) -> None:
    """A slip of the pen ends the run with the line that is wrong."""
    _add(city.settings, "{\n")
    with pytest.raises(SharingProblem, match="line 1"):
        await share(city.settings, TODAY)
