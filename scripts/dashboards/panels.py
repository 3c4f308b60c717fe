"""What a dashboard is made of: queries, panels, variables, and their place on the page. Source: kpis.md 5."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = [
    "KPI",
    "RESTRICTED",
    "ROLLUP",
    "SERVICES",
    "Dashboard",
    "Influx",
    "Interval",
    "Panel",
    "Prom",
    "Row",
    "Steps",
    "Values",
]

ROLLUP: Final = "garonne-rollup"
KPI: Final = "garonne-kpi"
SERVICES: Final = "garonne-services"
"""Data sources, as deploy/grafana/provisioning/datasources names them."""

RESTRICTED: Final = "Accès restreint"
"""The folder that an account sees only if it is in the team of coaches or of engineers (deploy/grafana/set_up.py)."""

REPORT: Final = "/public/garonne/rapport.html"
"""Where Grafana gives out the newest public report; docker-compose.yml puts it there."""

_TYPES: Final = {ROLLUP: "influxdb", KPI: "influxdb", SERVICES: "prometheus"}
_SCHEMA_VERSION: Final = 39
"""Old enough for Grafana 11, and newer ones migrate it."""
_COLUMNS: Final = 24

Kind = Literal["timeseries", "stat", "bargauge", "table"]
Json = dict[str, Any]


def _source(uid: str) -> Json:
    return {"type": _TYPES[uid], "uid": uid}


@dataclass(frozen=True)
class Influx:
    """An InfluxQL query; `alias` names its series."""

    query: str
    alias: str = ""
    source: str = ROLLUP
    table: bool = False

    def as_json(self, ref: str) -> Json:
        """The target of a panel."""
        form = "table" if self.table else "time_series"
        target: Json = {"refId": ref, "datasource": _source(self.source), "query": self.query, "rawQuery": True}
        return {**target, "resultFormat": form, **({"alias": self.alias} if self.alias else {})}


@dataclass(frozen=True)
class Prom:
    """A PromQL expression; `legend` names its series."""

    expression: str
    legend: str = ""
    source: str = SERVICES
    now: bool = False

    def as_json(self, ref: str) -> Json:
        """The target of a panel."""
        target: Json = {"refId": ref, "datasource": _source(self.source), "expr": self.expression, "editorMode": "code"}
        return {**target, "legendFormat": self.legend or "__auto", "instant": self.now, "range": not self.now}


@dataclass(frozen=True)
class Steps:
    """Colours by value: `base` below the first step."""

    base: str
    steps: tuple[tuple[float, str], ...] = ()

    def as_json(self) -> Json:
        """The thresholds of a field."""
        first: Json = {"color": self.base, "value": None}
        return {"mode": "absolute", "steps": [first, *({"color": c, "value": v} for v, c in self.steps)]}


@dataclass(frozen=True)
class Panel:
    """A picture with its title, unit, description and queries.

    Attributes:
        width: in 24ths of the page.
        units: of single columns.
        last: a span up to now that is shown whatever range is chosen, for a query that is dear.
    """

    kind: Kind
    title: str
    description: str
    unit: str
    queries: tuple[Influx | Prom, ...]
    width: int = 12
    height: int = 8
    thresholds: Steps = Steps("green")
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    stacked: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    last: str | None = None

    def as_json(self, number: int, place: Json) -> Json:
        """The panel at its place."""
        defaults: Json = {"unit": self.unit, "thresholds": self.thresholds.as_json(), "noValue": "–"}
        bounds = {"decimals": self.decimals, "min": self.least, "max": self.most}
        defaults |= {name: value for name, value in bounds.items() if value is not None}
        defaults["color"] = {"mode": "palette-classic" if self.kind == "timeseries" else "thresholds"}
        if self.kind == "timeseries":
            defaults["custom"] = self._lines()
        overrides = [
            {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
            for name, unit in self.units.items()
        ]
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "gridPos": place,
            "datasource": _source(self.queries[0].source),
            "targets": [query.as_json(chr(ord("A") + n)) for n, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": defaults, "overrides": overrides},
            "options": self._options(),
            **({"timeFrom": self.last} if self.last else {}),
        }

    def _lines(self) -> Json:
        lines: Json = {"lineWidth": 2, "fillOpacity": 40 if self.stacked else 8, "showPoints": "auto"}
        lines["thresholdsStyle"] = {"mode": "dashed" if self.thresholds.steps else "off"}
        return {**lines, "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"}}

    def _options(self) -> Json:
        reduce: Json = {"values": False, "calcs": ["lastNotNull"], "fields": ""}
        match self.kind:
            case "timeseries":
                legend: Json = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
                return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
            case "table":
                return {"showHeader": True, "cellHeight": "sm", "sortBy": []}
            case "bargauge":
                return {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": reduce}
            case _:
                return {"colorMode": "value", "graphMode": "area", "textMode": "auto", "reduceOptions": reduce}


@dataclass(frozen=True)
class Row:
    """A heading over the panels that follow."""

    title: str


@dataclass(frozen=True)
class Values:
    """A variable chosen from what a query finds: several values, all of them at first; or one, `start` at first.

    With `one` it is a single value, and the first that is found stands there at first.
    """

    name: str
    label: str
    description: str
    query: str
    source: str = ROLLUP
    start: str | None = None
    one: bool = False

    def as_json(self) -> Json:
        """The variable."""
        several = self.start is None and not self.one
        everything: Json = {"text": ["All"], "value": ["$__all"], "selected": True}
        first = self.start or ""
        chosen: Json = {"text": first, "value": first, "selected": bool(first)}
        current = everything if several else chosen
        head: Json = {"name": self.name, "label": self.label, "description": self.description, "type": "query"}
        more: Json = {"multi": several, "includeAll": several, "refresh": 2, "sort": 1, "hide": 0, "current": current}
        return {**head, **more, "query": self.query, "datasource": _source(self.source)}


@dataclass(frozen=True)
class Interval:
    """A variable that the viewer chooses from spans of time; the first one at first."""

    name: str
    label: str
    description: str
    spans: tuple[str, ...]

    def as_json(self) -> Json:
        """The variable."""
        options = [{"text": span, "value": span, "selected": not n} for n, span in enumerate(self.spans)]
        head: Json = {"name": self.name, "label": self.label, "description": self.description, "type": "custom"}
        return {**head, "query": ",".join(self.spans), "options": options, "current": options[0], "hide": 0}


@dataclass(frozen=True)
class Dashboard:
    """A page. Its uid and its file are the same for ever: links rest on them."""

    uid: str
    folder: str
    title: str
    description: str
    since: str
    refresh: str
    content: Sequence[Panel | Row]
    variables: tuple[Values | Interval, ...] = ()

    @property
    def panels(self) -> list[Panel]:
        """The panels, without headings."""
        return [each for each in self.content if isinstance(each, Panel)]

    def as_json(self) -> Json:
        """The file that Grafana reads."""
        link: Json = {"type": "dashboards", "title": "Garonne", "tags": ["garonne"], "asDropdown": True, "icon": ""}
        link |= {"tooltip": "", "url": "", "targetBlank": False, "keepTime": True, "includeVars": False}
        report: Json = {
            "type": "link",
            "title": "Rapport",
            "tags": [],
            "asDropdown": False,
            "icon": "doc",
            "url": REPORT,
        }
        report |= {"tooltip": "The newest report", "targetBlank": True, "keepTime": False, "includeVars": False}
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["garonne", self.folder.lower()],
            "timezone": "Europe/Paris",
            "weekStart": "monday",
            "schemaVersion": _SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "refresh": self.refresh,
            "time": {"from": self.since, "to": "now"},
            "links": [link, report],
            "templating": {"list": [each.as_json() for each in self.variables]},
            "annotations": {"list": []},
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[Json]:
        """From left to right, a new line where one is full."""
        x = y = height = 0
        for number, each in enumerate(self.content, 1):
            width, tall = (_COLUMNS, 1) if isinstance(each, Row) else (each.width, each.height)
            if x + width > _COLUMNS:
                x, y, height = 0, y + height, 0
            place = {"x": x, "y": y, "w": width, "h": tall}
            if isinstance(each, Row):
                yield {
                    "id": number,
                    "type": "row",
                    "title": each.title,
                    "collapsed": False,
                    "gridPos": place,
                    "panels": [],
                }
            else:
                yield each.as_json(number, place)
            x, height = x + width, max(height, tall)
