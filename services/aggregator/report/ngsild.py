"""The report as NGSI-LD entities `KeyPerformanceIndicator` (smart-data-models 0.2.1), normalised form.

The model has no unit, interval, coverage or baseline: the value carries `unitCode` (UN/CEFACT recommendation 20) and
`observedAt` of NGSI-LD (ETSI GS CIM 009), the rest stands under own terms, which the last part of the context names.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from services.aggregator.report.model import Assessed, Missing, Report

__all__ = ["UNIT_CODES", "ngsi_ld_text"]

UNIT_CODES: Final = {
    "%": "P1",
    "kWh": "KWH",
    "m3": "MTQ",
    "s": "SEC",
    "m/s": "MTS",
    "km/h": "KMH",
    "kg": "KGM",
    "kgCO2e": "KGM",
}
"""UN/CEFACT codes; C62, the number of things, for all others."""
_COUNTED: Final = "C62"
_OWN: Final = (
    "programme", "variant", "subject", "notAssessed", "coverage", "population", "interval", "target", "trend",
    "comparison", "dataQuality", "factorSet", "fingerprint", "methodVersion", "limits", "references",
)  # fmt: skip
_CONTEXT: Final = (
    {name: f"urn:garonne:kpi:{name}" for name in _OWN},
    "https://raw.githubusercontent.com/smart-data-models/dataModel.KeyPerformanceIndicator/master/context.jsonld",
    "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
)


def ngsi_ld_text(report: Report) -> str:
    """A JSON array of entities, ready for a batch upsert of a context broker."""
    return json.dumps([_entity(each) for each in report.entries], ensure_ascii=False, indent=2) + "\n"


def _entity(entry: Assessed | Missing) -> dict[str, Any]:
    zone = ZoneInfo(entry.period.timezone)
    observed = datetime(entry.period.end.year, entry.period.end.month, entry.period.end.day, tzinfo=zone)
    parts = (entry.kpi, entry.variant, entry.subject.kind, entry.subject.id, entry.period.start.isoformat())
    last = entry.period.end - timedelta(days=1)
    entity: dict[str, Any] = {
        "id": "urn:ngsi-ld:KeyPerformanceIndicator:garonne:" + ":".join(quote(part, safe="") for part in parts),
        "type": "KeyPerformanceIndicator",
        "name": _property(entry.title),
        "category": _property(["quantitative"]),
        "process": _property(entry.programme),
        "calculatedBy": _property("garonne"),
        "calculationMethod": _property("automatic"),
        "calculationPeriod": _property({"from": entry.period.start.isoformat(), "to": last.isoformat()}),
        "programme": _property(entry.programme),
        "variant": _property(entry.variant),
        "subject": _property(entry.subject.model_dump()),
        "references": _property(list(entry.references)),
    }
    if isinstance(entry, Missing):
        entity["notAssessed"] = _property({"reason": entry.reason, "explanation": entry.explanation})
    else:
        at = observed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        unit = {"unitCode": UNIT_CODES.get(entry.unit, _COUNTED), "observedAt": at}
        entity |= {"kpiValue": _property(entry.value) | unit, "calculationFormula": _property(entry.formula)}
        entity |= _own(entry, unit)
    return entity | {"@context": list(_CONTEXT)}


def _own(entry: Assessed, unit: dict[str, str]) -> dict[str, Any]:
    known: dict[str, Any] = {
        "coverage": entry.coverage,
        "population": entry.population,
        "dataQuality": entry.quality,
        "factorSet": entry.factor_set,
        "fingerprint": entry.fingerprint,
        "methodVersion": entry.method_version,
        "limits": list(entry.limits) or None,
        "trend": None if entry.trend is None else entry.trend.model_dump(mode="json"),
        "comparison": None if entry.comparison is None else entry.comparison.model_dump(mode="json"),
    }
    found = {name: _property(value) for name, value in known.items() if value is not None}
    for name, ranged in (("interval", entry.interval), ("target", entry.target)):
        if ranged is not None:
            found[name] = _property(ranged.model_dump(mode="json")) | unit
    return found


def _property(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}
