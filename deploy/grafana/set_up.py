"""Close the folder with restricted access: only the teams of coaches and of engineers see it, and administrators.

Grafana lets every account of an organisation see a new folder, and permissions cannot be provisioned by files. Safe to
run again: teams that are there are left with their members, the folder's permissions are set to what stands here.
Needs the standard library alone. People are put into a team on the screen (Administration, Teams).
"""

# ruff: noqa: INP001, T201 - a script of its own that says what it does

import argparse
import base64
import json
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "garonne-acces-restreint"
"""As scripts/dashboards names it in provisioning/dashboards/garonne.yaml."""
TEAMS: Final = ("Garonne: coachs", "Garonne: ingénieurs")
_VIEW: Final = 1
_PATIENCE_S: Final = 120.0


class Refused(Exception):
    """Grafana answered with an error; the text is its."""


class Grafana:
    """The HTTP API, as its administrator."""

    def __init__(self, url: str, password: str, authority: Path | None) -> None:
        self.url = url.rstrip("/")
        self._login = base64.b64encode(f"operator:{password}".encode()).decode()
        self._trusted = None if authority is None else ssl.create_default_context(cafile=authority)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call.

        Raises:
            Refused: an answer that is an error.
            OSError: no answer.
        """
        headers = {"Authorization": f"Basic {self._login}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - our own URL
        try:
            with urllib.request.urlopen(request, timeout=20, context=self._trusted) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None


def until_provisioned(grafana: Grafana, patience_s: float) -> None:
    """Wait until the folder is there.

    Raises:
        SystemExit: it does not come; Grafana's last answer is said.
    """
    deadline, last = time.monotonic() + patience_s, "no answer"
    while True:
        try:
            grafana.call("GET", f"/api/folders/{FOLDER}")
        except (OSError, Refused, ValueError) as problem:
            last = str(problem)
        else:
            return
        if time.monotonic() > deadline:
            sys.exit(f"set-up: the folder {FOLDER} is not there at {grafana.url}: {last}")
        time.sleep(0.5)


def team(grafana: Grafana, name: str) -> int:
    """The id of a team; it is made if there is none."""
    found = grafana.call("GET", "/api/teams/search?" + urllib.parse.urlencode({"name": name}))["teams"]
    if found:
        return int(found[0]["id"])
    print(f"made the team {name}")
    return int(grafana.call("POST", "/api/teams", {"name": name})["teamId"])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="set_up.py", description=__doc__)
    parser.add_argument("--url", default="https://grafana:3000")
    parser.add_argument("--password", type=Path, default=Path("/run/secrets/grafana_admin.password"), help="file")
    parser.add_argument("--authority", type=Path, default=Path("/run/secrets/ca.crt"), help="file")
    parser.add_argument("--patience", type=float, default=_PATIENCE_S, help="seconds")
    arguments = parser.parse_args()
    authority = arguments.authority if arguments.url.startswith("https:") else None
    grafana = Grafana(arguments.url, arguments.password.read_text("utf-8").strip(), authority)
    until_provisioned(grafana, arguments.patience)
    try:
        teams = [{"teamId": team(grafana, name), "permission": _VIEW} for name in TEAMS]
        # What is not listed goes: the roles Viewer and Editor, which Grafana gives to every folder.
        grafana.call("POST", f"/api/folders/{FOLDER}/permissions", {"items": teams})
    except Refused as refusal:
        sys.exit(f"set-up: {refusal}")
    print("Grafana is set up")


if __name__ == "__main__":
    main()
