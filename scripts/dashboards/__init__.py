"""Grafana's dashboards and alerts, made here and committed under deploy/; each folder has a provider of its own.

Boards for everybody show what `garonne kpi` has stored behind the gate for small groups, nothing else. What looks
closer lies in the folder with restricted access, and leaves small groups out in the query itself (docs/adr/0031).
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from scripts.dashboards.alerts import grafana_rules, prometheus_rules
from scripts.dashboards.compass import compass, junctions
from scripts.dashboards.family import family
from scripts.dashboards.homes import homes
from scripts.dashboards.indicators import indicators
from scripts.dashboards.panel_of_citizens import panel_of_citizens
from scripts.dashboards.panels import Dashboard
from scripts.dashboards.platform import platform
from scripts.dashboards.teams import teams

__all__ = ["DASHBOARDS", "dashboard_files", "folder_uid"]

DASHBOARDS: tuple[Dashboard, ...] = (
    indicators(),
    teams(),
    compass(),
    panel_of_citizens(),
    platform(),
    homes(),
    family(),
    junctions(),
)
_DEPLOY: Final = Path("deploy")
_BOARDS: Final = _DEPLOY / "grafana" / "dashboards"
_PROVISIONING: Final = _DEPLOY / "grafana" / "provisioning"
_IN_CONTAINER: Final = "/var/lib/grafana-dashboards"
_WRITTEN: Final = (
    "# Written by scripts/generate from scripts/dashboards; what somebody changes on the screen is not kept.\n"
)


def folder_uid(folder: str) -> str:
    """The same for ever, so that permissions stay."""
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    return "garonne-" + re.sub(r"[^a-z0-9]+", "-", plain)


def _path_of(folder: str) -> str:
    return folder_uid(folder).removeprefix("garonne-")


def _providers() -> dict[str, Any]:
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": folder_uid(folder),
                "orgId": 1,
                "type": "file",
                "folder": folder,
                "folderUid": folder_uid(folder),
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 60,
                "options": {"path": f"{_IN_CONTAINER}/{_path_of(folder)}"},
            }
            for folder in dict.fromkeys(board.folder for board in DASHBOARDS)
        ],
    }


def _yaml(content: dict[str, Any]) -> str:
    # `$` begins a variable in Grafana's provisioning files, `$$` is one.
    return _WRITTEN + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def dashboard_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Each file of dashboards, providers and alerts with what it must hold."""
    for board in DASHBOARDS:
        text = json.dumps(board.as_json(), indent=2, ensure_ascii=False) + "\n"
        yield root / _BOARDS / _path_of(board.folder) / f"{board.uid}.json", text
    yield root / _PROVISIONING / "dashboards" / "garonne.yaml", _yaml(_providers())
    yield root / _PROVISIONING / "alerting" / "garonne.yaml", _yaml(grafana_rules()).replace("$", "$$")
    yield root / _DEPLOY / "prometheus" / "rules" / "garonne.yml", _yaml(prometheus_rules())
