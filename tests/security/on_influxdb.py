"""What is tried at the time series: TLS and the tokens of `deploy/influxdb/set_up.py` are those that are shipped."""

import asyncio
import json
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.ports import Point, Unavailable
from services.runtime.settings import InfluxSettings
from tests.deploy.shipped import ShippedInflux
from tests.security.registry import attack

_AT = 1_790_000_000_000_000_000
_STRANGER = "who reached the inner network"


@dataclass(frozen=True)
class Series:
    """The shipped InfluxDB with its secrets."""

    server: ShippedInflux
    site: Path

    def token(self, holder: str) -> str:
        """The token of a service."""
        return (self.site / f"deploy/secrets/{holder}.token").read_text("utf-8").strip()

    def store(self, holder: str) -> InfluxStore:
        """Garonne's own store with that token."""
        authority = self.site / "deploy/secrets/ca.crt"
        return InfluxStore(InfluxSettings(url=self.server.url, ca_file=authority), token=self.token(holder))


def _asked(  # noqa: PLR0917 - the parts of a request
    series: Series, token: str | None, method: str, path: str, body: bytes | None = None, url: str = ""
) -> str:
    headers = {} if token is None else {"Authorization": f"Token {token}"}
    call = urllib.request.Request((url or series.server.url) + path, body, headers, method=method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(call, timeout=20, context=series.server.trusted) as answer:  # noqa: S310
            content = answer.read()
            return f"{answer.status} {content[:60].decode()}".strip()
    except HTTPError as refusal:
        with refusal:  # its connection is closed now, and not when somebody collects it
            return str(refusal.code)
    except URLError as refusal:
        return type(refusal.reason).__name__


def _writes(series: Series, holder: str, bucket: str) -> str:
    query = urlencode({"org": "garonne", "bucket": bucket})
    return _asked(series, series.token(holder), "POST", f"/api/v2/write?{query}", b"energy,household=h value=1")


def _deletes(series: Series, holder: str, bucket: str) -> str:
    query = urlencode({"org": "garonne", "bucket": bucket})
    body = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}
    return _asked(series, series.token(holder), "POST", f"/api/v2/delete?{query}", json.dumps(body).encode())


def _measurements(series: Series, holder: str, bucket: str) -> str:
    """What a holder sees of a bucket that is not empty."""
    for owner, measurement in (("aggregator", "meter"), ("aggregator", "energy"), ("report", "kpi")):
        asyncio.run(_store(series, owner, measurement))
    server = series.server.as_holder(series.site, f"{holder}.token")
    return "sees nothing" if not server.query("SHOW MEASUREMENTS", bucket) else "sees measurements"


async def _store(series: Series, owner: str, measurement: str) -> None:
    tags = (("household", "h_one"),) if measurement != "kpi" else (("kpi", "k"),)
    async with series.store(owner) as store:
        assert list(await store.write([Point(measurement, tags, (("value", 1.0),), _AT)])) == []


@attack("influxdb", "influxdb-plain", who=_STRANGER, tries="speaks HTTP without TLS", refusal="400")
def _plain(series: Series) -> str:
    return _asked(series, series.token("grafana"), "GET", "/query", url=series.server.url.replace("https", "http"))


@attack("influxdb", "influxdb-no-token", who=_STRANGER, tries="asks without a token", refusal="401")
def _no_token(series: Series) -> str:
    return _asked(series, None, "GET", "/api/v2/buckets")


@attack("influxdb", "influxdb-wrong-token", who=_STRANGER, tries="asks with a made-up token", refusal="401")
def _wrong_token(series: Series) -> str:
    return _asked(series, "x" * 88, "GET", "/query?" + urlencode({"db": "garonne_raw", "q": "SHOW MEASUREMENTS"}))


@attack("influxdb", "influxdb-first-set-up", who=_STRANGER, tries="sets it up anew", refusal="422")
def _set_up(series: Series) -> str:
    body = {"username": "x", "password": "x" * 12, "org": "x", "bucket": "x"}
    return _asked(series, None, "POST", "/api/v2/setup", json.dumps(body).encode())


@attack("influxdb", "influxdb-grafana-writes", who="who took over Grafana", tries="writes energy", refusal="403")
def _grafana_writes(series: Series) -> str:
    return _writes(series, "grafana", "garonne_rollup")


@attack(
    "influxdb",
    "influxdb-grafana-raw",
    who="who took over Grafana",
    tries="reads single readings",
    refusal="sees nothing",
)
def _grafana_raw(series: Series) -> str:
    return _measurements(series, "grafana", "garonne_raw")


@attack("influxdb", "influxdb-report-writes", who="who took over the report", tries="writes energy", refusal="403")
def _report_writes(series: Series) -> str:
    return _writes(series, "report", "garonne_rollup")


@attack("influxdb", "influxdb-report-deletes", who="who took over the report", tries="deletes energy", refusal="403")
def _report_deletes(series: Series) -> str:
    return _deletes(series, "report", "garonne_rollup")


@attack("influxdb", "influxdb-auditor-deletes", who="an auditor", tries="deletes readings", refusal="403")
def _auditor_deletes(series: Series) -> str:
    return _deletes(series, "auditor", "garonne_raw")


@attack(
    "influxdb", "influxdb-aggregator-kpi", who="who took over the aggregator", tries="writes indicators", refusal="403"
)
def _aggregator_kpi(series: Series) -> str:
    return _writes(series, "aggregator", "garonne_kpi")


@attack(
    "influxdb", "influxdb-own-token", who="who took over the aggregator", tries="makes itself a token", refusal="401"
)
def _own_token(series: Series) -> str:
    server = series.server.as_holder(series.site, "aggregator.token")
    org = server.request("GET", "/api/v2/buckets?name=garonne_raw")["buckets"][0]["orgID"]
    body = {"orgID": org, "permissions": [{"action": "read", "resource": {"type": "buckets", "orgID": org}}]}
    return _asked(series, series.token("aggregator"), "POST", "/api/v2/authorizations", json.dumps(body).encode())


@attack(
    "influxdb",
    "influxql-injection",
    who="who names a household in a command",
    tries="closes the quote of an InfluxQL condition: `x' OR '1'='1`",
    refusal="no rows",
)
def _influxql(series: Series) -> str:
    async def asked() -> str:
        await _store(series, "aggregator", "energy")
        async with series.store("operator") as store:
            assert await store.select("energy", tags={"household": "h_one"})
            forms = ("x' OR '1'='1", "x\\' OR 1=1 --", "h_one' --", "x\n' OR ''='")
            found = [row for each in forms for row in await store.select("energy", tags={"household": each})]
            return "no rows" if not found else "rows of others"

    return asyncio.run(asked())


@attack(
    "influxdb",
    "delete-injection",
    who="who names a household in a command",
    tries='closes the quote of a deletion: `x" OR household="h_one`',
    refusal="nothing is deleted",
)
def _delete(series: Series) -> str:
    async def asked() -> str:
        await _store(series, "aggregator", "energy")
        async with series.store("operator") as store:
            for form in ('x" OR household="h_one', '" OR "a"="a', 'x\\" OR household="h_one'):
                with suppress(Unavailable, ValueError):
                    await store.forget({"household": form})
            rows = await store.select("energy", tags={"household": "h_one"})
            return "nothing is deleted" if rows else "others are deleted"

    return asyncio.run(asked())
