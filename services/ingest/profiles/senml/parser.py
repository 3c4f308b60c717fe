"""Reading SenML: resolved measurements grouped by device and instant."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from schemas.energy import Carrier, Gauge, MeterReading, OutdoorTemperature, Register
from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, believe
from services.ingest.codecs import senml, trusted
from services.ingest.codecs.plainwords import Parts, meaning
from services.ingest.codecs.units import UNITS
from services.ingest.profiles import Context, Ignored, Message

__all__ = ["parse"]

FAMILY: Final = "senml"
TEMPERATURE: Final = "outdoor_temperature"
"""The end of the name that an outdoor temperature has, on a topic of a station."""

_URN: Final = re.compile(r"(urn:dev:[a-z]+:[^/:_]+)[/:_]?(.*)", re.DOTALL)
"""A device URN with the id of a component behind it (RFC 9039, 3.2 and 4)."""
_PARTED: Final = re.compile(r"(.*)[/:](.*)", re.DOTALL)


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one pack.

    Raises:
        Unparseable: not a pack of SenML.
    """
    measurements = senml.read(message.payload, message.received_at)
    *_, before, last = ("", *message.topic.split("/"))
    if before == "station":
        records = _temperatures(measurements, last, message, context)
    else:
        records = _readings(measurements, message, context)
    return records or Ignored("no-metering-section")


def _temperatures(
    measurements: list[senml.Measurement], station: str, message: Message, context: Context
) -> tuple[AnyRecord, ...]:
    found = []
    for each in measurements:
        scale = UNITS.get(each.unit or "")
        if each.value is None or scale is None or scale.unit != "degC" or not each.name.endswith(TEMPERATURE):
            continue
        at = believe(each.at, message.received_at, context)
        found.append(
            OutdoorTemperature(
                station=station,
                temperature_degc=round(each.value * scale.factor + scale.offset, 6),
                observed_at=at.at,
                received_at=message.received_at,
                clock=at.clock,
                flags=at.flags,
                retained=message.retained,
            )
        )
    return tuple(found)


def _readings(measurements: list[senml.Measurement], message: Message, context: Context) -> tuple[MeterReading, ...]:
    groups: dict[tuple[str, datetime], tuple[Reading, Parts]] = {}
    # Sums last: an index that the device keeps itself counts before the integral of a power.
    for each in sorted(measurements, key=lambda measurement: measurement.sum_s is not None):
        device, name = _device(each.name, message.topic)
        found = [*_value(each, name, context.mapping), *_integral(each, name, context.mapping)]
        if found:
            _, parts = groups.setdefault((device, each.at.at), (each.at, Parts()))
            for carrier, part in found:
                parts.add(carrier, part)
    return tuple(
        trusted.meter_reading(
            household=context.names.household(f"{FAMILY}:{device}"),
            meter=context.names.meter(f"{FAMILY}:{device if carrier == 'electricity' else f'{device}/{carrier}'}"),
            at=believe(at, message.received_at, context),
            received_at=message.received_at,
            retained=message.retained,
            registers=tuple(registers),
            gauges=tuple(gauges),
            carrier=carrier,
        )
        for (device, _), (at, parts) in groups.items()
        for carrier, (registers, gauges) in parts.items()
    )


_Found = Iterator[tuple[Carrier, Register | Gauge]]


def _value(each: senml.Measurement, name: str, mapping: Mapping[str, str]) -> _Found:
    # With a sum the site's line is on the energy, and the value is the power.
    what = meaning(_known(each, name, mapping), each.unit, {} if each.sum_s is not None else mapping)
    if each.value is not None and what is not None:
        yield what.carrier, what(each.value, "v")


def _integral(each: senml.Measurement, name: str, mapping: Mapping[str, str]) -> _Found:
    """The sum over seconds: of a power, an energy; of a flow, a volume.

    Of a power without a direction it is import, unless the power is negative: then it goes both ways and is no index.
    """
    unit = _INTEGRATED.get(each.unit or "")
    if each.sum_s is None or unit is None:
        return
    what = meaning(_known(each, name, mapping), unit, mapping)
    if what is None and (each.value is None or each.value >= 0):
        power = meaning(name, each.unit, {})
        if power is not None and power(0.0, "s") == _NET_POWER:
            what = meaning("import", unit, {})
    if what is not None and what.is_register:
        yield what.carrier, what(each.sum_s, "s")


_NET_POWER: Final = Gauge(quantity="active_power", name="net", value=0.0, unit="W")
_INTEGRATED: Final = {"W": "J", "kW": "kJ", "MW": "MJ", "m3/s": "m3", "l/s": "l"}


def _known(each: senml.Measurement, name: str, mapping: Mapping[str, str]) -> str:
    """The whole name where the site has a line for it, else the part behind the device."""
    return each.name if each.name in mapping else name


def _device(name: str, topic: str) -> tuple[str, str]:
    """Whose a name is, and what is left of it: a device URN, else the topic and all parts but the last."""
    urn = _URN.fullmatch(name)
    if urn:
        return urn[1], urn[2]
    parted = _PARTED.fullmatch(name)
    return (f"{topic}/{parted[1]}", parted[2]) if parted else (topic, name)
