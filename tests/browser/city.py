"""The small city with all that a page can show: facts, a panel, the service's own use, earlier reports."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from services.aggregator.kpis.results import Language
from services.aggregator.ports import FieldValue, Point
from services.reporting import make_report
from tests.report_city import BASELINE, END, START, ZONE, City, build_city

__all__ = ["build_full_city", "write_report"]

FACTS: Final = """
edition = "essai 2026"
quantities = [
    { name = "population", value = 265328, unit = "people", date = 2023-01-01, source = "INSEE, recensement" },
    { name = "target_group", value = 500, unit = "people", date = 2025-09-01, source = "délibération du 12 mai" },
    { name = "gdc_partners", value = 14, unit = "partners", date = 2025-09-01, source = "service du numérique" },
    { name = "gdc_pilots", value = 3, unit = "pilots", date = 2025-09-01, source = "service du numérique" },
    { name = "ict_other_kwh_per_year", value = 420, unit = "kWh/year", date = 2025-01-01, source = "wattmètre" },
    { name = "ict_baseline_kgco2e_per_year", value = 40, unit = "kgCO2e/year", date = 2021-06-01, source = "2021" },
]
targets = [
    { indicator = "ck.p.planet.final-energy-red", value = 7.5, due = 2027-03-31, source = "conseil du 12 mai 2025" },
    { indicator = "ck.p.people.privacy", value = 5, due = 2027-12-31, source = "conseil du 12 mai 2025" },
]

[publication]
publisher = "Ville d’essai"
publisher_url = "https://www.example.org/"
base_url = "https://data.example.org/garonne/"
licence_url = "https://www.etalab.gouv.fr/licence-ouverte-open-licence"
"""
SCORES: Final = (
    ("ck.p.people.privacy", 4, "Pseudonymes avant le journal, consentement qui décide du détail, effacement essayé."),
    ("ck.p.people.cyber", 3, "Chiffrement partout, droits par service ; aucun exercice n’a encore eu lieu."),
    ("ck.p.propagation.ease-enduser", 4, "Le panel note 78 sur 100 ; deux tâches restent difficiles."),
    ("ck.p.propagation.visibility-of-results", 2, "Le rapport public existe depuis peu et reste peu lu."),
    ("ck.p.governance.monitoring", 5, "Un rapport chaque nuit, publié, et repris par le conseil chaque trimestre."),
)
"""Slug, score, justification."""
_ANSWERS: Final = ("5152515142", "4242424242", "4233424242", "5142424152", "4252515142", "5151425142")


def _ns(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp()) * 1_000_000_000


def _usage() -> list[Point]:
    """Two processes that tell each hour of the period."""
    points = []
    start = datetime(START.year, START.month, START.day, tzinfo=ZONE).astimezone(UTC)
    hours = (END - START).days * 24
    for name, cpu_s, events in (("d_00000000000000a1", 420.0, 9000.0), ("d_00000000000000a2", 700.0, 0.0)):
        for hour in range(1, hours + 1):
            fields: tuple[tuple[str, FieldValue], ...] = (
                ("availability", "online"),
                ("count_ict_cpu_s_1", cpu_s),
                ("count_ict_elapsed_s_1", 3600.0),
                ("count_ict_events_1", events),
            )
            points.append(Point("device", (("device", name),), fields, _ns(start + timedelta(hours=hour))))
    return points


def _panel() -> list[Point]:
    """Twelve members and two applications."""
    points = []
    for number in range(24):
        application = ("Ma consommation", "Mes trajets")[number % 2]
        at = datetime(2025, 12, 2 + number, 18, tzinfo=ZONE)
        fields: dict[str, FieldValue] = {
            "member": f"p_{number // 2:016x}",
            "rating": 3 + number % 3,
            "recommendation": 5 + number % 6,
            "sus_answers": _ANSWERS[number % 6],
            "task": "lire",
            "task_success": number % 5 != 0,
            "time_on_task_s": 30.0 + 4 * number,
        }
        tags = (("application", application), ("version", "1.0"))
        points.append(Point("evaluation", tags, tuple(sorted(fields.items())), _ns(at)))
    return points


def _earlier() -> list[Point]:
    """What the reports of two winters before told."""
    points = []
    for year, value in ((2023, 4.1), (2024, 5.6)):
        end = date(year + 1, END.month, END.day)
        for variant, more in (("raw", 3.0), ("degree_days", 0.0)):
            fields: dict[str, FieldValue] = {
                "assessed": True,
                "method_version": "energy_saving/1",
                "period_start": date(year, START.month, START.day).isoformat(),
                "public": True,
                "unit": "%",
                "value": value + more,
            }
            tags = (("kpi", f"energy_saving.{variant}"), ("programme", "familles"), ("subject", "familles"))
            at = datetime(end.year, end.month, end.day, tzinfo=ZONE)
            points.append(Point("kpi", tags, tuple(sorted(fields.items())), _ns(at)))
    return points


def _scored(slug: str, score: int, why: str) -> str:
    role, day = "chargée de mission", date(2025, 10, 1)
    said = f'indicator = "{slug}"\nscore = {score}\njustification = "{why}"'
    return f'[[scores]]\n{said}\nassessor_role = "{role}"\ndate = {day}\n'


async def build_full_city(folder: Path) -> City:
    """Homes, junctions, weather, panel, own use, facts."""
    city = await build_city(folder)
    path = folder / "facts.toml"
    path.write_text(FACTS + "".join(_scored(*each) for each in SCORES), "utf-8")
    async with city.store() as store:
        assert await store.write([*_usage(), *_panel(), *_earlier()]) == []
    return replace(city, settings=city.settings.model_copy(update={"facts_file": path}))


async def write_report(city: City, language: Language, formats: tuple[str, ...] = ("html",)) -> list[Path]:
    """As members of the programmes have it: with teams."""
    return await make_report(
        city.settings,
        start=START,
        end=END,
        baseline_start=BASELINE[0],
        baseline_end=BASELINE[1],
        language=language,
        formats=formats,
        folder=city.folder / "report",
        audience="members",
    )
