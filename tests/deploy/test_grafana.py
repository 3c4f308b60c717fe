"""The folder with restricted access is closed: by the script of deploy/grafana, against the calls of Grafana's API.

No Grafana can be had from a package registry, so what answers here is a small server that keeps teams and permissions
as Grafana's HTTP API documents them (teams; folder permissions).
"""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from scripts.dashboards import DASHBOARDS, folder_uid
from scripts.dashboards.panels import RESTRICTED
from tests.deploy.conftest import ROOT

SCRIPT = ROOT / "deploy/grafana/set_up.py"
LOGIN = "Basic " + base64.b64encode(b"operator:secret").decode()


class _Grafana(BaseHTTPRequestHandler):
    folders: ClassVar[dict[str, list[dict[str, Any]]]] = {}
    teams: ClassVar[dict[str, int]] = {}

    def _answer(self, code: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")

    def do_GET(self) -> None:
        """A folder, or the teams of a name."""
        asked = urlsplit(self.path)
        if self.headers["Authorization"] != LOGIN:
            self._answer(401, {"message": "Invalid username or password"})
        elif asked.path == "/api/teams/search":
            name = parse_qs(asked.query)["name"][0]
            found = [{"id": self.teams[name], "name": name}] if name in self.teams else []
            self._answer(200, {"totalCount": len(found), "teams": found, "page": 1, "perPage": 1000})
        elif asked.path.removeprefix("/api/folders/") in self.folders:
            self._answer(200, {"uid": asked.path.removeprefix("/api/folders/")})
        else:
            self._answer(404, {"message": "folder not found"})

    def do_POST(self) -> None:
        """A new team, or the permissions of a folder."""
        body = self._body()
        if self.path == "/api/teams":
            self.teams[body["name"]] = len(self.teams) + 1
            self._answer(200, {"message": "Team created", "teamId": self.teams[body["name"]]})
        else:
            folder = self.path.removeprefix("/api/folders/").removesuffix("/permissions")
            self.folders[folder] = body["items"]
            self._answer(200, {"message": "Folder permissions updated"})

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """A server without teams, whose folder everybody sees."""
    _Grafana.teams.clear()
    _Grafana.folders.clear()
    _Grafana.folders[folder_uid(RESTRICTED)] = [
        {"role": "Viewer", "permission": 1},
        {"role": "Editor", "permission": 2},
    ]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Grafana)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def _run(url: str, tmp_path: Path, password: str = "secret") -> subprocess.CompletedProcess[str]:  # noqa: S107
    file = tmp_path / "password"
    file.write_text(password, "utf-8")
    command = [sys.executable, str(SCRIPT), "--url", url, "--password", str(file), "--patience", "0"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_only_coaches_and_engineers_see_the_restricted_folder(url: str, tmp_path: Path) -> None:
    """No role has it any more; run again it changes nothing, and teams keep their ids."""
    for _ in range(2):
        done = _run(url, tmp_path)
        assert done.returncode == 0, done.stderr
        assert _Grafana.folders == {
            folder_uid(RESTRICTED): [{"teamId": 1, "permission": 1}, {"teamId": 2, "permission": 1}]
        }
    assert len(_Grafana.teams) == 2


def test_what_is_wrong_is_said(url: str, tmp_path: Path) -> None:
    """A password that Grafana does not take, a folder that is not provisioned."""
    done = _run(url, tmp_path, "wrong")
    assert done.returncode != 0
    assert "Invalid username or password" in done.stderr
    _Grafana.folders.clear()
    assert "folder not found" in _run(url, tmp_path).stderr


def test_the_folder_that_is_closed_is_the_one_that_is_provisioned() -> None:
    """And the boards that look closer than the gate are in it."""
    provided = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/garonne.yaml").read_text("utf-8"))
    assert folder_uid(RESTRICTED) in {each["folderUid"] for each in provided["providers"]}
    assert f'"{folder_uid(RESTRICTED)}"' in SCRIPT.read_text("utf-8")
    inside = {board.uid for board in DASHBOARDS if board.folder == RESTRICTED}
    assert inside == {"garonne-mesures", "garonne-carrefours", "garonne-famille"}
