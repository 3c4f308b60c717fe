"""What roadside units say, and buses ask: signals, requests for priority and their answers, warnings of hazards.

its-client JSON as Orange's platform writes it: SPATEM of the platform and SREM, SSEM 2.0.x, DENM 2.3.0, with the raw
integers of ETSI TS 102 894-2 and ISO/TS 19091.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from services.simulator.formats import Publication, quadkey

__all__ = ["hazard_warning", "priority_answer", "priority_request", "signal_phases"]

_ITS_EPOCH_MS: Final = 1_072_915_200_000
_LEAP_MS: Final = 5_000
_PUBLIC_TRANSPORT: Final = 1
_VALID_S: Final = 600

Place = tuple[int, int]
"""Latitude and longitude in 1e-7 degrees."""


def signal_phases(junction: str, at_ms: int, place: Place, phases: Sequence[tuple[int, int, int]]) -> Publication:
    """The state of a junction's signals: Unix milliseconds.

    Args:
        junction: `region:id`.
        at_ms: when it is said.
        place: for the tile.
        phases: of each signal group its number, `eventState`, and the milliseconds of its next change.
    """
    region, _, number = junction.partition(":")
    states = ",".join(f'{{"id":{group},"state":{state},"nextChange":{change}}}' for group, state, change in phases)
    message = f'{{"region":{region},"stationId":{number},"revision":1,"timestamp":{at_ms},"states":[{states}]}}'
    return _published("spat", "2.0.0", f"rsu_{region}_{number}", at_ms, place, message)


def priority_request(junction: str, at_ms: int, place: Place, station_id: int, request: int) -> Publication:
    """A bus asks for priority."""
    message = (
        f'{{"protocol_version":2,"station_id":{station_id},{_minute(at_ms)},"sequence_number":{request},'
        f'"requests":[{{"request":{{"id":{_intersection(junction)},"request_id":{request},"request_type":1,'
        f'"inbound_lane":{{"approach":1}}}}}}],"requestor":{{"id":{station_id},'
        f'"type":{{"role":{_PUBLIC_TRANSPORT}}}}}}}'
    )
    return _published("srem", "2.0.1", f"com_car_{station_id}", at_ms, place, message)


def priority_answer(  # noqa: PLR0913, PLR0917 - what an answer says
    junction: str, at_ms: int, place: Place, station_id: int, request: int, status: int
) -> Publication:
    """What the junction answers: `PrioritizationResponseStatus`, 4 granted, 5 rejected."""
    region, _, number = junction.partition(":")
    message = (
        f'{{"protocol_version":2,"station_id":{number},{_minute(at_ms)},"sequence_number":{request},'
        f'"status":[{{"sequence_number":1,"id":{_intersection(junction)},"sig_status":[{{"requester":'
        f'{{"id":{station_id},"request":{request},"sequence_number":{request},"role":{_PUBLIC_TRANSPORT}}},'
        f'"inbound_on":{{"approach":1}},"status":{status}}}]}}]}}'
    )
    return _published("ssem", "2.0.1", f"rsu_{region}_{number}", at_ms, place, message)


def hazard_warning(  # noqa: PLR0913, PLR0917 - what a DENM says
    junction: str, at_ms: int, place: Place, sequence: int, detected_ms: int, cause: int, *, over: bool = False
) -> Publication:
    """A warning by a roadside unit, for the next fifty metres; `over` takes it back."""
    region, _, number = junction.partition(":")
    reference_ms = at_ms if over else detected_ms
    kind = '"station_type":15,"termination":0}' if over else '"station_type":15}'
    situation = (
        "" if over else f',"situation":{{"information_quality":5,"event_type":{{"cause":{cause},"subcause":0}}}}'
    )
    message = (
        f'{{"protocol_version":2,"station_id":{number},"management":{{"action_id":'
        f'{{"originating_station_id":{number},"sequence_number":{sequence}}},"detection_time":{_its(detected_ms)},'
        f'"reference_time":{_its(reference_ms)},"event_position":{{"latitude":{place[0]},"longitude":{place[1]},'
        f'"position_confidence_ellipse":{{"semi_major":100,"semi_minor":100,"semi_major_orientation":0}},'
        f'"altitude":{{"value":1500,"confidence":7}}}},"awareness_distance":1,"traffic_direction":0,'
        f'"validity_duration":{_VALID_S},{kind}{situation}}}'
    )
    return _published("denm", "2.3.0", f"rsu_{region}_{number}", at_ms, place, message)


def _published(kind: str, version: str, source: str, at_ms: int, place: Place, message: str) -> Publication:  # noqa: PLR0913, PLR0917
    text = (
        f'{{"message_type":"{kind}","version":"{version}","source_uuid":"{source}","timestamp":{at_ms},'
        f'"message":{message}}}'
    )
    tiles = "/".join(quadkey(place[0] / 1e7, place[1] / 1e7))
    return Publication(f"default/outQueue/v2x/{kind}/{source}/{tiles}", text.encode())


def _its(unix_ms: int) -> int:
    """TimestampIts: TAI milliseconds since 2004."""
    return unix_ms - _ITS_EPOCH_MS + _LEAP_MS


def _intersection(junction: str) -> str:
    region, _, number = junction.partition(":")
    return f'{{"region":{region},"id":{number}}}'


def _minute(at_ms: int) -> str:
    """Minute of the year and milliseconds of the minute, UTC."""
    new_year = datetime(datetime.fromtimestamp(at_ms / 1000, UTC).year, 1, 1, tzinfo=UTC)
    minute, within_ms = divmod(at_ms - round(new_year.timestamp() * 1000), 60_000)
    return f'"timestamp":{minute},"second":{within_ms}'
