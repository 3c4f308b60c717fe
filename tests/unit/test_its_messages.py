"""DENM and SPATEM by an independent encoder: what was encoded is what the records say, in both protocol versions."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pycrate_asn1dir import ITS_DENM_3, ITS_IS, ITS_r1318

from schemas.mobility import RoadHazard, SignalState
from services.ingest.codecs.its_pdu import read_pdu
from services.ingest.codecs.its_time import instant, milliseconds, to_its
from services.ingest.codecs.its_tree import Arrival
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from tests.cases import NAMES, NoJunctions

RECEIVED_AT = datetime(2026, 5, 4, 13, 59, 30, 80000, tzinfo=UTC)
ARRIVAL = Arrival(Message("v2x/denm", b"", RECEIVED_AT), Context(names=NAMES, zones=NoJunctions()))
DENMS = {1: ITS_r1318.DENM_PDU_Descriptions.DENM, 2: ITS_DENM_3.DENM_PDU_Descriptions.DENM}
SPATEMS = {1: ITS_r1318.SPATEM_PDU_Descriptions.SPATEM, 2: ITS_IS.SPATEM_PDU_Descriptions.SPATEM}
DISTANCES = {"lessThan50m": 50, "lessThan200m": 200, "lessThan5km": 5000, "over10km": 10_000}
DIRECTIONS = ("allTrafficDirections", "upstreamTraffic", "downstreamTraffic", "oppositeTraffic")
STATES = (
    "unavailable",
    "dark",
    "stop-Then-Proceed",
    "stop-And-Remain",
    "pre-Movement",
    "permissive-Movement-Allowed",
    "protected-Movement-Allowed",
    "permissive-clearance",
    "protected-clearance",
    "caution-Conflicting-Traffic",
)
COLOURS = ("unavailable", "dark", "red", "red", "red_amber", "green", "green", "amber", "amber", "flashing_amber")
CONFIDENCE_PERCENT = (21, 36, 47, 56, 62, 68, 73, 77, 81, 85, 88, 91, 94, 96, 98, 100)


@st.composite
def _denms(draw: st.DrawFn) -> dict[str, Any]:
    detected_ms = milliseconds(RECEIVED_AT) - draw(st.integers(0, 86_400_000))
    reference_ms = min(milliseconds(RECEIVED_AT), detected_ms + draw(st.integers(0, 3_600_000)))
    management: dict[str, Any] = {
        "actionID": {
            "originatingStationID": draw(st.integers(0, 0xFFFFFFFF)),
            "sequenceNumber": draw(st.integers(0, 65_535)),
        },
        "detectionTime": to_its(detected_ms),
        "referenceTime": to_its(reference_ms),
        "eventPosition": {
            "latitude": draw(st.integers(-900000000, 900000001)),
            "longitude": draw(st.integers(-1800000000, 1800000001)),
            "positionConfidenceEllipse": {
                "semiMajorConfidence": 4095,
                "semiMinorConfidence": 4095,
                "semiMajorOrientation": 3601,
            },
            "altitude": {"altitudeValue": draw(st.integers(-100000, 800001)), "altitudeConfidence": "unavailable"},
        },
        "stationType": draw(st.integers(0, 255)),
    }
    optional = {
        "termination": draw(st.sampled_from(("isCancellation", "isNegation"))),
        "relevanceDistance": draw(st.sampled_from(sorted(DISTANCES))),
        "relevanceTrafficDirection": draw(st.sampled_from(DIRECTIONS)),
        "validityDuration": draw(st.integers(0, 86_400)),
        "transmissionInterval": draw(st.integers(1, 10_000)),
    }
    management |= {name: value for name, value in optional.items() if draw(st.booleans())}
    denm: dict[str, Any] = {"management": management}
    if draw(st.booleans()):
        denm["situation"] = {
            "informationQuality": draw(st.integers(0, 7)),
            "eventType": {"causeCode": draw(st.integers(0, 255)), "subCauseCode": draw(st.integers(0, 255))},
        }
    if draw(st.booleans()):
        denm["location"] = {
            "eventSpeed": {"speedValue": draw(st.integers(0, 16_383)), "speedConfidence": 127},
            "eventPositionHeading": {"headingValue": draw(st.integers(0, 3601)), "headingConfidence": 127},
            "traces": [[]],
        }
    version = draw(st.sampled_from((1, 2)))
    return {"header": {"protocolVersion": version, "messageID": 1, "stationID": 1}, "denm": denm}


def _encoded(kinds: dict[int, Any], message: dict[str, Any]) -> bytes:
    kind = kinds[message["header"]["protocolVersion"]]
    kind.set_val(message)
    octets: bytes = kind.to_uper()
    return octets


def _records(octets: bytes) -> tuple[Any, ...]:
    records = read_pdu(octets, ARRIVAL)
    assert not isinstance(records, Ignored)
    return records


def _instant(its_ms: int) -> datetime | None:
    return instant(its_ms - 5000 + 1_072_915_200_000)


@given(_denms())
def test_a_hazard_says_what_was_encoded(message: dict[str, Any]) -> None:
    """Times, end, ending, cause, reach and movement of every valid DENM."""
    (record,) = _records(_encoded(DENMS, message))
    assert isinstance(record, RoadHazard)
    management = message["denm"]["management"]
    situation, location = message["denm"].get("situation", {}), message["denm"].get("location", {})
    detected_at, reference = _instant(management["detectionTime"]), _instant(management["referenceTime"])
    assert detected_at is not None
    assert reference is not None
    end = detected_at + timedelta(seconds=management.get("validityDuration", 600))
    assert (record.detection_time, record.observed_at) == (detected_at, reference)
    assert record.ends_at == (min(end, reference) if "termination" in management else end)
    assert (
        record.termination
        == {"isCancellation": "cancellation", "isNegation": "negation", None: None}[management.get("termination")]
    )
    assert record.action_id == NAMES.action(*management["actionID"].values())
    assert record.cause_code == situation.get("eventType", {}).get("causeCode")
    assert record.sub_cause_code == situation.get("eventType", {}).get("subCauseCode")
    assert record.information_quality == (situation.get("informationQuality") or None)
    assert record.relevance_distance_m == DISTANCES.get(management.get("relevanceDistance"))
    heading = location.get("eventPositionHeading", {}).get("headingValue", 3601)
    assert record.event_heading_deg == (None if heading == 3601 else heading % 3600 / 10)
    speed = location.get("eventSpeed", {}).get("speedValue", 16_383)
    assert record.event_speed_mps == (None if speed >= 16_382 else speed / 100)


@st.composite
def _movements(draw: st.DrawFn) -> dict[str, Any]:
    event: dict[str, Any] = {"eventState": draw(st.sampled_from(STATES))}
    if draw(st.booleans()):
        timing = {"minEndTime": draw(st.integers(0, 36_001))}
        for name in ("maxEndTime", "likelyTime"):
            if draw(st.booleans()):
                timing[name] = draw(st.integers(0, 36_001))
        if draw(st.booleans()):
            timing["confidence"] = draw(st.integers(0, 15))
        event["timing"] = timing
    if draw(st.booleans()):
        event["speeds"] = [{"type": "greenwave", "speed": draw(st.integers(0, 500))}]
    return {"signalGroup": draw(st.integers(0, 255)), "state-time-speed": [event]}


@st.composite
def _spatems(draw: st.DrawFn) -> dict[str, Any]:
    at = RECEIVED_AT - timedelta(milliseconds=draw(st.integers(0, 40_000)))
    start = datetime(at.year, 1, 1, tzinfo=UTC)
    minute, rest = divmod(milliseconds(at) - milliseconds(start), 60_000)
    intersection: dict[str, Any] = {
        "id": {"region": draw(st.integers(0, 65_535)), "id": draw(st.integers(0, 65_535))},
        "revision": draw(st.integers(0, 127)),
        "status": (draw(st.integers(0, 65_535)), 16),
        "timeStamp": rest,
        "states": draw(st.lists(_movements(), min_size=1, max_size=6)),
    }
    if draw(st.booleans()):
        intersection["moy"] = minute
    return {
        "header": {"protocolVersion": draw(st.sampled_from((1, 2))), "messageID": 4, "stationID": 1},
        "spat": {"intersections": [intersection]},
        "at": at,
    }


@given(_spatems())
def test_a_signal_says_what_was_encoded(message: dict[str, Any]) -> None:
    """State, colour, ends, confidence and advice of every group, at the instant that the message says."""
    at = message.pop("at")
    (record,) = _records(_encoded(SPATEMS, message))
    assert isinstance(record, SignalState)
    (intersection,) = message["spat"]["intersections"]
    assert record.observed_at == at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert record.intersection == f"{intersection['id']['region']}:{intersection['id']['id']}"
    assert record.revision == intersection["revision"]
    for group, movement in zip(record.groups, intersection["states"], strict=True):
        (event,) = movement["state-time-speed"]
        timing = event.get("timing", {})
        number = STATES.index(event["eventState"])
        assert (group.signal_group, group.event_state) == (movement["signalGroup"], number)
        assert group.colour == COLOURS[number]
        for name, end in (
            ("minEndTime", group.min_end),
            ("maxEndTime", group.max_end),
            ("likelyTime", group.likely_end),
        ):
            _assert_end(end, timing.get(name, 36_001), at)
        confidence = timing.get("confidence")
        assert group.confidence_percent == (None if confidence is None else CONFIDENCE_PERCENT[confidence])
        speed = event.get("speeds", [{"speed": 500}])[0]["speed"]
        assert group.advisory_speed_mps == (None if speed == 500 else speed / 10)


def _assert_end(end: datetime | None, mark: int, at: datetime) -> None:
    """No instant beyond the hour; else the tenth of the hour that the mark says, from a minute ago on."""
    if mark >= 36_000:
        assert end is None
        return
    assert end is not None
    assert milliseconds(end) % 3_600_000 == 100 * mark
    assert timedelta(minutes=-1) <= end - at.replace(microsecond=at.microsecond // 1000 * 1000) <= timedelta(minutes=59)


@given(
    message=st.one_of(_denms().map(lambda each: (DENMS, each)), _spatems().map(lambda each: (SPATEMS, each))),
    data=st.data(),
)
def test_a_damaged_message_is_read_or_refused(
    message: tuple[dict[int, Any], dict[str, Any]], data: st.DataObject
) -> None:
    """Bits flipped or cut: records or `Unparseable`, and nothing else is raised."""
    message[1].pop("at", None)
    octets = bytearray(_encoded(*message))
    for _ in range(data.draw(st.integers(0, 4))):
        octets[data.draw(st.integers(6, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(Unparseable):
        read_pdu(bytes(octets[: data.draw(st.integers(0, len(octets)))]), ARRIVAL)
