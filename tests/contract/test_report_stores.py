"""A report is the same whichever store it is read from."""

from pathlib import Path

import pytest

from services.aggregator.adapters.influx import InfluxStore
from services.reporting import make_report
from services.runtime.settings import InfluxSettings, Settings
from tests.report_city import BASELINE, END, START, build_city
from tests.servers.running import Influx


async def _made(settings: Settings, folder: Path) -> list[str]:
    paths = await make_report(
        settings,
        start=START,
        end=END,
        baseline_start=BASELINE[0],
        baseline_end=BASELINE[1],
        language="fr",
        formats=("html", "json"),
        folder=folder,
    )
    return [path.read_text("utf-8") for path in paths]


@pytest.mark.servers
async def test_influxdb_and_the_embedded_file_give_the_same_report(tmp_path: Path) -> None:
    """Page and JSON, byte for byte; and InfluxDB keeps the values as measurement `kpi`."""
    city = await build_city(tmp_path)
    embedded = await _made(city.settings, tmp_path / "embedded")
    with Influx(tmp_path / "influx") as server:
        # This server keeps raw points for ever: the invented winters grow older than two years.
        influx = InfluxSettings(url=server.url, org=server.org, token_file=server.token_file)
        async with InfluxStore(influx) as store:
            assert await store.write(city.points) == []
            settings = city.settings.model_copy(update={"storage": "servers", "influxdb": influx})
            assert await _made(settings, tmp_path / "servers") == embedded
            rows = await store.select("kpi", start=None, end=None)
            assert {row.tags["subject"] for row in rows if row.fields["assessed"]} >= {"familles", "castors", "bx-0"}
            ends = {row.time_ns for row in rows if row.tags["programme"] == "familles"}
            assert len(ends) == 1, "at the end of the period"
