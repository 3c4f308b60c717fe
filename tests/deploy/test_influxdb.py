"""The shipped InfluxDB configuration and set-up on a real InfluxDB: only paths and the port are changed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.ports import Point, Unavailable
from services.runtime.settings import InfluxSettings, read_settings
from tests.deploy.shipped import ShippedInflux
from tests.servers.running import Influx, ServerFailed

pytestmark = pytest.mark.servers

DAY_S = 86_400


@pytest.fixture(scope="module")
def influx(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedInflux]:
    """Set up once."""
    with ShippedInflux(tmp_path_factory.mktemp("shipped-influx"), site) as server:
        server.set_up(site)
        yield server


def _store(influx: Influx, site: Path, holder: str) -> InfluxStore:
    shipped = read_settings(site / "deploy/garonne.toml").influxdb
    here = {
        "url": influx.url,
        "ca_file": site / "deploy/secrets/ca.crt",
        "token_file": site / f"deploy/secrets/{holder}.token",
    }
    return InfluxStore(InfluxSettings.model_validate({**shipped.model_dump(), **here}))


def _point(measurement: str) -> Point:
    tags = {"meter": (("household", "h"),), "energy": (("household", "h"),), "kpi": (("kpi", "k"),)}[measurement]
    return Point(measurement, tags, (("value", 1.0),), 1_790_000_000_000_000_000)


def test_buckets_keep_what_is_promised(influx: ShippedInflux, site: Path) -> None:
    """Raw keeps as long as ingest takes old readings, rollup and kpi for ever."""
    influx.as_holder(site, "influxdb_operator.token")
    found = influx.request("GET", "/api/v2/buckets?limit=100")["buckets"]
    kept = {each["name"]: sum(rule["everySeconds"] for rule in each["retentionRules"]) for each in found}
    accepted_days = read_settings(site / "deploy/garonne.toml").accept_past_days
    assert kept["garonne_raw"] == accepted_days * DAY_S
    assert kept["garonne_rollup"] == kept["garonne_kpi"] == 0


@pytest.mark.parametrize(
    ("holder", "measurement", "may"),
    [
        ("aggregator", "meter", True),
        ("aggregator", "energy", True),
        ("aggregator", "kpi", False),
        ("report", "kpi", True),
        ("report", "meter", False),
        ("report", "energy", False),
        ("grafana", "meter", False),
        ("grafana", "energy", False),
        ("grafana", "kpi", False),
    ],
)
async def test_a_token_writes_only_where_it_must(
    influx: Influx, site: Path, holder: str, measurement: str, *, may: bool
) -> None:
    """Least privilege, by the aggregator's own store."""
    async with _store(influx, site, holder) as store:
        if may:
            assert list(await store.write([_point(measurement)])) == []
        else:
            with pytest.raises(Unavailable):
                await store.write([_point(measurement)])


@pytest.mark.parametrize(
    ("holder", "bucket", "may"),
    [
        ("aggregator", "garonne_raw", True),
        ("aggregator", "garonne_rollup", True),
        ("report", "garonne_raw", True),
        ("report", "garonne_kpi", True),
        ("grafana", "garonne_rollup", True),
        ("grafana", "garonne_kpi", True),
        ("grafana", "garonne_raw", False),
        ("aggregator", "garonne_kpi", False),
    ],
)
async def test_a_token_reads_only_what_it_must(
    influx: ShippedInflux, site: Path, holder: str, bucket: str, *, may: bool
) -> None:
    """In InfluxQL, where a bucket answers as the database of its name; another bucket looks empty."""
    for writer, measurement in (("aggregator", "meter"), ("aggregator", "energy"), ("report", "kpi")):
        async with _store(influx, site, writer) as store:
            await store.write([_point(measurement)])
    influx.as_holder(site, f"{holder}.token")
    assert bool(influx.query("SHOW MEASUREMENTS", bucket)) is may


def test_setting_up_again_changes_nothing(influx: ShippedInflux, site: Path) -> None:
    """It runs at each `docker compose up`: tokens in use stay valid."""
    tokens = {path: path.read_text("utf-8") for path in (site / "deploy/secrets").glob("*.token")}
    assert all(tokens.values())
    assert influx.set_up(site) == "InfluxDB is set up\n"
    assert {path: path.read_text("utf-8") for path in tokens} == tokens


def test_a_lost_token_is_replaced_and_the_old_one_ends(influx: ShippedInflux, site: Path) -> None:
    """In the same file, because containers have it mounted; no other token changes."""
    path = site / "deploy/secrets/grafana.token"
    old, inode = path.read_text("utf-8"), path.stat().st_ino
    os.truncate(path, 0)
    assert influx.set_up(site) == "made the token grafana\nInfluxDB is set up\n"
    assert path.read_text("utf-8") not in {"", old}
    assert path.stat().st_ino == inode
    influx.token = old
    with pytest.raises(ServerFailed, match="401"):
        influx.request("GET", "/api/v2/buckets")


@pytest.mark.parametrize(("bucket", "days"), [("garonne_raw", 0), ("garonne_rollup", 30)])
def test_a_retention_that_somebody_changed_is_set_right(
    influx: ShippedInflux, site: Path, bucket: str, days: int
) -> None:
    """What stands in the set-up is what holds, in both directions."""
    influx.as_holder(site, "influxdb_operator.token")
    path = f"/api/v2/buckets?name={bucket}"
    before = influx.request("GET", path)["buckets"][0]
    wrong = {"retentionRules": [{"type": "expire", "everySeconds": days * DAY_S}]}
    influx.request("PATCH", f"/api/v2/buckets/{before['id']}", wrong)
    assert influx.request("GET", path)["buckets"][0]["retentionRules"] != before["retentionRules"]
    assert f"set the retention of the bucket {bucket}" in influx.set_up(site)
    assert influx.request("GET", path)["buckets"][0]["retentionRules"] == before["retentionRules"]


def test_nobody_reads_without_a_token(influx: ShippedInflux) -> None:
    """No token, no figures."""
    influx.token = "made-up"
    with pytest.raises(ServerFailed, match="401"):
        influx.query("SHOW MEASUREMENTS", "garonne_rollup")
