"""The bytes that vehicles and roadside units send: CAM, MAPEM and SPATEM, by pycrate's encoder.

A CAM is encoded once; from then on only its numbers are put in their places, which are found by trying.
`test_a_payload_is_what_the_encoder_makes_of_it` holds both equal.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from pycrate_asn1dir import ITS_CAM_2, ITS_IS

from tests.microsimulation.network import LIMIT_MPS, Crossroads, Point, degrees

__all__ = ["Awareness", "GroupTimes", "cam_json", "cam_octets", "cam_tree", "mapem", "spatem"]

MESSAGE_IDS: Final = {"spatem": 4, "mapem": 5}


class Awareness(NamedTuple):
    """What a CAM says, in the steps of the standard."""

    station_id: int
    delta_time: int
    station_type: int
    latitude: int
    longitude: int
    heading: int
    speed: int


_LOWEST: Final = Awareness(0, 0, 0, -900_000_000, -1_800_000_000, 0, 0)


class GroupTimes(NamedTuple):
    """A signal group: its eventState by name, and the tenths of the hour until which it lasts, least and most."""

    group: int
    event_state: str
    least: int
    most: int


def cam_tree(said: Awareness) -> dict[str, Any]:
    """A CAM of EN 302 637-2 v1.4.1 with what every vehicle's CAM has."""
    vehicle = {
        "heading": {"headingValue": said.heading, "headingConfidence": 10},
        "speed": {"speedValue": said.speed, "speedConfidence": 8},
        "driveDirection": "forward",
        "vehicleLength": {"vehicleLengthValue": 45, "vehicleLengthConfidenceIndication": "noTrailerPresent"},
        "vehicleWidth": 18,
        "longitudinalAcceleration": {"longitudinalAccelerationValue": 161, "longitudinalAccelerationConfidence": 102},
        "curvature": {"curvatureValue": 1023, "curvatureConfidence": "unavailable"},
        "curvatureCalculationMode": "unavailable",
        "yawRate": {"yawRateValue": 32767, "yawRateConfidence": "unavailable"},
    }
    ellipse = {"semiMajorConfidence": 4095, "semiMinorConfidence": 4095, "semiMajorOrientation": 3601}
    place = {
        "latitude": said.latitude,
        "longitude": said.longitude,
        "positionConfidenceEllipse": ellipse,
        "altitude": {"altitudeValue": 800001, "altitudeConfidence": "unavailable"},
    }
    return {
        "header": {"protocolVersion": 2, "messageID": 2, "stationID": said.station_id},
        "cam": {
            "generationDeltaTime": said.delta_time,
            "camParameters": {
                "basicContainer": {"stationType": said.station_type, "referencePosition": place},
                "highFrequencyContainer": ("basicVehicleContainerHighFrequency", vehicle),
            },
        },
    }


def _encoded(kind: Any, tree: dict[str, Any]) -> bytes:
    kind.set_val(tree)
    octets: bytes = kind.to_uper()
    return octets


def _whole(said: Awareness) -> int:
    return int.from_bytes(_encoded(ITS_CAM_2.CAM_PDU_Descriptions.CAM, cam_tree(said)), "big")


@cache
def _places() -> tuple[int, int, tuple[int, ...]]:
    """The message of the lowest numbers, its size, and where the last bit of each number is."""
    base = _whole(_LOWEST)
    size = len(_encoded(ITS_CAM_2.CAM_PDU_Descriptions.CAM, cam_tree(_LOWEST)))
    steps = (_LOWEST._replace(**{name: getattr(_LOWEST, name) + 1}) for name in Awareness._fields)
    return base, size, tuple((_whole(each) ^ base).bit_length() - 1 for each in steps)


def cam_octets(said: Awareness) -> bytes:
    """A CAM in UPER."""
    number, size, places = _places()
    for value, lowest, place in zip(said, _LOWEST, places, strict=True):
        number |= (value - lowest) << place
    return number.to_bytes(size, "big")


def cam_json(said: Awareness, unix_ms: int) -> bytes:
    """The same CAM as its-client sends it, version 2.4.0."""
    return (
        f'{{"message_type":"cam","version":"2.4.0","source_uuid":"car_{said.station_id}","timestamp":{unix_ms},'
        f'"message":{{"protocol_version":2,"station_id":{said.station_id},'
        f'"generation_delta_time":{said.delta_time},"basic_container":{{"station_type":{said.station_type},'
        f'"reference_position":{{"latitude":{said.latitude},"longitude":{said.longitude},'
        '"position_confidence_ellipse":{"semi_major":4095,"semi_minor":4095,"semi_major_orientation":3601},'
        '"altitude":{"value":800001,"confidence":15}}},"high_frequency_container":'
        f'{{"basic_vehicle_container_high_frequency":{{"heading":{{"value":{said.heading},"confidence":10}},'
        f'"speed":{{"value":{said.speed},"confidence":8}},"drive_direction":0,'
        '"vehicle_length":{"value":45,"confidence":0},"vehicle_width":18}}}}'
    ).encode()


def _header(message: str, junction: Crossroads) -> dict[str, Any]:
    return {"protocolVersion": 2, "messageID": MESSAGE_IDS[message], "stationID": junction.intersection}


def mapem(junction: Crossroads, revision: int) -> bytes:
    """The ingress lanes of a junction: stop line first, then offsets in centimetres."""
    latitude, longitude = degrees(junction.centre)
    geometry = {
        "id": {"region": 33, "id": junction.intersection},
        "revision": revision,
        "refPoint": {"lat": round(latitude * 1e7), "long": round(longitude * 1e7)},
        "laneWidth": 320,
        "speedLimits": [{"type": "vehicleMaxSpeed", "speed": round(LIMIT_MPS / 0.02)}],
        "laneSet": [_lane(each.number, each.approach, each.nodes, junction.centre) for each in junction.approaches],
    }
    tree = {"msgIssueRevision": 0, "intersections": [geometry]}
    return _encoded(ITS_IS.MAPEM_PDU_Descriptions.MAPEM, {"header": _header("mapem", junction), "map": tree})


def _lane(number: int, approach: int, nodes: Sequence[Point], centre: Point) -> dict[str, Any]:
    # Differences of rounded offsets: the errors of rounding do not add up.
    offsets = [(round(100 * (x - centre[0])), round(100 * (y - centre[1]))) for x, y in nodes]
    chain = [(x - before[0], y - before[1]) for before, (x, y) in zip([(0, 0), *offsets], offsets, strict=False)]
    return {
        "laneID": number,
        "ingressApproach": approach,
        "laneAttributes": {"directionalUse": (0b10, 2), "sharedWith": (0, 10), "laneType": ("vehicle", (0, 8))},
        "nodeList": ("nodes", [{"delta": ("node-XY6", {"x": x, "y": y})} for x, y in chain]),
        "connectsTo": [{"connectingLane": {"lane": 100 + number}, "signalGroup": number}],
    }


def spatem(junction: Crossroads, revision: int, minute: int, millisecond: int, groups: Sequence[GroupTimes]) -> bytes:
    """What all groups of a junction show, and until when."""
    state = {
        "id": {"region": 33, "id": junction.intersection},
        "revision": revision,
        "status": (0, 16),
        "moy": minute,
        "timeStamp": millisecond,
        "states": [{"signalGroup": each.group, "state-time-speed": [_event(each)]} for each in groups],
    }
    tree = {"header": _header("spatem", junction), "spat": {"intersections": [state]}}
    return _encoded(ITS_IS.SPATEM_PDU_Descriptions.SPATEM, tree)


def _event(said: GroupTimes) -> dict[str, Any]:
    timing: dict[str, Any] = {"minEndTime": said.least, "maxEndTime": said.most}
    if said.least == said.most:  # a fixed program knows it; nobody knows what traffic will actuate
        timing |= {"likelyTime": said.least, "confidence": 15}
    return {"eventState": said.event_state, "timing": timing}
