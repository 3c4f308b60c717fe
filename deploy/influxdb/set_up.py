"""Set InfluxDB 2.7 up: organisation, three buckets with their retention, one token for each who needs one.

Safe to run again: what is there is left, what is missing is made, a token that no longer works is made anew. Needs the
standard library alone. Tokens are written into files that `make-secrets` has made; InfluxDB shows a token only once.

| token | may |
| --- | --- |
| aggregator | read and write raw and rollup |
| report | read raw, rollup and kpi, write kpi |
| grafana | read rollup and kpi: nothing finer than half an hour leaves for a screen |
| auditor | read raw, rollup and kpi |
| operator | read, write and delete in all three: for `garonne forget` |

Ingest needs none: it does not know InfluxDB.
"""

# ruff: noqa: INP001, T201 - a script of its own that says what it does

import argparse
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

DAY_S: Final = 86_400
BUCKETS: Final = {"garonne_raw": 730 * DAY_S, "garonne_rollup": 0, "garonne_kpi": 0}
"""Seconds that a bucket keeps its points; 0 is for ever. Raw ends with `accept_past_days` of garonne.toml."""
TOKENS: Final = {
    "aggregator": {"garonne_raw": "rw", "garonne_rollup": "rw"},
    "report": {"garonne_raw": "r", "garonne_rollup": "r", "garonne_kpi": "rw"},
    "grafana": {"garonne_rollup": "r", "garonne_kpi": "r"},
    "auditor": {"garonne_raw": "r", "garonne_rollup": "r", "garonne_kpi": "r"},
    "operator": {"garonne_raw": "rw", "garonne_rollup": "rw", "garonne_kpi": "rw"},
}
_ACTIONS: Final = {"r": "read", "w": "write"}
_PATIENCE_S: Final = 120.0


class Refused(Exception):
    """InfluxDB answered with an error; the text is its."""


class Influx:
    """The HTTP API, as one user."""

    def __init__(self, url: str, token: str, authority: Path) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._trusted = ssl.create_default_context(cafile=authority)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, *, token: str | None = None) -> Any:
        """One call.

        Raises:
            Refused: an answer that is an error.
            OSError: no answer.
        """
        headers = {"Authorization": f"Token {token or self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - our own URL
        try:
            with urllib.request.urlopen(request, timeout=20, context=self._trusted) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None

    def until_ready(self) -> None:
        """Wait until it answers.

        Raises:
            SystemExit: it does not.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                if self.call("GET", "/health")["status"] == "pass":
                    return
            except (OSError, Refused, ValueError):
                pass
            if time.monotonic() > deadline:
                sys.exit(f"set-up: no InfluxDB answers at {self.url}")
            time.sleep(0.5)


def organisation(influx: Influx, name: str, password: str) -> str:
    """The organisation's id; the first run makes it, with the operator's token and password."""
    if influx.call("GET", "/api/v2/setup")["allowed"]:
        first, kept_s = next(iter(BUCKETS.items()))
        body = {"username": "operator", "password": password, "org": name, "token": influx.token, "bucket": first}
        influx.call("POST", "/api/v2/setup", {**body, "retentionPeriodSeconds": kept_s})
        print(f"made the organisation {name}")
    found = influx.call("GET", f"/api/v2/orgs?org={name}")
    return str(found["orgs"][0]["id"])


def buckets(influx: Influx, org: str) -> dict[str, str]:
    """The buckets' ids by name; their retention is set to what stands here."""
    ids = {}
    for name, kept_s in BUCKETS.items():
        rules = [{"type": "expire", "everySeconds": kept_s}]  # an empty list would leave a bucket's retention as it is
        found = influx.call("GET", f"/api/v2/buckets?orgID={org}&limit=100")["buckets"]
        bucket = next((each for each in found if each["name"] == name), None)
        if bucket is None:
            bucket = influx.call("POST", "/api/v2/buckets", {"orgID": org, "name": name, "retentionRules": rules})
            print(f"made the bucket {name}")
        elif sum(rule["everySeconds"] for rule in bucket["retentionRules"]) != kept_s:
            influx.call("PATCH", f"/api/v2/buckets/{bucket['id']}", {"retentionRules": rules})
            print(f"set the retention of the bucket {name}")
        ids[name] = str(bucket["id"])
    return ids


def _permissions(org: str, ids: dict[str, str], rights: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"action": _ACTIONS[letter], "resource": {"type": "buckets", "id": ids[name], "orgID": org}}
        for name, letters in rights.items()
        for letter in letters
    ]


def works(influx: Influx, token: str, ids: dict[str, str], rights: dict[str, str]) -> bool:
    """Whether a token is known and sees its buckets and no other."""
    try:
        seen = influx.call("GET", "/api/v2/buckets?limit=100", token=token)["buckets"]
    except Refused:
        return False
    return {each["name"] for each in seen if each["name"] in ids} == set(rights)


def token(influx: Influx, org: str, ids: dict[str, str], name: str, file: Path) -> None:
    """Make a token unless the file holds one that works; older tokens of the same name end."""
    rights = TOKENS[name]
    old = file.read_text("utf-8").strip()
    if old and works(influx, old, ids, rights):
        return
    description = f"garonne {name}"
    for each in influx.call("GET", f"/api/v2/authorizations?orgID={org}")["authorizations"]:
        if each["description"] == description:
            influx.call("DELETE", f"/api/v2/authorizations/{each['id']}")
    body = {"orgID": org, "description": description, "permissions": _permissions(org, ids, rights)}
    made = influx.call("POST", "/api/v2/authorizations", body)
    # In place, not by a new file: containers have this one mounted.
    with file.open("r+", encoding="utf-8") as writing:
        writing.truncate()
        writing.write(made["token"])
        writing.flush()
        os.fsync(writing.fileno())
    print(f"made the token {name}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="set_up.py", description=__doc__)
    parser.add_argument("--url", default="https://influxdb:8086")
    parser.add_argument("--org", default="garonne")
    parser.add_argument("--secrets", type=Path, default=Path("/run/secrets"), help="folder that make-secrets filled")
    arguments = parser.parse_args()
    folder: Path = arguments.secrets
    operator = (folder / "influxdb_operator.token").read_text("utf-8").strip()
    influx = Influx(arguments.url, operator, folder / "ca.crt")
    influx.until_ready()
    try:
        org = organisation(influx, arguments.org, (folder / "influxdb_admin.password").read_text("utf-8").strip())
        ids = buckets(influx, org)
        for name in TOKENS:
            token(influx, org, ids, name, folder / f"{name}.token")
    except Refused as refusal:
        sys.exit(f"set-up: {refusal}")
    print("InfluxDB is set up")


if __name__ == "__main__":
    main()
