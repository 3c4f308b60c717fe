"""Points that InfluxDB refuses for good are kept in `garonne.rejected`; their neighbours are stored."""

from pathlib import Path

import pytest
from pydantic_core import from_json

from tests.e2e.ledger import expected, stored_in, until_committed, values_of
from tests.e2e.load import STARTED, plug
from tests.e2e.publisher import Publisher
from tests.e2e.site import Site, wait_until

pytestmark = pytest.mark.servers

_HOMES, _READINGS = 10, 40


def test_a_refused_point_is_rejected_its_neighbours_are_stored_and_offsets_go_on(tmp_path: Path) -> None:
    """Somebody wrote text where the power factor belongs: the readings that have one are refused, no others."""
    with Site(tmp_path) as site:
        at_ns = int(STARTED.timestamp()) * 1_000_000_000
        site.influx.write(f'meter,carrier=electricity,household=h_0,meter=m_0 power_factor_total_1="high" {at_ns}')
        ingest, aggregator = site.service("ingest"), site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        with Publisher(site.mosquitto.port) as publisher:
            acknowledged = publisher.publish(
                plug(home, number, 100, 50 + number / 10, **({"Factor": 0.9} if (home + number) % 7 == 0 else {}))
                for number in range(_READINGS)
                for home in range(_HOMES)
            )
        wanted = expected(tmp_path / "ingest.toml", acknowledged)
        refused = {each for each, fields in wanted.points.items() if "power_factor_total_1" in fields}
        stored = {each: fields for each, fields in wanted.points.items() if each not in refused}
        assert 0 < len(refused) < _HOMES * _READINGS
        wait_until(lambda: aggregator.metric("garonne_aggregator_refused_total") >= len(refused), "all are refused")
        until_committed(site)
        kept = [from_json(value) for value in values_of(site.kafka.bootstrap, "garonne.rejected")]
        found = stored_in(site, ("meter", "energy"))
        assert len({event["id"] for event in kept}) == len(refused)
        assert {(event["data"]["stage"], event["data"]["reason"]) for event in kept} == {("store", "field_type")}
        assert {each: fields for each, fields in found.items() if ("household", "h_0") not in each.tags} == stored
        assert aggregator.checks()[0] == 200
