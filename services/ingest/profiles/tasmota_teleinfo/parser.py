"""Reading the Teleinfo drivers of Tasmota: any of TIC, METER, CONTRACT, PROD, whole or changed labels only."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from schemas.energy import Gauge, Register, State
from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, believe, tic_horodate, wall_clock_text
from services.ingest.codecs import tic, trusted
from services.ingest.codecs.fulltopic import LAST_WILL, SENSOR_TOPICS, last_will, place_of, read_sensors
from services.ingest.codecs.jsontext import finite
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.ingest.profiles.tasmota_teleinfo import fields

__all__ = ["parse", "takes"]

FAMILY = "tasmota_teleinfo"
NOTHING = Ignored("no-metering-section")
_MOST_DIGITS: Final = 15
"""Of a counter; a meter shows nine."""
HORODATE: Final = re.compile(r"([HhEe ])([0-9]{12})")


def takes(message: Message) -> bool:
    """Whether a Teleinfo driver wrote this; plain Tasmota shares the topics."""
    return fields.MARKERS.search(message.payload) is not None


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message. The topic is the identity: messages with changed labels only have no ADCO.

    Raises:
        Unparseable: not JSON, a section that is no object, or sections without anything readable.
    """
    device, kind = place_of(message.topic)
    if kind == LAST_WILL:
        return (last_will(message, context, f"{FAMILY}:{device}"),)
    if kind not in SENSOR_TOPICS:
        return NOTHING
    sensors = read_sensors(message.payload)
    frame = tic.Frame(
        household=context.names.household(f"{FAMILY}:{device}"),
        meter=context.names.meter(f"{FAMILY}:{device}"),
        at=wall_clock_text(sensors.get("Time"), message.received_at, context),
        received_at=message.received_at,
        retained=message.retained,
    )
    labels = _section(sensors, "TIC")
    found = (*_tic(labels, frame, context), *_alternative(sensors, frame))
    if not found and any(label in tic.REGISTERS or label in tic.GAUGES for label in labels):
        raise Unparseable("bad_value", "TIC: no label holds a number of at most nine digits")
    return found or NOTHING


def _section(sensors: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = sensors.get(name, {})
    if type(section) is not dict:
        raise Unparseable("wrong_shape", f"{name}: must be a JSON object")
    return section


def _tic(labels: Mapping[str, Any], frame: tic.Frame, context: Context) -> tuple[AnyRecord, ...]:
    if not labels:
        return ()
    groups = [tic.Group(label, _text(data)) for label, data in labels.items()]
    written = HORODATE.fullmatch(_text(labels.get("DATE")))
    if written:
        frame = _dated(written, frame, context)
    return tic.records(groups, frame, context)


def _text(data: Any) -> str:
    if type(data) is int and abs(data) < 10**15:
        return str(data)
    return data if type(data) is str else ""


def _dated(written: re.Match[str], frame: tic.Frame, context: Context) -> tic.Frame:
    """DATE is the meter's own clock and has a season, so it is better than `Time`."""
    try:
        local = datetime.strptime(written[2], "%y%m%d%H%M%S")  # noqa: DTZ007 - the zone comes with the season
    except ValueError:
        return frame
    at: Reading = tic_horodate(local, written[1], context.timezone, frame.received_at)
    return tic.Frame(
        frame.household, frame.meter, believe(at, frame.received_at, context), frame.received_at, frame.retained
    )


def _alternative(sensors: Mapping[str, Any], frame: tic.Frame) -> tuple[AnyRecord, ...]:
    contract = _section(sensors, "CONTRACT")
    meter, produced = _section(sensors, "METER"), _section(sensors, "PROD")
    gauges = [*_numbers(meter, fields.METER, "METER"), *_numbers(produced, fields.PROD, "PROD")]
    registers = _indices(contract)
    states = _states(contract)
    if not (gauges or registers or states):
        return ()
    return (
        trusted.meter_reading(
            household=frame.household,
            meter=frame.meter,
            at=frame.at,
            received_at=frame.received_at,
            retained=frame.retained,
            registers=tuple(registers),
            gauges=tuple(gauges),
            states=tuple(states),
        ),
    )


def _numbers(section: Mapping[str, Any], known: Mapping[str, Callable[[float], Gauge]], name: str) -> list[Gauge]:
    return [
        known[key](finite(value, key, name)) for key, value in section.items() if key in known and value is not None
    ]


def _indices(contract: Mapping[str, Any]) -> list[Register]:
    found = []
    for key, maker in fields.CONTRACT_REGISTERS.items():
        if contract.get(key) is None:
            continue
        digits = _text(contract[key])
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS):
            raise Unparseable("bad_value", f"CONTRACT.{key}: must be a whole number of Wh")
        found.append(maker(int(digits) / 1000))
    return found


def _states(contract: Mapping[str, Any]) -> list[State]:
    words = {name: " ".join(_text(contract.get(key)).split())[:60] for key, name in fields.CONTRACT_STATES.items()}
    words |= {
        name: tic.COLOURS.get(_text(contract.get(key)).strip().upper(), "") for key, name in fields.COLOURS.items()
    }
    return [tic.state(name, value) for name, value in words.items() if value]
