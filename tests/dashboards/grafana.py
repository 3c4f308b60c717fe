"""What Grafana does with a query: put the chosen values and times into it, and send it to the data source."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import yaml

from scripts.dashboards import DASHBOARDS
from scripts.dashboards.alerts import Alert
from scripts.dashboards.panels import KPI, Dashboard, Influx, Interval, Panel, Prom, Values
from tests.servers.running import Influx as Server

__all__ = ["ROOT", "Asked", "Screen", "data_sources", "questions"]

ROOT: Final = Path(__file__).resolve().parents[2]
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """A query of a panel."""

    board: Dashboard
    panel: Panel
    query: Influx | Prom

    def __str__(self) -> str:
        return f"{self.board.uid}: {self.panel.title} {self.panel.queries.index(self.query)}"


def questions() -> list[Asked]:
    """Every query of every panel."""
    return [Asked(board, panel, query) for board in DASHBOARDS for panel in board.panels for query in panel.queries]


def data_sources() -> Mapping[str, Mapping[str, Any]]:
    """The provisioned data sources by uid."""
    path = ROOT / "deploy/grafana/provisioning/datasources/garonne.yaml"
    return {each["uid"]: each for each in yaml.safe_load(path.read_text("utf-8"))["datasources"]}


@dataclass
class Screen:
    """A viewer with a time range and choices; a variable without a choice has all its values.

    Indicators are looked at from further away: `told` is their time range.
    """

    server: Server
    start: datetime
    end: datetime
    told: tuple[datetime, datetime]
    chosen: dict[str, str] = field(default_factory=dict)

    def rows(self, source: str, query: str) -> Rows:
        """What a data source answers to a query whose variables are filled in."""
        database = data_sources()[source]["jsonData"]["dbName"]
        answer = self.server.request("POST", "/query?" + urlencode({"db": database, "q": query, "epoch": "ms"}))
        result = answer["results"][0]
        assert "error" not in result, result
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
            for series in result.get("series", ())
            for values in series["values"]
        ]

    def ask(self, board: Dashboard, query: Influx, text: str | None = None) -> Rows:
        """What a panel shows."""
        return self.rows(query.source, self.filled(board, query.query if text is None else text, query.source))

    def judge(self, alert: Alert) -> Rows:
        """What the query of an alert finds."""
        assert isinstance(alert.query, Influx)
        return self.rows(alert.query.source, self._timed(alert.query.query, alert.query.source))

    def _timed(self, text: str, source: str) -> str:
        start, end = self.told if source == KPI else (self.start, self.end)
        return text.replace("$timeFilter", f"time >= {_ms(start)}ms AND time <= {_ms(end)}ms")

    def filled(self, board: Dashboard, text: str, source: str) -> str:
        """The query as Grafana sends it."""
        text = self._timed(text, source)
        for variable in board.variables:
            text = text.replace(f"${variable.name}", self.choice(variable))
        left = re.findall(r"\$[a-z_]+", text)
        assert not left, f"no variable {left} on {board.uid}"
        return text

    def choice(self, variable: Values | Interval) -> str:
        """A span, or an expression that fits what was chosen of the values."""
        if isinstance(variable, Interval):
            return self.chosen.get(variable.name, variable.spans[0])
        if variable.name in self.chosen:
            return self.chosen[variable.name]
        values = [str(row["value"]) for row in self.rows(variable.source, variable.query)]
        assert values, f"the variable {variable.name} has no value to choose from"
        if variable.start is not None:
            assert variable.start in values
            return variable.start
        if variable.one:
            return values[0]
        return "(" + "|".join(map(re.escape, values)) + ")"


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
