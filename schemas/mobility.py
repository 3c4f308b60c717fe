"""Compass4D: what vehicles and roadside units say, in SI units, by ETSI names."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Finite, Model, Pseudonym, Record, Slug, UtcInstant

__all__ = [
    "Connection",
    "HazardNearby",
    "IntersectionGeometry",
    "Lane",
    "Position",
    "PriorityRequest",
    "PriorityStatus",
    "RoadHazard",
    "SignalColour",
    "SignalGroupState",
    "SignalState",
    "VehicleState",
]

SignalColour = Literal["unavailable", "dark", "red", "red_amber", "green", "amber", "flashing_amber"]


class Position(Model):
    """WGS 84; a position at (0, 0) or with an ETSI sentinel is no position."""

    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    altitude_m: Finite | None = None


class VehicleState(Record):
    """A CAM (ETSI EN 302 637-2). `None` is the ETSI "unavailable"; a roadside unit has no speed.

    `zone` is the equipped junction, or the cell `q:<quadkey>` where no junction is configured.
    `vehicle` changes every day: it joins the messages of one crossing, not the trips of a person.
    """

    kind: Literal["vehicle_state"] = "vehicle_state"
    zone: Slug
    vehicle: Pseudonym
    station_type: Annotated[int, Field(ge=0, le=255)]
    position: Position | None = None
    speed_mps: Finite | None = None
    heading_deg: Annotated[float, Field(ge=0, lt=360)] | None = None
    longitudinal_acceleration_mps2: Finite | None = None
    yaw_rate_degps: Finite | None = None
    curvature_per_m: Finite | None = None
    vehicle_length_m: Finite | None = None
    vehicle_width_m: Finite | None = None
    vehicle_role: Annotated[int, Field(ge=0, le=255)] | None = None
    embarkation: bool | None = None
    brake_pedal: bool | None = None


class RoadHazard(Record):
    """A DENM (ETSI EN 302 637-3): an event's announcement, update, cancellation or negation.

    `observed_at` is the referenceTime. `action_id` is the pseudonym of `originatingStationID:sequenceNumber`.
    """

    kind: Literal["road_hazard"] = "road_hazard"
    action_id: Pseudonym
    station_type: Annotated[int, Field(ge=0, le=255)]
    detection_time: UtcInstant
    ends_at: UtcInstant
    validity_s: Annotated[int, Field(ge=0, le=86400)]
    termination: Literal["cancellation", "negation"] | None = None
    cause_code: Annotated[int, Field(ge=0, le=255)] | None = None
    sub_cause_code: Annotated[int, Field(ge=0, le=255)] | None = None
    position: Position | None = None
    event_speed_mps: Finite | None = None
    event_heading_deg: Annotated[float, Field(ge=0, lt=360)] | None = None
    relevance_distance_m: Finite | None = None
    relevance_direction: Annotated[int, Field(ge=0, le=3)] | None = None
    information_quality: Annotated[int, Field(ge=0, le=7)] | None = None
    transmission_interval_s: Finite | None = None


class HazardNearby(Record):
    """What a DENM says to one junction in its reach: the same event as its `RoadHazard`, under the junction's key.

    So an event and the vehicles that pass it stand in one partition of the log. `observed_at` is the referenceTime.
    """

    kind: Literal["hazard_nearby"] = "hazard_nearby"
    zone: Slug
    action_id: Pseudonym
    detection_time: UtcInstant
    ends_at: UtcInstant
    termination: Literal["cancellation", "negation"] | None = None
    cause_code: Annotated[int, Field(ge=0, le=255)] | None = None
    sub_cause_code: Annotated[int, Field(ge=0, le=255)] | None = None
    position: Position
    event_heading_deg: Annotated[float, Field(ge=0, lt=360)] | None = None
    relevance_distance_m: Finite | None = None
    relevance_direction: Annotated[int, Field(ge=0, le=3)] | None = None


class SignalGroupState(Model):
    """One signal group: its MovementPhaseState and when it may end, as instants."""

    signal_group: Annotated[int, Field(ge=0, le=255)]
    event_state: Annotated[int, Field(ge=0, le=9)]
    colour: SignalColour
    min_end: UtcInstant | None = None
    max_end: UtcInstant | None = None
    likely_end: UtcInstant | None = None
    confidence_percent: Finite | None = None
    advisory_speed_mps: Finite | None = None


class SignalState(Record):
    """A SPATEM of one intersection (ISO/TS 19091)."""

    kind: Literal["signal_state"] = "signal_state"
    intersection: Slug
    revision: Annotated[int, Field(ge=0, le=127)] | None = None
    status: tuple[Slug, ...] = ()
    groups: tuple[SignalGroupState, ...] = ()


class Connection(Model):
    """A way from an ingress lane to another lane, and the signal group that governs it."""

    lane: Annotated[int, Field(ge=0, le=255)]
    signal_group: Annotated[int, Field(ge=0, le=255)] | None = None
    connection_id: Annotated[int, Field(ge=0, le=255)] | None = None
    maneuvers: tuple[Slug, ...] = ()


class Lane(Model):
    """A lane; the first node of an ingress lane is its stop line."""

    lane_id: Annotated[int, Field(ge=0, le=255)]
    ingress_approach: int | None = None
    egress_approach: int | None = None
    width_m: Finite | None = None
    nodes: tuple[Position, ...] = ()
    connections: tuple[Connection, ...] = ()


class IntersectionGeometry(Record):
    """A MAPEM of one intersection (ISO/TS 19091)."""

    kind: Literal["intersection_geometry"] = "intersection_geometry"
    intersection: Slug
    revision: Annotated[int, Field(ge=0, le=127)] | None = None
    reference: Position
    lane_width_m: Finite | None = None
    speed_limit_mps: Finite | None = None
    lanes: tuple[Lane, ...] = ()


class PriorityRequest(Record):
    """One request of an SREM; position, speed and heading are the requestor's when it asked."""

    kind: Literal["priority_request"] = "priority_request"
    intersection: Slug
    requestor: Pseudonym
    request_id: Annotated[int, Field(ge=0, le=255)]
    request_type: Literal["request", "update", "cancellation", "unknown"]
    role: Annotated[int, Field(ge=0, le=255)] | None = None
    inbound_lane: int | None = None
    outbound_lane: int | None = None
    arrival_at: UtcInstant | None = None
    duration_s: Finite | None = None
    position: Position | None = None
    speed_mps: Finite | None = None
    heading_deg: Annotated[float, Field(ge=0, lt=360)] | None = None


class PriorityStatus(Record):
    """One answer of an SSEM."""

    kind: Literal["priority_status"] = "priority_status"
    intersection: Slug
    requestor: Pseudonym | None = None
    request_id: Annotated[int, Field(ge=0, le=255)] | None = None
    status: Annotated[int, Field(ge=0, le=15)]
    inbound_lane: int | None = None
