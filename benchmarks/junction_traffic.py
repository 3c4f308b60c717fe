"""What a dozen junctions say at 5,000 CAM a second: cars at 10 Hz in UPER and JSON, SPATEM each second, MAPEM.

The cars come in a queueless flow: each drives up to the line, stands there for its red, and goes on. Each has a station
id of its own. A message is a template with its fields put in, so that making it costs next to nothing.
"""

import json
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pycrate_asn1dir import ITS_CAM_2

__all__ = ["CARS", "JUNCTIONS", "Said", "cam_json", "cam_uper", "cams", "junctions_file", "mapem", "spatem"]

JUNCTIONS: Final = 12
CARS: Final = 500
"""Cars in all zones at an instant: at 10 Hz 5,000 CAM a second."""

_NORTH_M: Final = 111_132.0
_LATITUDE_DEG: Final = 44.84
_LONGITUDE_DEG: Final = -0.58
_EAST_M: Final = _NORTH_M * math.cos(math.radians(_LATITUDE_DEG))
_LIMIT_MPS: Final = 13.89
_BRAKE_MPS2: Final = 2.0
_START_MPS2: Final = 1.5
_ENTRY_M: Final = 310.0
_EXIT_M: Final = 60.0
_STOP_LINE_M: Final = 15.0
_CYCLE_S: Final = 60.0
_GREEN_S: Final = 26.0
_AMBER_S: Final = 3.0
_HZ: Final = 10
_ITS_MS: Final = 1_072_915_200_000
_LEAP_MS: Final = 5_000
_REGION: Final = 33


class Said(NamedTuple):
    """One CAM: when, where and by whom; `junction` counts from 0."""

    at_ms: int
    junction: int
    station_id: int
    latitude: int
    longitude: int
    speed: int
    heading: int


def cams(start_ms: int, seconds: float) -> Iterator[Said]:
    """The CAMs of all junctions by time, from when all cars are there: some 5,000 for each second."""
    # A car is in the zone for 45 s on average, so that with one every 45 s / 500 there are 500.
    lasts_ms = 1000 * seconds
    every_ms = 1000 * _mean_stay_s() / CARS
    warm = math.ceil(1000 * _longest_s() / every_ms)
    driving: list[tuple[int, Iterator[Said]]] = []
    number, at_ms, begins_ms = -warm, 0, -warm * every_ms
    while at_ms < lasts_ms:
        while begins_ms <= at_ms:
            driving.append((number, _car(start_ms, number + warm, round(begins_ms))))
            number += 1
            begins_ms = number * every_ms
        still = []
        for car, its in driving:
            said = next(its, None)
            while said is not None and said.at_ms < start_ms + at_ms:
                said = next(its, None)
            if said is not None:
                yield said
                still.append((car, its))
        driving = still
        at_ms += 1000 // _HZ


def _car(start_ms: int, number: int, begins_ms: int) -> Iterator[Said]:
    junction, approach, lane = number % JUNCTIONS, number // JUNCTIONS % 4, number // JUNCTIONS // 4 % 2
    begins_ms -= begins_ms % (1000 // _HZ)
    for step, (before_m, speed_mps) in enumerate(_drive(start_ms + begins_ms, junction, approach)):
        east_m, north_m = _place(approach, lane, before_m)
        latitude_deg, longitude_deg = _centre(junction)
        yield Said(
            start_ms + begins_ms + step * 1000 // _HZ,
            junction,
            1_000_000 + number,
            round((latitude_deg + north_m / _NORTH_M) * 1e7),
            round((longitude_deg + east_m / _EAST_M) * 1e7),
            round(speed_mps * 100),
            approach * 900,
        )


def _drive(at_ms: int, junction: int, approach: int) -> Iterator[tuple[float, float]]:
    """Metres before the line and m/s, ten times a second."""
    before_m, speed_mps = _ENTRY_M, _LIMIT_MPS
    while before_m > -_EXIT_M:
        yield before_m, speed_mps
        wanted = min(_LIMIT_MPS, speed_mps + _START_MPS2 / _HZ)
        state, _ = _state(at_ms, junction, approach)
        if state != 6 and before_m > 0 and speed_mps**2 / (2 * _BRAKE_MPS2) < before_m:
            wanted = min(wanted, math.sqrt(2 * _BRAKE_MPS2 * max(0.0, before_m - 1.5)))
        wanted = max(0.0, wanted, speed_mps - 2 * _BRAKE_MPS2 / _HZ)
        before_m -= (speed_mps + wanted) / 2 / _HZ
        speed_mps = wanted if wanted > 0.05 else 0.0
        at_ms += 1000 // _HZ


def _state(at_ms: int, junction: int, approach: int) -> tuple[int, float]:
    """Event state of the group of an approach, and the seconds that are left of it."""
    in_cycle_s = (at_ms / 1000 + 7 * junction + 30 * (approach % 2)) % _CYCLE_S
    for until_s, state in ((_GREEN_S, 6), (_GREEN_S + _AMBER_S, 8), (_CYCLE_S, 3)):
        if in_cycle_s < until_s:
            return state, until_s - in_cycle_s
    raise AssertionError(in_cycle_s)


def _stays() -> list[int]:
    return [sum(1 for _ in _drive(1000 * second, 0, 0)) for second in range(0, 60, 2)]


def _mean_stay_s() -> float:
    stays = _stays()
    return sum(stays) / len(stays) / _HZ


def _longest_s() -> float:
    return max(_stays()) / _HZ


def _centre(junction: int) -> tuple[float, float]:
    return _LATITUDE_DEG + 0.02 * (junction // 4), _LONGITUDE_DEG + 0.02 * (junction % 4)


def _place(approach: int, lane: int, before_m: float) -> tuple[float, float]:
    """Metres east and north of the centre; approach 0 drives north, 1 east, and so on, on the right."""
    along_m, right_m = -(_STOP_LINE_M + before_m), 1.75 + 3.5 * lane
    heading = math.radians(90 * approach)
    return (
        along_m * math.sin(heading) + right_m * math.cos(heading),
        along_m * math.cos(heading) - right_m * math.sin(heading),
    )


def delta_time(at_ms: int) -> int:
    """The generationDeltaTime of an instant."""
    return (at_ms - _ITS_MS + _LEAP_MS) % 65_536


_JSON: Final = (
    '{"message_type":"cam","version":"2.4.0","source_uuid":"car_%d","timestamp":%d,"message":{"protocol_version":2,'
    '"station_id":%d,"generation_delta_time":%d,"basic_container":{"station_type":5,"reference_position":{"latitude":%d,'
    '"longitude":%d,"position_confidence_ellipse":{"semi_major":80,"semi_minor":60,"semi_major_orientation":900},'
    '"altitude":{"value":1830,"confidence":6}}},"high_frequency_container":{"basic_vehicle_container_high_frequency":'
    '{"heading":{"value":%d,"confidence":10},"speed":{"value":%d,"confidence":8},"drive_direction":0,"vehicle_length":'
    '{"value":44,"confidence":0},"vehicle_width":18,"longitudinal_acceleration":{"value":-7,"confidence":5},"curvature":'
    '{"value":-31,"confidence":4},"curvature_calculation_mode":0,"yaw_rate":{"value":-145,"confidence":4}}}}}'
)


def cam_json(said: Said, at_ms: int) -> bytes:
    """The CAM of its-client, as of an instant."""
    return (
        _JSON
        % (said.station_id, at_ms, said.station_id, delta_time(at_ms), said.latitude, said.longitude, said.heading,
           said.speed)
    ).encode()  # fmt: skip


def _template(latitude: int = 0, longitude: int = 0, heading: int = 0, speed: int = 0) -> int:
    cam = ITS_CAM_2.CAM_PDU_Descriptions.CAM
    cam.set_val(
        {
            "header": {"protocolVersion": 2, "messageID": 2, "stationID": 0},
            "cam": {
                "generationDeltaTime": 0,
                "camParameters": {
                    "basicContainer": {
                        "stationType": 5,
                        "referencePosition": {
                            "latitude": latitude,
                            "longitude": longitude,
                            "positionConfidenceEllipse": {
                                "semiMajorConfidence": 80,
                                "semiMinorConfidence": 60,
                                "semiMajorOrientation": 900,
                            },
                            "altitude": {"altitudeValue": 1830, "altitudeConfidence": "alt-001-00"},
                        },
                    },
                    "highFrequencyContainer": (
                        "basicVehicleContainerHighFrequency",
                        {
                            "heading": {"headingValue": heading, "headingConfidence": 10},
                            "speed": {"speedValue": speed, "speedConfidence": 8},
                            "driveDirection": "forward",
                            "vehicleLength": {
                                "vehicleLengthValue": 44,
                                "vehicleLengthConfidenceIndication": "noTrailerPresent",
                            },
                            "vehicleWidth": 18,
                            "longitudinalAcceleration": {
                                "longitudinalAccelerationValue": -7,
                                "longitudinalAccelerationConfidence": 5,
                            },
                            "curvature": {"curvatureValue": -31, "curvatureConfidence": "unavailable"},
                            "curvatureCalculationMode": "yawRateUsed",
                            "yawRate": {"yawRateValue": -145, "yawRateConfidence": "unavailable"},
                        },
                    ),
                },
            },
        }
    )
    return int.from_bytes(cam.to_uper(), "big")


_BASE: Final = _template(-900_000_000, -1_800_000_000)
_BYTES: Final = (_BASE.bit_length() + 7) // 8
_LATITUDE, _LONGITUDE, _HEADING, _SPEED = (
    each - _BASE
    for each in (
        _template(-899_999_999, -1_800_000_000),
        _template(-900_000_000, -1_799_999_999),
        _template(-900_000_000, -1_800_000_000, 1),
        _template(-900_000_000, -1_800_000_000, 0, 1),
    )
)
"""What one step of a field adds to the bits of the message."""


def cam_uper(said: Said, at_ms: int) -> bytes:
    """The CAM in UPER, as of an instant: fields of fixed width, so a sum of the template and of each field's bits."""
    bits = _BASE + (said.latitude + 900_000_000) * _LATITUDE + (said.longitude + 1_800_000_000) * _LONGITUDE
    bits += said.heading * _HEADING + said.speed * _SPEED
    whole = bits.to_bytes(_BYTES, "big")
    return whole[:2] + said.station_id.to_bytes(4, "big") + delta_time(at_ms).to_bytes(2, "big") + whole[8:]


def spatem(junction: int, at_ms: int) -> bytes:
    """Of an instant: one group for each approach."""
    minute_ms = at_ms - at_ms % 60_000
    states = []
    for approach in range(4):
        state, left_s = _state(at_ms, junction, approach)
        mark = round((at_ms % 3_600_000) / 100 + 10 * left_s) % 36_000
        timing = {"min_end_time": mark, "max_end_time": mark, "likely_time": mark, "confidence": 15}
        states.append(
            {"signal_group": approach + 1, "state_time_speed": [{"event_state": state, "timing": timing}]}
        )  # fmt: skip
    of_year = _minute_of_year(minute_ms)
    intersection = {
        "id": {"region": _REGION, "id": 1000 + junction},
        "revision": 1,
        "status": [],
        "moy": of_year,
        "timestamp": at_ms - minute_ms,
        "states": states,
    }
    return _envelope("spatem", junction, at_ms, {"intersections": [intersection]})


def _minute_of_year(minute_ms: int) -> int:
    # 2026-01-01T00:00Z; good enough for a benchmark until the year after.
    start_ms = 1_767_225_600_000
    year_ms = 365 * 86_400_000
    return (minute_ms - start_ms) % year_ms // 60_000


def mapem(junction: int, at_ms: int) -> bytes:
    """Four approaches with two lanes each."""
    latitude_deg, longitude_deg = _centre(junction)
    lanes = []
    for approach in range(4):
        for lane in range(2):
            near, far = _place(approach, lane, 0.0), _place(approach, lane, _ENTRY_M)
            nodes = [near, tuple(b - a for a, b in zip(near, far, strict=True))]
            lanes.append(
                {
                    "lane_id": 1 + 2 * approach + lane,
                    "ingress_approach": approach + 1,
                    "node_list": {
                        "nodes": [{"delta": {"node_xy": {"x": round(100 * x), "y": round(100 * y)}}} for x, y in nodes]
                    },
                    "connects_to": [{"connecting_lane": {"lane": 20 + approach}, "signal_group": approach + 1}],
                }
            )
    intersection = {
        "id": {"region": _REGION, "id": 1000 + junction},
        "revision": 1,
        "ref_point": {"latitude": round(latitude_deg * 1e7), "longitude": round(longitude_deg * 1e7)},
        "lane_width": 350,
        "lane_set": lanes,
    }
    return _envelope("mapem", junction, at_ms, {"msg_issue_revision": 0, "intersections": [intersection]})


def _envelope(kind: str, junction: int, at_ms: int, message: dict[str, Any]) -> bytes:
    head = {"message_type": kind, "version": "2.0.0", "source_uuid": f"rsu_{junction}", "timestamp": at_ms}
    return json.dumps({**head, "message": {"protocol_version": 2, "station_id": 4000 + junction, **message}}).encode()


def junctions_file() -> str:
    """The zones, as GeoJSON; their approaches are left to MAPEM."""
    features = []
    for junction in range(JUNCTIONS):
        latitude_deg, longitude_deg = _centre(junction)
        zone = f"{_REGION}:{1000 + junction}"
        features.append(
            {
                "type": "Feature",
                "properties": {"id": zone, "name": zone, "radius_m": 400},
                "geometry": {"type": "Point", "coordinates": [longitude_deg, latitude_deg]},
            }
        )
    return json.dumps({"type": "FeatureCollection", "features": features})
