"""Random valid CAMs of both protocol versions, and an encoder that shares nothing with the readers."""

from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st
from pycrate_asn1dir import ITS_CAM_2, ITS_r1318

from services.ingest.codecs.its_time import milliseconds, to_its

__all__ = ["GENERATED_AT", "ROLES", "cams", "encoded"]

GENERATED_AT: Final = datetime(2026, 5, 4, 6, 41, 7, 100000, tzinfo=UTC)
ROLES: Final = ("default", "publicTransport", "specialTransport", "dangerousGoods", "roadWork", "rescue", "emergency")
TYPES: Final = {1: ITS_r1318.CAM_PDU_Descriptions.CAM, 2: ITS_CAM_2.CAM_PDU_Descriptions.CAM}
UNAVAILABLE_CURVATURE: Final = {1: 30001, 2: 1023}


@st.composite
def _position(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "latitude": draw(st.integers(-900000000, 900000001)),
        "longitude": draw(st.integers(-1800000000, 1800000001)),
        "positionConfidenceEllipse": {
            "semiMajorConfidence": draw(st.integers(0, 4095)),
            "semiMinorConfidence": draw(st.integers(0, 4095)),
            "semiMajorOrientation": draw(st.integers(0, 3601)),
        },
        "altitude": {"altitudeValue": draw(st.integers(-100000, 800001)), "altitudeConfidence": "unavailable"},
    }


@st.composite
def _vehicle(draw: st.DrawFn, version: int) -> dict[str, Any]:
    steepest = UNAVAILABLE_CURVATURE[version]
    vehicle = {
        "heading": {"headingValue": draw(st.integers(0, 3601)), "headingConfidence": draw(st.integers(1, 127))},
        "speed": {"speedValue": draw(st.integers(0, 16383)), "speedConfidence": draw(st.integers(1, 127))},
        "driveDirection": draw(st.sampled_from(("forward", "backward", "unavailable"))),
        "vehicleLength": {
            "vehicleLengthValue": draw(st.integers(1, 1023)),
            "vehicleLengthConfidenceIndication": "unavailable",
        },
        "vehicleWidth": draw(st.integers(1, 62)),
        "longitudinalAcceleration": {
            "longitudinalAccelerationValue": draw(st.integers(-160, 161)),
            "longitudinalAccelerationConfidence": draw(st.integers(0, 102)),
        },
        "curvature": {
            "curvatureValue": draw(st.integers(-1023 if version == 2 else -30000, steepest)),
            "curvatureConfidence": "unavailable",
        },
        "curvatureCalculationMode": draw(st.sampled_from(("yawRateUsed", "yawRateNotUsed", "unavailable"))),
        "yawRate": {"yawRateValue": draw(st.integers(-32766, 32767)), "yawRateConfidence": "unavailable"},
    }
    optional = {
        "accelerationControl": (draw(st.integers(0, 127)), 7),
        "lanePosition": draw(st.integers(-1, 14)),
        "steeringWheelAngle": {
            "steeringWheelAngleValue": draw(st.integers(-511, 512)),
            "steeringWheelAngleConfidence": 1,
        },
        "lateralAcceleration": {
            "lateralAccelerationValue": draw(st.integers(-160, 161)),
            "lateralAccelerationConfidence": 1,
        },
        "performanceClass": draw(st.integers(0, 7)),
    }
    return vehicle | {name: value for name, value in optional.items() if draw(st.booleans())}


@st.composite
def cams(draw: st.DrawFn) -> dict[str, Any]:
    """A valid CAM of either version, of a vehicle or a roadside unit, with or without its rarer containers."""
    version = draw(st.sampled_from((1, 2)))
    high: tuple[str, Any] = ("rsuContainerHighFrequency", {})
    if draw(st.integers(0, 9)):
        high = ("basicVehicleContainerHighFrequency", draw(_vehicle(version)))
    parameters: dict[str, Any] = {
        "basicContainer": {"stationType": draw(st.integers(0, 255)), "referencePosition": draw(_position())},
        "highFrequencyContainer": high,
    }
    if draw(st.booleans()):
        low = {"vehicleRole": draw(st.sampled_from(ROLES)), "exteriorLights": (draw(st.integers(0, 255)), 8)}
        path = [{"pathPosition": {"deltaLatitude": 1, "deltaLongitude": -2, "deltaAltitude": 12800}}]
        low["pathHistory"] = path * draw(st.integers(0, 3))
        parameters["lowFrequencyContainer"] = ("basicVehicleContainerLowFrequency", low)
    if draw(st.booleans()):
        public = {"embarkationStatus": draw(st.booleans())}
        parameters["specialVehicleContainer"] = ("publicTransportContainer", public)
    return {
        "header": {"protocolVersion": version, "messageID": 2, "stationID": draw(st.integers(0, 0xFFFFFFFF))},
        "cam": {
            "generationDeltaTime": to_its(milliseconds(GENERATED_AT)) % 65_536,
            "camParameters": parameters,
        },
    }


def encoded(cam: dict[str, Any]) -> bytes:
    """Its bytes by pycrate's encoder."""
    kind = TYPES[cam["header"]["protocolVersion"]]
    kind.set_val(cam)
    octets: bytes = kind.to_uper()
    return octets
