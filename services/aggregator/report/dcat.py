"""The report as a catalogue of open data: DCAT-AP 2 and 3 in JSON-LD, which data portals harvest.

One dataset, the report of a period; one distribution for each file that was written beside it. What the specification
asks for: catalogue with title, description and publisher; dataset with title and description; distribution with
accessURL. Licence and publisher come from the city's facts: nothing is published under a licence nobody chose.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from services.aggregator.kpis.facts import Publication
from services.aggregator.report.model import Report

__all__ = ["MEDIA_TYPES", "dcat_text"]

MEDIA_TYPES: Final = {
    "html": "text/html",
    "json": "application/json",
    "csv": "text/csv",
    "pdf": "application/pdf",
    "ngsi-ld": "application/ld+json",
}
_CONTEXT: Final = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_LANGUAGES: Final = "http://publications.europa.eu/resource/authority/language/"
_THEMES: Final = "http://publications.europa.eu/resource/authority/data-theme/"
_MEDIA: Final = "https://www.iana.org/assignments/media-types/"
_TITLE: Final = {"fr": "Indicateurs de la ville", "en": "Indicators of the city"}
_TEXT: Final = {
    "fr": "Indicateurs calculés par Garonne à partir des compteurs et des carrefours équipés, du {first} au {last}. "
    "Les valeurs de petits groupes n’y figurent pas.",
    "en": "Indicators that Garonne computed from meters and equipped junctions, {first} to {last}. "
    "Values of small groups are left out.",
}


def dcat_text(report: Report, names: Mapping[str, str], publication: Publication) -> str:
    """The catalogue.

    Args:
        report: what is published.
        names: file name by format, of the files that stand beside it.
        publication: who publishes, where, under which licence.
    """
    base = publication.base_url.rstrip("/")
    publisher = {"@id": publication.publisher_url, "@type": "foaf:Agent", "foaf:name": publication.publisher}
    catalogue = {
        "@context": _CONTEXT,
        "@id": f"{base}/catalogue",
        "@type": "dcat:Catalog",
        "dct:title": _said(_TITLE, report),
        "dct:description": _described(report),
        "dct:publisher": publisher,
        "dct:language": _language(report),
        "dct:modified": _typed(report.generated_on.isoformat()),
        "dcat:dataset": [_dataset(report, names, publication, base)],
    }
    return json.dumps(catalogue, ensure_ascii=False, indent=2) + "\n"


def _dataset(report: Report, names: Mapping[str, str], publication: Publication, base: str) -> dict[str, Any]:
    last = report.period.end - timedelta(days=1)
    licence = {"@id": publication.licence_url, "@type": "dct:LicenseDocument"}
    return {
        "@id": f"{base}/report-{report.period.start}-{last}-{report.language}",
        "@type": "dcat:Dataset",
        "dct:title": _said(_TITLE, report),
        "dct:description": _described(report),
        "dct:publisher": {"@id": publication.publisher_url},
        "dct:language": _language(report),
        "dct:issued": _typed(report.generated_on.isoformat()),
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _typed(report.period.start.isoformat()),
            "dcat:endDate": _typed(last.isoformat()),
        },
        "dcat:theme": [{"@id": _THEMES + code} for code in ("ENER", "TRAN")],
        "dcat:keyword": [{"@value": word, "@language": report.language} for word in ("CITYkeys", *report.programmes)],
        "dcat:distribution": [
            {
                "@id": f"{base}/{name}",
                "@type": "dcat:Distribution",
                "dct:title": {"@value": name, "@language": report.language},
                "dcat:accessURL": {"@id": f"{base}/{name}"},
                "dcat:downloadURL": {"@id": f"{base}/{name}"},
                "dcat:mediaType": {"@id": _MEDIA + MEDIA_TYPES[form]},
                "dct:license": licence,
            }
            for form, name in names.items()
            if form in MEDIA_TYPES
        ],
    }


def _said(words: Mapping[str, str], report: Report) -> dict[str, str]:
    return {"@value": words[report.language], "@language": report.language}


def _described(report: Report) -> dict[str, str]:
    last = report.period.end - timedelta(days=1)
    text = _TEXT[report.language].format(first=report.period.start, last=last)
    return {"@value": text, "@language": report.language}


def _language(report: Report) -> dict[str, str]:
    return {"@id": _LANGUAGES + {"fr": "FRA", "en": "ENG"}[report.language]}


def _typed(day: str) -> dict[str, str]:
    return {"@value": day, "@type": "xsd:date"}
