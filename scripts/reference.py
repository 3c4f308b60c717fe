"""Reference pages that come from the code: configuration, records, topics, commands, profiles, metrics and more."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from schemas.envelope import KEYS, RECORDS, TOPICS, type_of
from scripts.interfaces import commands_page, topics_page
from services.aggregator.kpis import discover as discover_kpis
from services.aggregator.kpis.catalogue import catalogue
from services.aggregator.points import TAGS
from services.aggregator.ports import BUCKETS
from services.aggregator.report.model import report_schema
from services.aggregator.telemetry import AggregatorTelemetry
from services.ingest.profiles import discover
from services.ingest.telemetry import IngestTelemetry
from services.runtime.settings import Settings

__all__ = ["reference_pages", "tables_in_place"]

_NOTE: Final = "<!-- Written by scripts/generate from the code; do not edit. -->\n"


def reference_pages() -> dict[str, str]:
    """Whole pages by path."""
    return {
        "docs/reference/configuration.md": _configuration(),
        "docs/reference/records.md": _records(),
        "docs/reference/topics.md": topics_page(),
        "docs/reference/commands.md": commands_page(),
        "docs/reference/profiles.md": _profiles(),
        "docs/reference/metrics.md": _metrics(),
        "docs/reference/measurements.md": _measurements(),
        "docs/reference/indicators.md": _indicators(),
        "services/aggregator/report/report.schema.json": json.dumps(report_schema(), indent=2, sort_keys=True) + "\n",
    }


def tables_in_place(root: Path) -> dict[Path, str]:
    """Files in which a table between markers is generated."""
    path = root / "README.md"
    begin, end = "<!-- profiles: begin -->\n", "<!-- profiles: end -->\n"
    text = path.read_text("utf-8")
    if begin not in text:
        return {}
    head, rest = text.split(begin)
    return {path: head + begin + _profile_table() + end + rest.split(end)[1]}


def _table(*rows: tuple[str, ...]) -> str:
    head, *body = [[_cell(cell) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """Text of a cell; angle brackets outside of code would be taken for HTML."""
    safe = text.replace("|", "\\|").replace("\n", " ")
    return safe if "`" in safe else safe.replace("<", "&lt;").replace(">", "&gt;")


def _configuration() -> str:
    rows = list(_keys(Settings, ""))
    return (
        f"{_NOTE}# Configuration\n\nOne TOML file, named by `--config` or `GARONNE_CONFIG`. Every key can also be "
        "set by an environment variable: `GARONNE_` and the path joined by two underscores, as `GARONNE_MQTT__HOST`. "
        "Paths are relative to the file. `garonne check` tells what is wrong, without opening a connection.\n\n"
        + _table(("key", "type", "default", "meaning"), *rows)
    )


def _keys(model: type[BaseModel], path: str) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        if inner is not None and get_origin(field.annotation) is not dict:
            yield from _keys(inner, f"{path}{name}.")
        elif inner is not None:
            yield from _keys(inner, f"{path}{name}.<name>.")
        else:
            yield f"`{path}{name}`", _type_text(field.annotation), _default_text(field), field.description or ""


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def _type_text(annotation: Any) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return {"Path": "path", "str": "text", "int": "integer", "float": "number", "bool": "true or false"}.get(
            annotation.__name__, annotation.__name__
        )
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple:
        return f"list of {_type_text(arguments[0])}"
    if get_origin(annotation) is dict:
        return f"table of {_type_text(arguments[1])}"
    if all(isinstance(each, str) for each in arguments):
        return " or ".join(f"`{each}`" for each in arguments)
    return _type_text(arguments[0])


def _default_text(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ({}, ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _records() -> str:
    topics = [
        (
            f"`{kind}`",
            f"`{TOPICS[kind]}`",
            f"`{KEYS[kind]}`",
            f"`{type_of(kind)}`",
            f"[schema](../../schemas/json/{kind}.json)",
        )
        for kind in RECORDS
    ]
    details = "".join(f"\n## `{kind}`\n\n{_fields_of(model)}" for kind, model in RECORDS.items())
    return (
        f"{_NOTE}# Records and topics\n\nEvents are CloudEvents 1.0 JSON in structured mode; see "
        "`schemas/asyncapi.json`.\n\n"
        + _table(("kind", "Kafka topic", "key", "CloudEvents type", ""), *topics)
        + details
    )


def _fields_of(model: type[BaseModel]) -> str:
    first = (model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    names = ", ".join(f"`{name}`" for name in model.model_fields if name != "kind")
    return f"{' '.join(first.split())}\n\nFields: {names}\n"


def _profile_table() -> str:
    rows = [
        (f"[`{name}`](services/ingest/profiles/{name}/README.md)", profile.summary, profile.stability)
        for name, profile in discover().items()
    ]
    return _table(("profile", "reads", "stability"), *rows)


def _profiles() -> str:
    rows = [
        (
            f"[`{name}`](../../services/ingest/profiles/{name}/README.md)",
            profile.summary,
            ", ".join(f"`{each}`" for each in profile.topics),
            profile.stability,
        )
        for name, profile in discover().items()
    ]
    return f"{_NOTE}# Profiles\n\nA profile reads what a family of devices publishes.\n\n" + _table(
        ("profile", "reads", "topic filters", "stability"), *rows
    )


def _metrics() -> str:
    parts = []
    for title, registry in (
        ("Ingest, `ingest.metrics_port`", IngestTelemetry(CollectorRegistry()).registry),
        ("Aggregator, `aggregator.metrics_port`", AggregatorTelemetry(CollectorRegistry()).registry),
    ):
        rows = sorted(
            (f"`{metric.name}{'_total' if metric.type == 'counter' else ''}`", metric.type, metric.documentation)
            for metric in registry.collect()
        )
        parts.append(f"\n## {title}\n\n" + _table(("metric", "type", "meaning"), *rows))
    return (
        f"{_NOTE}# Metrics and health\n\nEach service answers `/metrics` (Prometheus), `/healthz` (is it doing its "
        "work?) and `/readyz` (can it, and do its partners answer?).\n" + "".join(parts)
    )


def _measurements() -> str:
    rows = [(f"`{name}`", BUCKETS.get(name, ""), ", ".join(f"`{tag}`" for tag in tags)) for name, tags in TAGS.items()]
    return (
        f"{_NOTE}# Measurements\n\nWhat stands in the time series. No tag names a vehicle or a person: they are "
        "bounded by homes, junctions and stations.\n\n" + _table(("measurement", "bucket", "tags"), *rows)
    )


def _catalogue_rows() -> Iterator[tuple[str, ...]]:
    rows = catalogue()
    for row in rows.indicators:
        said = row.status.replace("_", " ")
        if row.kpi is not None:
            said += f" by `{row.kpi}`"
        if row.reason is not None:
            said += f": {rows.reasons[row.reason].en}"
        yield row.en, f"`{row.slug}`", row.level, row.theme, row.unit, said, "yes" if row.verified else "no"


def _indicators() -> str:
    rows = [
        (
            f"[`{kpi.name}`](../../services/aggregator/kpis/{kpi.name}/README.md)",
            kpi.title.en,
            kpi.unit,
            kpi.programme,
            ", ".join(kpi.about),
            ", ".join(kpi.references) + ("" if kpi.verified else " (not verified)"),
        )
        for kpi in discover_kpis().values()
    ]
    return (
        f"{_NOTE}# Indicators\n\nWhat `garonne report` computes. In the store each is measurement `kpi`, its tag `kpi` "
        "is the name and the variant with a point between them, such as `energy_saving.degree_days`. A value counts "
        "where the field `assessed` is true. The JSON file follows "
        "[report.schema.json](../../services/aggregator/report/report.schema.json).\n\n"
        + _table(("name", "indicator", "unit", "programme", "asked about", "serves"), *rows)
        + "\n## Catalogue\n\nEvery indicator that can be named, from [catalogue.toml]"
        "(../../services/aggregator/kpis/catalogue.toml), with what Garonne says of it.\n\n"
        + _table(("indicator", "slug", "level", "theme", "unit", "status", "verified"), *_catalogue_rows())
    )
