"""The four commitments of the Green Digital Charter: what the city entered, and what this service can count. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from services.aggregator.kpis.catalogue import catalogue
from services.aggregator.kpis.facts import KNOWN, Facts
from services.aggregator.kpis.results import Language, Text
from services.aggregator.report.footprint import footprint_view
from services.aggregator.report.model import Assessed, Commitment, Pilot, Report, Statement, assessed
from services.aggregator.report.said import amount
from services.aggregator.report.texts import words
from services.aggregator.report.wording import number

__all__ = ["CHARTER", "charter_view", "commitments_of"]

CHARTER: Final = "charter"
_PILOTS: Final = 5
_FORMATS: Final = "HTML, PDF, CSV, JSON, NGSI-LD, DCAT-AP"

_TITLES: Final = (
    Text("Work with other signatories", "Travailler avec les autres signataires"),
    Text("Local partnerships", "Nouer des partenariats locaux"),
    Text(
        "Five large pilots in five years, told to citizens", "Cinq grands pilotes en cinq ans, racontés aux habitants"
    ),
    Text("30% less carbon from ICT within ten years", "30 % de carbone en moins pour le numérique en dix ans"),
)
_MISSING: Final = Text("not entered", "non saisi")
_DEFINITIONS: Final = Text("Definitions of indicators that are shared", "Définitions d’indicateurs partagées")
_EXPORTS: Final = Text("Open formats of the report", "Formats ouverts du rapport")
_LICENCE: Final = Text("Licence of the open data", "Licence des données ouvertes")
_NO_LICENCE: Final = Text("none was chosen yet", "aucune n’a encore été choisie")
_FAMILIES: Final = Text("Families that take part", "Familles participantes")
_JUNCTIONS: Final = Text("Junctions that tell", "Carrefours qui parlent")
_MEMBERS: Final = Text("Members of the panel who answered", "Membres du panel qui ont répondu")
_OF_PILOTS: Final = Text("{count} of {all}", "{count} sur {all}")
_PILOT_FAMILIES: Final = Text("families", "familles")
_PILOT_JUNCTIONS: Final = Text("junctions", "carrefours")
_PILOT_MEMBERS: Final = Text("members", "membres")


def commitments_of(report: Report, facts: Facts) -> tuple[Commitment, ...]:
    """All four, from a report whose entries have passed the gate: nothing is counted that it does not tell."""
    said = _Said(report, facts)
    return tuple(
        Commitment(number=place, title=title.in_language(report.language), statements=statements(), pilots=pilots)
        for place, (title, statements, pilots) in enumerate(
            zip(
                _TITLES,
                (said.signatories, said.partnerships, said.pilots, said.footprint),
                ((), (), said.each_pilot(), ()),
                strict=True,
            ),
            start=1,
        )
    )


class _Said:
    """What there is to say."""

    def __init__(self, report: Report, facts: Facts) -> None:
        self._report = report
        self._facts = facts
        self._language: Language = report.language
        self._end: date = report.period.end

    def signatories(self) -> tuple[Statement, ...]:
        """Commitment 1: what other cities can take up."""
        publication = self._facts.publication
        licence = _NO_LICENCE.in_language(self._language) if publication is None else publication.licence_url
        return (
            self._entered("gdc_signatories"),
            self._counted(_DEFINITIONS, float(len(catalogue().indicators))),
            Statement(title=self._said(_EXPORTS), value=None, text=_FORMATS, origin="counted"),
            Statement(
                title=self._said(_LICENCE),
                value=None,
                text=licence,
                origin="missing" if publication is None else "entered",
            ),
        )

    def partnerships(self) -> tuple[Statement, ...]:
        """Commitment 2: who takes part."""
        counts = ((_FAMILIES, self._families()), (_JUNCTIONS, self._junctions()), (_MEMBERS, self._members()))
        return (
            self._entered("gdc_partners"),
            self._entered("gdc_data_providers"),
            *(self._counted(title, count) for title, count in counts if count is not None),
        )

    def pilots(self) -> tuple[Statement, ...]:
        """Commitment 3: how many of the five."""
        entered = self._entered("gdc_pilots")
        if entered.value is None:
            return (entered,)
        text = self._said(_OF_PILOTS).format(count=number(entered.value, self._language), all=_PILOTS)
        return (entered.model_copy(update={"text": text}),)

    def footprint(self) -> tuple[Statement, ...]:
        """Commitment 4 is an indicator of its own: what the city entered of it."""
        return (self._entered("ict_baseline_kgco2e_per_year"), self._entered("ict_other_kwh_per_year"))

    def each_pilot(self) -> tuple[Pilot, ...]:
        """The pilots that this report tells of."""
        url = None if self._facts.publication is None else self._facts.publication.base_url
        rows: Sequence[tuple[str, float | None, Text, float | None]] = (
            ("Familles à énergie positive", self._families(), _PILOT_FAMILIES, self._saved_kwh()),
            ("Compass4D", self._junctions(), _PILOT_JUNCTIONS, None),
            ("Les pionniers", self._members(), _PILOT_MEMBERS, None),
        )
        return tuple(
            Pilot(title=title, taking_part=count, counted=self._said(what), saved_kwh=saved, report_url=url)
            for title, count, what, saved in rows
            if count is not None
        )

    def _said(self, text: Text) -> str:
        return text.in_language(self._language)

    def _counted(self, title: Text, value: float) -> Statement:
        return Statement(title=self._said(title), value=value, text=number(value, self._language), origin="counted")

    def _entered(self, name: str) -> Statement:
        known, found = KNOWN[name], self._facts.quantity(name, self._end)
        title = Text(known.en, known.fr).in_language(self._language)
        if found is None:
            return Statement(title=title, value=None, text=self._said(_MISSING), origin="missing")
        text = amount(found.value, found.unit, words(self._language), self._language)
        return Statement(title=title, value=found.value, text=text, origin="entered")

    def _of(self, kpi: str) -> list[Assessed]:
        return [each for each in assessed(self._report.entries) if each.kpi == kpi]

    def _families(self) -> float | None:
        known = [each for each in self._of("energy_saving") if each.subject.kind == "programme"]
        return float(known[0].population) if known else None

    def _saved_kwh(self) -> float | None:
        """In the same weather where that is known."""
        known = [each for each in self._of("energy_saving") if each.subject.kind == "programme"]
        for each in sorted(known, key=lambda each: each.variant != "degree_days"):
            amounts = each.comparison
            if amounts is not None and amounts.baseline_amount is not None and amounts.reported_amount is not None:
                return amounts.baseline_amount - amounts.reported_amount
        return None

    def _junctions(self) -> float | None:
        names = {each.subject.id for each in assessed(self._report.entries) if each.subject.kind == "junction"}
        return float(len(names)) if names else None

    def _members(self) -> float | None:
        counts = [each.population for each in self._of("app_evaluation")]
        return float(max(counts)) if counts else None


def charter_view(report: Report, text: Mapping[str, str]) -> dict[str, Any] | None:
    """What the page shows; `None` if the charter was not asked for."""
    if not report.charter:
        return None
    return {
        "commitments": [_commitment(each, report, text) for each in report.charter],
        "footprint": footprint_view(report, text),
    }


def _commitment(commitment: Commitment, report: Report, text: Mapping[str, str]) -> dict[str, Any]:
    said: Callable[[float | None], str] = lambda value: "–" if value is None else number(value, report.language)  # noqa: E731
    return {
        "number": commitment.number,
        "title": commitment.title,
        "statements": [
            {"title": each.title, "text": each.text, "origin": each.origin, "how": text[f"origin_{each.origin}"]}
            for each in commitment.statements
        ],
        "pilots": [
            {
                "title": each.title,
                "part": f"{said(each.taking_part)} {each.counted}",
                "saved": "–" if each.saved_kwh is None else f"{said(each.saved_kwh)} kWh",
            }
            for each in commitment.pilots
        ],
        "url": next((each.report_url for each in commitment.pilots if each.report_url), None),
    }
