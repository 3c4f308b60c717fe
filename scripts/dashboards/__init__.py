"""Grafana's dashboards, made here and committed under deploy/grafana/dashboards; a folder there is a folder in Grafana.

A figure about homes is a sum over at least ten of them of which none has more than half, and a figure about traffic is
of at least five vehicles: the query itself says so, so nobody sees a smaller group by looking closer (kpis.md 7).
"""

import json
from collections.abc import Iterator
from pathlib import Path

from scripts.dashboards.families import families
from scripts.dashboards.indicators import indicators
from scripts.dashboards.panels import Dashboard
from scripts.dashboards.platform import platform
from scripts.dashboards.traffic import traffic

__all__ = ["DASHBOARDS", "dashboard_files"]

DASHBOARDS: tuple[Dashboard, ...] = (indicators(), families(), traffic(), platform())
_FOLDER = Path("deploy") / "grafana" / "dashboards"


def dashboard_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Each dashboard's file with what it must hold."""
    for board in DASHBOARDS:
        text = json.dumps(board.as_json(), indent=2, ensure_ascii=False) + "\n"
        yield root / _FOLDER / board.folder / f"{board.uid}.json", text
