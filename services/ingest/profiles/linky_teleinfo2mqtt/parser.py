"""Reading teleinfo2mqtt 9.x: `{"LABEL": {"raw": text, "value": any[, "timestamp": {"date", "dst"}]}}`."""

import json
from datetime import datetime
from typing import Any

from schemas.energy import Gauge, State
from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.clock import Reading, believe, fake_utc_local, receive_time
from services.ingest.codecs import tic
from services.ingest.codecs.jsontext import read_object
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.ingest.profiles.linky_teleinfo2mqtt import fields
from services.ingest.sender import check_sender

__all__ = ["parse"]

FAMILY = "linky_teleinfo2mqtt"


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message of the gateway.

    Raises:
        Unparseable: not JSON, or JSON without a single label of the TIC.
    """
    base, _, last = message.topic.rpartition("/")
    if last == "status":
        return (_status(message, context, base),)
    if last == "tempo":
        return (_calendar(message, context, base),)
    return _frame(message, context, last)


def _status(message: Message, context: Context, base: str) -> DeviceStatus:
    word = message.payload.strip().lower().decode("ascii", "replace")
    return DeviceStatus.model_validate(
        {
            "device": context.names.device(f"{FAMILY}:{base}"),
            "observed_at": message.received_at,
            "received_at": message.received_at,
            "clock": "none",
            "retained": message.retained,
            "availability": fields.AVAILABILITY.get(word, "unknown"),
        }
    )


def _calendar(message: Message, context: Context, base: str) -> DeviceStatus:
    """The Tempo calendar: colours and counts of days, no energy."""
    calendar = read_object(message.payload)
    states = [
        State.model_validate({"name": name, "value": calendar[key]})
        for key, name in fields.CALENDAR_STATES.items()
        if calendar.get(key) in fields.CALENDAR_COLOURS
    ]
    gauges = [
        Gauge(quantity="count", name=name, value=calendar[key], unit="d")
        for key, name in fields.CALENDAR_COUNTS.items()
        if type(calendar.get(key)) is int and 0 <= calendar[key] <= 366
    ]
    if not states and not gauges:
        raise Unparseable("wrong_shape", "payload: a Tempo calendar has 'today', 'tomorrow' or counts of days")
    return DeviceStatus(
        device=context.names.device(f"{FAMILY}:{base}"),
        observed_at=message.received_at,
        received_at=message.received_at,
        clock="none",
        retained=message.retained,
        states=tuple(states),
        gauges=tuple(gauges),
    )


def _frame(message: Message, context: Context, last: str) -> tuple[AnyRecord, ...] | Ignored:
    labels = read_object(message.payload)
    if message.payload.count(b'"raw"') > len(labels):
        labels = _first_plausible(message.payload)
    if not any(map(tic.is_label, labels)):
        raise Unparseable("wrong_shape", "payload: has no label of the TIC")
    groups = [_group(label, entry, message, context) for label, entry in labels.items() if isinstance(entry, dict)]
    if not groups:
        raise Unparseable("wrong_shape", "payload: a label must hold an object with 'raw'")
    said = _identity(groups)
    check_sender(said, last, "ADSC, ADCO")
    device = f"{FAMILY}:{said or last}"
    frame = tic.Frame(
        household=context.names.household(device),
        meter=context.names.meter(device),
        at=_date(groups, message, context),
        received_at=message.received_at,
        retained=message.retained,
    )
    return tic.records(groups, frame, context) or _nothing(groups)


def _nothing(groups: list[tic.Group]) -> Ignored:
    """Nothing metered: right if no metered label was sent, a fault if those that were are unreadable."""
    for group in groups:
        if group.label in tic.REGISTERS or group.label in tic.GAUGES:
            raise Unparseable("bad_value", f"{group.label}.raw: must be a number of at most nine digits")
    return Ignored("no-metering-section")


def _first_plausible(payload: bytes) -> dict[str, Any]:
    """Read again, keeping of two equal keys the first that can be a measurement.

    pydantic's parser keeps the last, and a gateway repeats a label only by mistake.
    """

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in pairs:
            if key not in kept or (_is_number(value) and not _is_number(kept[key])):
                kept[key] = value
        return kept

    try:
        labels: dict[str, Any] = json.loads(payload, object_pairs_hook=keep)
    except (ValueError, RecursionError):
        raise Unparseable("not_json", "payload: equal keys, and a part that cannot be read twice") from None
    return labels


def _is_number(entry: Any) -> bool:
    return isinstance(entry, dict) and _text(entry, "raw").isdecimal()


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if type(value) is int and abs(value) < 10**15:
        return str(value)
    return value if isinstance(value, str) else ""


def _group(label: str, entry: dict[str, Any], message: Message, context: Context) -> tic.Group:
    data = entry.get("value" if label in fields.TEXT_BY_VALUE else "raw")
    if type(data) is not str:
        data = _text(entry, "raw") or _text(entry, "value")
    timestamp = entry.get("timestamp")
    return tic.Group(label, data, None if timestamp is None else _horodate(timestamp, message, context))


def _horodate(timestamp: Any, message: Message, context: Context) -> Reading | None:
    """`timestamp.date` ends in Z and holds the wall clock of the meter."""
    if not isinstance(timestamp, dict):
        return None
    try:
        local = datetime.fromisoformat(timestamp["date"]).replace(tzinfo=None)
    except (KeyError, TypeError, ValueError):
        return None
    return fake_utc_local(local, str(timestamp.get("dst")), context.timezone, message.received_at)


def _identity(groups: list[tic.Group]) -> str:
    for group in groups:
        if group.label in tic.IDENTITIES and group.data.strip():
            return group.data.strip()
    return ""


def _date(groups: list[tic.Group], message: Message, context: Context) -> Reading:
    """The instant of the frame: DATE, else the receive time."""
    for group in groups:
        if group.label == "DATE" and group.at is not None:
            return believe(group.at, message.received_at, context)
    return receive_time(message.received_at)
