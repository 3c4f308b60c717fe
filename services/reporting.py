"""Making a report: read the store, ask the indicators, write files and points."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from services.aggregator.junction_days import read_exposed, read_hazards, read_junction_days, read_warned
from services.aggregator.kpis.app_evaluation.versions import applications
from services.aggregator.kpis.disclosure import PUBLIC, publishable
from services.aggregator.kpis.factors import parse_factors
from services.aggregator.kpis.facts import Facts, FactsProblem, parse_facts
from services.aggregator.kpis.inputs import Inputs
from services.aggregator.kpis.plan import Plan, PlanProblem
from services.aggregator.kpis.results import Language, Period, Subject
from services.aggregator.kpis.seasons import same_calendar_days, years_before
from services.aggregator.kpis.trends import Told
from services.aggregator.ports import Store, Unavailable
from services.aggregator.report.assessment import Answer, assess_all, chosen, kpi_points, needed, programmes
from services.aggregator.report.completing import complete
from services.aggregator.report.curves import curve_points, midnight_ns
from services.aggregator.report.dcat import dcat_text
from services.aggregator.report.model import Period as ReportPeriod
from services.aggregator.report.model import Report, entry_of
from services.aggregator.report.ngsild import ngsi_ld_text
from services.aggregator.report.tables import csv_text
from services.aggregator.series import Family, Weather, read_evaluations, read_homes, read_traffic, read_weather
from services.aggregator.service_plan import read_plan, read_sites, routes_of
from services.aggregator.told import read_told
from services.aggregator.usage import read_usage
from services.consented import agreed_homes, agreement
from services.ingest.assembly import keys_of
from services.ingest.consent import Book, Purpose
from services.ingest.consentfile import ConsentProblem
from services.ingest.pseudonyms import KeyProblem
from services.running import open_store
from services.runtime.junctionfile import JunctionProblem, read_junctions
from services.runtime.registry import Registry, RegistryProblem, read_registry
from services.runtime.settings import ConfigurationProblem, Settings

__all__ = ["FORMATS", "Audience", "Format", "ReportProblem", "last_winter", "make_report", "parse_period", "periods_of"]

Audience = Literal["public", "members"]
"""Everybody; or members of the programmes and the city's own people, who see teams of five families too."""

Format = Literal["html", "json", "csv", "ngsi-ld", "pdf", "dcat"]
FORMATS: Final[tuple[Format, ...]] = ("html", "json", "csv", "ngsi-ld", "pdf", "dcat")
_ENDINGS: Final = {"ngsi-ld": "ngsi-ld.jsonld", "dcat": "dcat.jsonld"}
_PROGRAMME_NAMES: Final = {
    "familles": "Familles à énergie positive",
    "compass4d": "Compass4D",
    "pionniers": "Les pionniers",
    "charter": "Green Digital Charter",
}


class ReportProblem(Exception):
    """No report can be made; the text says what to repair."""


def parse_period(text: str) -> Period:
    """Read `2025-11-01..2026-03-31`: the first and the last day, both included.

    Raises:
        ReportProblem: not two dates, or in the wrong order.
    """
    first, separator, last = text.partition("..")
    try:
        days = date.fromisoformat(first.strip()), date.fromisoformat(last.strip())
    except ValueError:
        separator = ""
    if not separator:
        raise ReportProblem(f"{text!r} is not a period: write the first and the last day, as 2025-11-01..2026-03-31")
    if days[1] < days[0]:
        raise ReportProblem(f"{text!r}: the last day lies before the first")
    return Period(days[0], date.fromordinal(days[1].toordinal() + 1))


def last_winter(today: date) -> Period:
    """The days from 1 November to 31 March of the newest winter, as far as they have passed."""
    year = today.year if today > date(today.year, 11, 1) else today.year - 1
    return Period(date(year, 11, 1), min(date(year + 1, 4, 1), today))


def periods_of(period: str | None, baseline: str | None, today: date | None = None) -> tuple[Period, Period | None]:
    """What the options of the command line ask for.

    Args:
        period: two dates, or `None` for the newest winter.
        baseline: two dates, `none`, or `None` for the same days a year earlier.
        today: for tests.

    Raises:
        ReportProblem: one of them is no period.
    """
    asked = last_winter(today or datetime.now(UTC).date()) if period is None else parse_period(period)
    if baseline is None:
        return asked, years_before(asked)
    return asked, None if baseline == "none" else parse_period(baseline)


async def make_report(  # noqa: PLR0913 - the options of a report
    settings: Settings,
    *,
    start: date,
    end: date,
    baseline_start: date | None,
    baseline_end: date | None,
    language: Literal["fr", "en"],
    formats: Sequence[str],
    folder: Path,
    wanted: Sequence[str] = (),
    audience: Audience = "public",
) -> list[Path]:
    """Make a report and store its values as measurement `kpi`.

    Args:
        settings: where the store, the registry and the key are.
        start: first local day.
        end: the day after the last.
        baseline_start: first day of the baseline; `None` for none: then there is no saving.
        baseline_end: the day after its last.
        language: of the page.
        formats: of `FORMATS`.
        folder: where the files go; made if it is missing.
        wanted: programmes; all of them if empty.
        audience: who may read it.

    Returns:
        The files, in the order of `formats`.

    Raises:
        ReportProblem: something that the user can repair.
    """
    period, baseline = _periods(start, end, baseline_start, baseline_end)
    asked = tuple(wanted) or programmes()
    _known("programme", asked, programmes())
    _known("format", formats, FORMATS)
    if audience == "members" and "dcat" in formats:
        raise ReportProblem("the format dcat is for open data: it goes with the audience public only")
    facts, plan = _facts(settings, formats), _plan(settings)
    _stored(settings)
    try:
        registry = read_registry(settings.households_file)
        families = _families(settings, registry)
        async with open_store(settings) as store:
            inputs = await _read(store, settings, families, period, baseline, needed(asked))
            inputs = replace(inputs, facts=facts, plan=plan)
            if "mobility" in needed(asked):
                inputs = await _with_mobility(store, ZoneInfo(settings.timezone), inputs, period)
            told = await read_told(store, ZoneInfo(settings.timezone), period, public=audience == "public")
            book = agreement(settings, registry)
            subjects = _subjects(settings, registry, inputs)
            answers = _assessed(inputs, book, subjects, ZoneInfo(settings.timezone), (period, baseline), asked, told)
            await _store(store, answers, period, ZoneInfo(settings.timezone))
    except (ConsentProblem, KeyProblem, RegistryProblem, ConfigurationProblem, Unavailable) as problem:
        raise ReportProblem(str(problem)) from problem
    if audience == "public":
        answers = [Answer(kpi, publishable(outcome, PUBLIC)) for kpi, outcome in answers]
    report = _report(settings, answers, inputs, period, baseline, language, asked)
    report = report.model_copy(update={"audience": audience})
    report = complete(report, facts)
    return await asyncio.to_thread(_write, report, formats, folder, facts)


def _assessed(  # noqa: PLR0913, PLR0917 - who is asked what, when, by whose consent
    inputs: Inputs,
    book: Book | None,
    subjects: Sequence[Subject],
    zone: ZoneInfo,
    periods: tuple[Period, Period | None],
    wanted: Sequence[str],
    told: Sequence[Told],
) -> list[Answer]:
    """Teams count who agreed to the challenge, all others who agreed to the city; in the order of `assess_all`."""
    if book is None:
        return assess_all(inputs, subjects, *periods, wanted, told)
    place = {subject: number for number, subject in enumerate(subjects)}
    answers: list[Answer] = []
    teams = [each for each in subjects if each.kind == "team"]
    rest = [each for each in subjects if each.kind != "team"]
    asked: tuple[tuple[Purpose, list[Subject]], ...] = (("challenge", teams), ("city", rest))
    for purpose, theirs in asked:
        agreed = replace(inputs, homes=agreed_homes(inputs.homes, book, purpose, zone))
        answers += assess_all(agreed, theirs, *periods, wanted, told)
    order = {kpi.name: number for number, kpi in enumerate(chosen(wanted))}
    return sorted(answers, key=lambda each: (order[each.kpi.name], place.get(each.outcome.subject, len(place))))


def _periods(
    start: date, end: date, baseline_start: date | None, baseline_end: date | None
) -> tuple[Period, Period | None]:
    period = Period(start, end)
    if period.days < 1:
        raise ReportProblem("the period has no day: its end lies at or before its start")
    if baseline_start is None or baseline_end is None:
        return period, None
    baseline = Period(baseline_start, baseline_end)
    if not same_calendar_days(period, baseline):
        raise ReportProblem(
            f"the baseline {baseline.start} to {baseline.last} must be the same calendar days as the period "
            f"{period.start} to {period.last}, in an earlier year: otherwise the seasons differ"
        )
    return period, baseline


def _facts(settings: Settings, formats: Sequence[str]) -> Facts:
    path = settings.facts_file
    try:
        facts = Facts() if path is None else parse_facts(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ReportProblem(f"facts_file {path}: cannot be read; `garonne check` says what is wrong") from error
    except FactsProblem as problem:
        raise ReportProblem(f"facts_file {path}: {problem}") from problem
    if "dcat" in formats and facts.publication is None:
        raise ReportProblem(
            "the format dcat needs to know who publishes under which licence: write [publication] with publisher, "
            "publisher_url, base_url and licence_url into the file that facts_file names"
        )
    return facts


def _plan(settings: Settings) -> Plan:
    try:
        return read_plan(settings.service_periods_file, settings.junctions_file)
    except PlanProblem as problem:
        raise ReportProblem(f"service_periods_file {settings.service_periods_file}: {problem}") from problem
    except JunctionProblem as problem:
        raise ReportProblem(str(problem)) from problem


def _known(what: str, given: Iterable[str], known: Sequence[str]) -> None:
    unknown = [each for each in given if each not in known]
    if unknown:
        raise ReportProblem(f"there is no {what} {unknown[0]!r}; there are: {', '.join(known)}")


def _stored(settings: Settings) -> None:
    """An embedded store that is not there would be made, and reported on as empty."""
    path = settings.embedded.folder / "series.sqlite"
    if settings.storage == "embedded" and not path.exists():
        raise ReportProblem(
            f"there is no {path}: is embedded.folder right? `garonne run` makes it, with the first points"
        )


def _families(settings: Settings, registry: Registry) -> dict[str, Family]:
    """The families of teams, by the pseudonyms that the store knows them by."""
    if not registry.households:
        return {}
    keys = keys_of(settings)
    return {
        keys.pseudonym("household", household.id): Family(
            household.team,
            household.heat_share,
            frozenset(keys.pseudonym("meter", device) for device in household.sub_meters),
        )
        for household in registry.households
        if household.team is not None
    }


def _subjects(settings: Settings, registry: Registry, inputs: Inputs) -> list[Subject]:
    names = _junction_names(settings.junctions_file)
    seen = {junction.id for junction in inputs.junctions} | {each.junction for each in inputs.mobility}
    return [
        *(Subject("programme", programme, _PROGRAMME_NAMES.get(programme, programme)) for programme in programmes()),
        Subject("service", "garonne", "Garonne"),
        *(Subject("team", team.id, team.name) for team in registry.teams),
        *applications(inputs.evaluations),
        *(Subject("corridor", each.id, each.name) for each in inputs.plan.corridors),
        *(Subject("junction", each, names.get(each, each)) for each in sorted(seen | set(names))),
    ]


def _junction_names(path: Path | None) -> dict[str, str]:
    """Public names of the junctions, by id; the id where there is no name."""
    if path is None:
        return {}
    try:
        return {each.id: each.name for each in read_junctions(path).zones}
    except JunctionProblem as problem:
        raise ReportProblem(str(problem)) from problem


async def _read(  # noqa: PLR0913, PLR0917 - what to read, from where
    store: Store,
    settings: Settings,
    families: dict[str, Family],
    period: Period,
    baseline: Period | None,
    needs: frozenset[str],
) -> Inputs:
    zone = ZoneInfo(settings.timezone)
    periods = [period] if baseline is None else [baseline, period]
    weather = await read_weather(store, zone, periods) if "weather" in needs else Weather(None, {})
    return Inputs(
        factors=parse_factors(files("services.aggregator.kpis").joinpath("factors.toml").read_text("utf-8")),
        homes=await read_homes(store, zone, periods, families) if "homes" in needs and families else (),
        degree_days=weather.degree_days,
        station=weather.station,
        evaluations=await read_evaluations(store, zone, [period]) if "evaluations" in needs else (),
        junctions=await read_traffic(store, zone, periods) if "traffic" in needs else (),
        usage=await read_usage(store, zone, period) if "usage" in needs else (),
    )


async def _with_mobility(store: Store, zone: ZoneInfo, inputs: Inputs, period: Period) -> Inputs:
    """Days of junctions: of the period, and of the service periods that began before its end."""
    periods = [period, *inputs.plan.spans(period.end)]
    return replace(
        inputs,
        mobility=await read_junction_days(store, zone, periods),
        warned=await read_warned(store, zone, [period]),
        exposed=await read_exposed(store, zone, periods),
        hazards=await read_hazards(store, zone, periods),
    )


async def _store(store: Store, answers: Sequence[Answer], asked: Period, zone: ZoneInfo) -> None:
    points = kpi_points(answers, asked, midnight_ns(asked.end, zone))
    refusals = await store.write([*points, *curve_points(answers, asked, zone)])
    if refusals:
        first = refusals[0]
        raise ReportProblem(f"the store refuses {len(refusals)} values of indicators: {first.reason}: {first.detail}")


def _report(  # noqa: PLR0913, PLR0917 - what a report says
    settings: Settings,
    answers: Sequence[Answer],
    inputs: Inputs,
    period: Period,
    baseline: Period | None,
    language: Language,
    wanted: tuple[str, ...],
) -> Report:
    zone = settings.timezone
    return Report(
        language=language,
        generated_on=datetime.now(UTC).astimezone(ZoneInfo(zone)).date(),
        period=ReportPeriod(start=period.start, end=period.end, timezone=zone),
        baseline=None if baseline is None else ReportPeriod(start=baseline.start, end=baseline.end, timezone=zone),
        programmes=wanted,
        weather_station=inputs.station,
        entries=tuple(entry_of(kpi, outcome, language, zone) for kpi, outcome in answers),
        sites=read_sites(settings.junctions_file) if "compass4d" in wanted else (),
        routes=routes_of(inputs.plan) if "compass4d" in wanted else (),
    )


def _write(report: Report, formats: Sequence[str], folder: Path, facts: Facts) -> list[Path]:
    last = date.fromordinal(report.period.end.toordinal() - 1)
    stem = f"garonne-report-{report.period.start}-{last}-{report.language}"
    names = {each: f"{stem}.{_ENDINGS.get(each, each)}" for each in formats}
    for each, name in names.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(_content(report, each, names, facts))
        except OSError as error:
            raise ReportProblem(f"{folder / name}: {error.strerror or error}") from error
    return [folder / names[each] for each in formats]


def _content(report: Report, form: str, names: Mapping[str, str], facts: Facts) -> bytes:
    if form == "pdf":
        from services.aggregator.report.paper import pdf_bytes  # noqa: PLC0415 - loads fonts

        return pdf_bytes(report)
    if form == "dcat" and facts.publication is not None:
        return dcat_text(report, names, facts.publication).encode()
    return _text(report, form).encode()


def _text(report: Report, form: str) -> str:
    if form == "json":
        return report.model_dump_json(indent=2) + "\n"
    if form == "csv":
        return csv_text(report)
    if form == "ngsi-ld":
        return ngsi_ld_text(report)
    from services.aggregator.report.page import page  # noqa: PLC0415 - matplotlib takes a second

    return page(report)
