"""What an independent encoder sends over MQTT is what stands on Kafka: every CAM, value by value.

`GARONNE_CAMS` is how many; 100,000 is what the proof asks for, fewer are run each time.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from pycrate_asn1dir import ITS_CAM_2, ITS_r1318
from pydantic_core import from_json

from schemas.codec import decode
from schemas.mobility import VehicleState
from services.ingest.codecs.its_time import instant, to_its
from services.ingest.pseudonyms import Pseudonyms, read_keys
from tests.e2e.ledger import values_of
from tests.e2e.publisher import Publisher, Sent
from tests.e2e.site import Site, wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

_MANY = int(os.environ.get("GARONNE_CAMS", "5000"))
_TYPES = {1: ITS_r1318.CAM_PDU_Descriptions.CAM, 2: ITS_CAM_2.CAM_PDU_Descriptions.CAM}


class Said(NamedTuple):
    """What a message said, in the units of the record."""

    generated_ms: int
    station_type: int
    latitude_deg: float
    longitude_deg: float
    speed_mps: float | None
    heading_deg: float | None
    acceleration_mps2: float | None


def _cams(chance: Random, said: dict[int, Said]) -> Iterator[Sent]:
    """Each from a station of its own, so that it can be found again; what it says is put into `said`."""
    for station_id in range(1, _MANY + 1):
        version = chance.choice((1, 2))
        generated_ms = time.time_ns() // 1_000_000
        latitude, longitude = chance.randint(-899999999, 899999999), chance.randint(-1799999999, 1799999999)
        speed, heading, acceleration = chance.randint(0, 16383), chance.randint(0, 3601), chance.randint(-160, 161)
        vehicle = {
            "heading": {"headingValue": heading, "headingConfidence": chance.randint(1, 127)},
            "speed": {"speedValue": speed, "speedConfidence": chance.randint(1, 127)},
            "driveDirection": "forward",
            "vehicleLength": {"vehicleLengthValue": 42, "vehicleLengthConfidenceIndication": "noTrailerPresent"},
            "vehicleWidth": chance.randint(1, 62),
            "longitudinalAcceleration": {
                "longitudinalAccelerationValue": acceleration,
                "longitudinalAccelerationConfidence": 102,
            },
            "curvature": {"curvatureValue": chance.randint(-1000, 1000), "curvatureConfidence": "unavailable"},
            "curvatureCalculationMode": "unavailable",
            "yawRate": {"yawRateValue": chance.randint(-32766, 32767), "yawRateConfidence": "unavailable"},
        }
        station_type = chance.choice((5, 6, 8))
        said[station_id] = Said(
            generated_ms,
            station_type,
            latitude / 1e7,
            longitude / 1e7,
            None if speed >= 16382 else speed / 100,
            None if heading == 3601 else heading % 3600 / 10,
            None if acceleration == 161 else acceleration / 10,
        )
        place = {"latitude": latitude, "longitude": longitude}
        yield Sent(
            f"v2x/cam/public/{version}", _encoded(version, station_id, generated_ms, station_type, place, vehicle)
        )


def _encoded(  # noqa: PLR0917 - the parts of a message
    version: int, station_id: int, generated_ms: int, station_type: int, place: dict[str, int], vehicle: dict[str, Any]
) -> bytes:
    ellipse = {"semiMajorConfidence": 100, "semiMinorConfidence": 90, "semiMajorOrientation": 0}
    altitude = {"altitudeValue": 800001, "altitudeConfidence": "unavailable"}
    position = {**place, "positionConfidenceEllipse": ellipse, "altitude": altitude}
    kind = _TYPES[version]
    kind.set_val(
        {
            "header": {"protocolVersion": version, "messageID": 2, "stationID": station_id},
            "cam": {
                "generationDeltaTime": to_its(generated_ms) % 65_536,
                "camParameters": {
                    "basicContainer": {"stationType": station_type, "referencePosition": position},
                    "highFrequencyContainer": ("basicVehicleContainerHighFrequency", vehicle),
                },
            },
        }
    )
    octets: bytes = kind.to_uper()
    return octets


def _stored(site: Site) -> dict[str, VehicleState]:
    """The vehicle states on Kafka by the pseudonym of their station."""
    found = {}
    for value in values_of(site.kafka.bootstrap, "garonne.mobility"):
        record = decode(value).record
        assert isinstance(record, VehicleState)
        assert record.vehicle not in found
        found[record.vehicle] = record
    return found


def test_every_message_of_an_encoder_arrives_value_by_value(tmp_path: Path) -> None:
    """UPER of both versions over Mosquitto into Kafka: accepted = sent, none twice, and each record is the input."""
    said: dict[int, Said] = {}
    with Site(tmp_path, influx=False) as site:
        ingest = site.service("ingest")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        with Publisher(site.mosquitto.port) as publisher:
            publisher.publish(_cams(Random(5), said))  # noqa: S311 - repeatable chance
        wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == _MANY, "all acknowledged")
        names = Pseudonyms(read_keys(site.folder / "garonne.key"))
        stored = _stored(site)
        assert not [from_json(each) for each in values_of(site.kafka.bootstrap, "garonne.rejected")]
    assert len(stored) == len(said) == _MANY
    for station_id, wanted in said.items():
        generated_at = instant(wanted.generated_ms)
        assert generated_at is not None
        record = stored[names.vehicle(station_id, generated_at)]
        assert record.observed_at == generated_at
        assert record.position is not None
        assert wanted[1:] == (
            record.station_type,
            record.position.latitude_deg,
            record.position.longitude_deg,
            record.speed_mps,
            record.heading_deg,
            record.longitudinal_acceleration_mps2,
        )
