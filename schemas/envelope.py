"""The CloudEvents 1.0 envelope: which topic, which key, which type a record has on Kafka."""

from typing import Annotated, Final, NamedTuple

from pydantic import Field

from schemas.citizen import AppEvaluation
from schemas.energy import IntervalEnergy, MeterReading, OutdoorTemperature
from schemas.ledger import LedgerEntry
from schemas.mobility import (
    HazardNearby,
    IntersectionGeometry,
    PriorityRequest,
    PriorityStatus,
    RoadHazard,
    SignalState,
    VehicleState,
)
from schemas.rejection import Rejected
from schemas.status import DeviceStatus

__all__ = ["KEYS", "RECORDS", "TOPICS", "AnyRecord", "Event", "key_of", "topic_of", "type_of"]

AnyRecord = Annotated[
    MeterReading
    | IntervalEnergy
    | OutdoorTemperature
    | VehicleState
    | RoadHazard
    | HazardNearby
    | SignalState
    | IntersectionGeometry
    | PriorityRequest
    | PriorityStatus
    | AppEvaluation
    | DeviceStatus
    | Rejected
    | LedgerEntry,
    Field(discriminator="kind"),
]
"""The closed set of records (design 5)."""


class Event(NamedTuple):
    """A record with its identity: `id` comes from what the device said, so a redelivery has the same."""

    id: str
    profile: str
    record: AnyRecord


RECORDS: Final = {
    model.model_fields["kind"].default: model
    for model in (
        MeterReading,
        IntervalEnergy,
        OutdoorTemperature,
        VehicleState,
        RoadHazard,
        HazardNearby,
        SignalState,
        IntersectionGeometry,
        PriorityRequest,
        PriorityStatus,
        AppEvaluation,
        DeviceStatus,
        Rejected,
        LedgerEntry,
    )
}

TOPICS: Final = {
    "meter_reading": "garonne.energy",
    "interval_energy": "garonne.energy",
    "outdoor_temperature": "garonne.energy",
    "vehicle_state": "garonne.mobility",
    "road_hazard": "garonne.mobility",
    "hazard_nearby": "garonne.mobility",
    "signal_state": "garonne.mobility",
    "intersection_geometry": "garonne.mobility",
    "priority_request": "garonne.mobility",
    "priority_status": "garonne.mobility",
    "app_evaluation": "garonne.citizen",
    "device_status": "garonne.status",
    "rejected": "garonne.rejected",
    "ledger_entry": "garonne.ledger",
}

KEYS: Final = {
    "meter_reading": "household",
    "interval_energy": "household",
    "outdoor_temperature": "station",
    "vehicle_state": "zone",
    "road_hazard": "action_id",
    "hazard_nearby": "zone",
    "signal_state": "intersection",
    "intersection_geometry": "intersection",
    "priority_request": "intersection",
    "priority_status": "intersection",
    "app_evaluation": "application",
    "device_status": "device",
    "rejected": "device",
    "ledger_entry": "device",
}
"""The field that is the Kafka key: what must stay in order stays in one partition."""


def topic_of(record: AnyRecord) -> str:
    """The Kafka topic of a record."""
    return TOPICS[record.kind]


def key_of(record: AnyRecord) -> str:
    """The Kafka key, and the CloudEvents subject, of a record."""
    return str(getattr(record, KEYS[record.kind]))


def type_of(kind: str) -> str:
    """The CloudEvents type; the number rises only with a change that breaks readers."""
    return f"eu.garonne.{kind}.v1"
