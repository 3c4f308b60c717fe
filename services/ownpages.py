"""`garonne family-page` and `garonne team-page`: what a family sees of itself, and a captain of the team.

A family's page needs its consent to `advice`, now and on each day that is shown: without, it is refused. A team's page
counts who agreed to the challenge and passes the gate for members. Both are files that the operator hands over.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import typer

from services.terminal import ConfigurationFile, fail, load_settings

if TYPE_CHECKING:
    from services.aggregator.kpis.inputs import Home, Inputs
    from services.aggregator.kpis.results import Outcome, Period, Subject
    from services.aggregator.report.own import Page
    from services.ingest.consent import Book
    from services.runtime.registry import Household, Registry
    from services.runtime.settings import Settings

__all__ = ["family_page", "make_family_page", "make_team_page", "team_page"]

Lang = Literal["fr", "en"]
_OURS_ALONE: Final = 0o600
_TEAM: Final = ("energy_saving", "co2_saving", "water_saving")
_RANKED_COVERAGE: Final = 0.9
_RANKED_PARTICIPATION: Final = 0.75
_PERIOD_HELP: Final = "First and last day, `2025-11-01..2026-03-31`; the newest winter from November to March."


class _Asked(NamedTuple):
    settings: "Settings"
    period: "Period"
    baseline: "Period"
    language: Lang


async def make_family_page(settings: "Settings", household: str, asked: "Period", language: Lang, folder: Path) -> Path:
    """Write the page of one household; the file is for its operator alone until it is handed over.

    Args:
        settings: where store, registry, key and consent are.
        household: as the registry names it.
        asked: local days; compared with the same days a year earlier.
        language: of the page.
        folder: where it goes.

    Raises:
        ReportProblem: no such household, no consent to advice, or something cannot be read.
    """
    from services.aggregator.kpis.energy_saving.homes import assess, assess_water
    from services.aggregator.kpis.seasons import paired_days, years_before
    from services.aggregator.report.own import FamilySaid, family_view
    from services.aggregator.report.page import own_page
    from services.aggregator.report.texts import words
    from services.consented import agreed_homes

    about = _Asked(settings, asked, years_before(asked), language)
    registry, book = _registered(settings)
    home = next((each for each in registry.households if each.id == household), None)
    pseudonym = _agreeing(settings, home, book)
    inputs = await _read(about, [each for each in registry.households if each.id == household])
    (own,) = agreed_homes(inputs.homes, book, "advice", ZoneInfo(settings.timezone))
    pairs = paired_days(asked, about.baseline)
    teams = {each.id: each.name for each in registry.teams}
    said = FamilySaid(
        name=household,
        team=teams.get(own.team or ""),
        energy=assess(own, pairs, inputs.factors, inputs.degree_days),
        water=assess_water(own, pairs),
        factor_set=inputs.factors.id,
    )
    text = own_page(family_view(said, _page(about), words(language)))
    return _write(folder / f"garonne-{pseudonym}-{asked.start}-{asked.last}-{language}.html", text)


async def make_team_page(settings: "Settings", team: str, asked: "Period", language: Lang, folder: Path) -> Path:
    """Write the page of one team, for its captain and its members.

    Raises:
        ReportProblem: no such team, or something cannot be read.
    """
    from services.aggregator.kpis.results import Subject
    from services.aggregator.kpis.seasons import years_before
    from services.aggregator.report.own import TeamSaid, team_view
    from services.aggregator.report.page import own_page
    from services.aggregator.report.texts import words
    from services.consented import agreed_homes
    from services.reporting import ReportProblem

    about = _Asked(settings, asked, years_before(asked), language)
    registry, book = _registered(settings)
    names = {each.id: each.name for each in registry.teams}
    if team not in names:
        raise ReportProblem(f"there is no team {team!r}; there are: {', '.join(names) or 'none'}")
    inputs = await _read(about, [each for each in registry.households if each.team is not None])
    homes = agreed_homes(inputs.homes, book, "challenge", ZoneInfo(settings.timezone))
    answers = {
        each: _answers(inputs, homes, Subject("team", each, name), (asked, about.baseline))
        for each, name in names.items()
    }
    places = _places(answers)
    said = TeamSaid(names[team], answers[team], places.get(team), len(places))
    text = own_page(team_view(said, _page(about), words(language)))
    return _write(folder / f"garonne-team-{_plain(team)}-{asked.start}-{asked.last}-{language}.html", text)


def _registered(settings: "Settings") -> "tuple[Registry, Book | None]":
    from services.consented import agreement
    from services.ingest.consentfile import ConsentProblem
    from services.ingest.pseudonyms import KeyProblem
    from services.reporting import ReportProblem
    from services.runtime.registry import RegistryProblem, read_registry

    try:
        registry = read_registry(settings.households_file)
        return registry, agreement(settings, registry)
    except (ConsentProblem, KeyProblem, RegistryProblem) as problem:
        raise ReportProblem(str(problem)) from problem


def _agreeing(settings: "Settings", home: "Household | None", book: "Book | None") -> str:
    """The pseudonym of a household that agrees to advice now.

    Raises:
        ReportProblem: it does not, or nobody keeps consent, or it is not registered.
    """
    from services.ingest.assembly import keys_of
    from services.reporting import ReportProblem

    if home is None:
        raise ReportProblem("no household of this name is in the households_file")
    if book is None:
        raise ReportProblem("consent_file is not set: nobody has agreed to a page of their own (`garonne consent`)")
    pseudonym = keys_of(settings).pseudonym("household", home.id)
    if not book.agreed(pseudonym, "advice", datetime.now(UTC)):
        raise ReportProblem(
            "this household has not agreed to advice, so there is no page of it; "
            "write its consent down first: garonne consent grant --help"
        )
    return pseudonym


async def _read(about: _Asked, households: Iterable["Household"]) -> "Inputs":
    """Homes and degree days of both winters; without a team too."""
    from services.aggregator.kpis.factors import parse_factors
    from services.aggregator.kpis.inputs import Inputs
    from services.aggregator.ports import Unavailable
    from services.aggregator.series import Family, read_homes, read_weather
    from services.ingest.assembly import keys_of
    from services.reporting import ReportProblem
    from services.running import open_store
    from services.runtime.settings import ConfigurationProblem

    zone, keys = ZoneInfo(about.settings.timezone), keys_of(about.settings)
    families = {
        keys.pseudonym("household", each.id): Family(
            each.team, each.heat_share, frozenset(keys.pseudonym("meter", device) for device in each.sub_meters)
        )
        for each in households
    }
    periods = [about.baseline, about.period]
    try:
        async with open_store(about.settings) as store:
            homes = await read_homes(store, zone, periods, families)
            weather = await read_weather(store, zone, periods)
    except (Unavailable, ConfigurationProblem) as problem:
        raise ReportProblem(str(problem)) from problem
    text = files("services.aggregator.kpis").joinpath("factors.toml").read_text("utf-8")
    return Inputs(factors=parse_factors(text), homes=homes, degree_days=weather.degree_days, station=weather.station)


def _answers(
    inputs: "Inputs", homes: "tuple[Home, ...]", subject: "Subject", periods: "tuple[Period, Period]"
) -> "dict[str, Outcome]":
    """What the gate for members lets out of a team, by indicator and variant."""
    from dataclasses import replace

    from services.aggregator.kpis import discover
    from services.aggregator.kpis.disclosure import publishable
    from services.aggregator.kpis.inputs import Question

    agreed = replace(inputs, homes=homes)
    question = Question(subject, *periods)
    return {
        f"{name}.{outcome.variant}": publishable(outcome)
        for name in _TEAM
        for outcome in discover()[name].compute(agreed, question)
    }


def _places(answers: "Mapping[str, Mapping[str, Outcome]]") -> dict[str, int]:
    """Places by saving, of the teams with enough days and families; in the same weather where all have it."""
    from services.aggregator.kpis.results import Result

    for variant in ("energy_saving.degree_days", "energy_saving.raw"):
        found = {
            team: each
            for team, its in answers.items()
            if isinstance(each := its[variant], Result)
            and each.coverage >= _RANKED_COVERAGE
            and each.population >= _RANKED_PARTICIPATION * (each.enrolled or 1)
        }
        if found:
            ordered = sorted(found, key=lambda team: (-found[team].value, team))
            return {team: place for place, team in enumerate(ordered, 1)}
    return {}


def _page(about: _Asked) -> "Page":
    from services.aggregator.report.own import Page

    today = datetime.now(UTC).astimezone(ZoneInfo(about.settings.timezone)).date()
    return Page(about.period, about.baseline, about.language, about.settings.timezone, today)


def _plain(name: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in name)


def _write(path: Path, text: str) -> Path:
    """A file that only its owner reads."""
    from services.reporting import ReportProblem

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OURS_ALONE), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ReportProblem(f"{path}: {error.strerror or error}") from error
    return path


def family_page(
    household: Annotated[str, typer.Argument(help="As the registry names it.")],
    config: ConfigurationFile = None,
    period: Annotated[str | None, typer.Option(help=_PERIOD_HELP)] = None,
    lang: Annotated[str, typer.Option(help="`fr` or `en`.")] = "fr",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the file.")] = Path("report"),
) -> None:
    """Make a family's own page: its curve and its saving, no other's. Refused unless it agreed to advice."""
    _make(make_family_page, household, config, (period, lang, output))


def team_page(
    team: Annotated[str, typer.Argument(help="As the registry names it.")],
    config: ConfigurationFile = None,
    period: Annotated[str | None, typer.Option(help=_PERIOD_HELP)] = None,
    lang: Annotated[str, typer.Option(help="`fr` or `en`.")] = "fr",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the file.")] = Path("report"),
) -> None:
    """Make a team's page for its captain: percentages of the team and its place, for members only."""
    _make(make_team_page, team, config, (period, lang, output))


def _make(make: object, name: str, config: Path | None, options: tuple[str | None, str, Path]) -> None:
    import asyncio

    from services.reporting import ReportProblem, periods_of

    period, lang, output = options
    if lang not in {"fr", "en"}:
        raise fail(f"--lang {lang}: there are fr and en")
    today: date = datetime.now(UTC).date()
    try:
        asked, _ = periods_of(period, "none", today)
        path = asyncio.run(make(load_settings(config), name, asked, lang, output))  # type: ignore[operator]
    except ReportProblem as problem:
        raise fail(problem) from None
    typer.echo(str(path))
