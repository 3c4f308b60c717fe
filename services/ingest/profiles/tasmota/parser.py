"""Reading Tasmota: `{"Time": local, "ENERGY": {…}, "SML": {…}}`, bare or inside `StatusSNS`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from schemas.energy import Carrier, Gauge, Register
from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, local_naive, wall_clock_text
from services.ingest.codecs import trusted
from services.ingest.codecs.fulltopic import LAST_WILL, SENSOR_TOPICS, last_will, place_of, read_sensors
from services.ingest.codecs.jsontext import finite
from services.ingest.mapping import Target, compile_mapping
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.ingest.profiles.tasmota.fields import ENERGY, PHASES, SML_DEFAULTS, TELEINFO, Key

__all__ = ["parse", "takes"]

FAMILY = "tasmota"
NOTHING = Ignored("no-metering-section")


def takes(message: Message) -> bool:
    """Whether this is not a message of a Teleinfo driver, which shares these topics."""
    return TELEINFO.search(message.payload) is None


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message of a device.

    Raises:
        Unparseable: SENSOR or STATUS that is not JSON, or a known key that does not hold a number.
    """
    device, kind = place_of(message.topic)
    if kind == LAST_WILL:
        return (last_will(message, context, f"{FAMILY}:{device}"),)
    if kind not in SENSOR_TOPICS:
        return NOTHING
    sensors = read_sensors(message.payload)
    found = _Found()
    energy = sensors.get("ENERGY")
    if energy is not None:
        if type(energy) is not dict:
            raise Unparseable("wrong_shape", "ENERGY: must be a JSON object")
        _read_energy(energy, found)
    if context.mapping or "SML" in sensors:
        _read_mapped(sensors, context.mapping, found)
    if not found:
        return NOTHING
    start = energy.get("TotalStartTime") if energy else None
    since = _counter_since(start, context.timezone) if type(start) is str else None
    at = wall_clock_text(sensors.get("Time"), message.received_at, context)
    return tuple(
        _reading(message, context, carrier=carrier, parts=parts, at=at, since=since) for carrier, parts in found.items()
    )


class _Found(dict[Carrier, tuple[list[Register], list[Gauge]]]):
    """Registers and gauges by carrier."""

    def __missing__(self, carrier: Carrier) -> tuple[list[Register], list[Gauge]]:
        parts: tuple[list[Register], list[Gauge]] = ([], [])
        self[carrier] = parts
        return parts


def _reading(  # noqa: PLR0913 - what a reading is made of
    message: Message,
    context: Context,
    *,
    carrier: Carrier,
    parts: tuple[list[Register], list[Gauge]],
    at: Reading,
    since: datetime | None,
) -> AnyRecord:
    """One reading. A gas or water meter on the same device is a meter of its own."""
    device = f"{FAMILY}:{place_of(message.topic).device}"
    return trusted.meter_reading(
        household=context.names.household(device),
        meter=context.names.meter(device if carrier == "electricity" else f"{device}/{carrier}"),
        at=at,
        received_at=message.received_at,
        retained=message.retained,
        registers=tuple(parts[0]),
        gauges=tuple(parts[1]),
        carrier=carrier,
        counter_since=since if carrier == "electricity" else None,
    )


@lru_cache(maxsize=65_536)
def _counter_since(text: str, zone: ZoneInfo) -> datetime | None:
    """TotalStartTime. In the hour that occurs twice always the same instant, or it would look like a reset."""
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=None)
        return local_naive(local, zone, datetime.min.replace(tzinfo=zone)).at
    except (ValueError, OverflowError):
        return None


def _read_energy(energy: Mapping[str, Any], found: _Found) -> None:
    registers: list[Any] = []
    gauges: list[Any] = []
    for name, value in energy.items():
        key = ENERGY.get(name)
        if key is None or value is None:
            continue
        if type(value) is float or type(value) is int:
            (registers if key.is_register else gauges).append(key.scalar(finite(value, name, "ENERGY")))
        else:
            (registers if key.is_register else gauges).extend(_parts(name, key, value, energy))
    if registers or gauges:
        found["electricity"] = (registers, gauges)


def _parts(name: str, key: Key, value: Any, energy: Mapping[str, Any]) -> Iterator[Register | Gauge]:
    """The elements of an array (or of a dict by channel) as registers or gauges of their own."""
    if type(value) is dict:
        value = list(value.values())
    if type(value) is not list:
        raise Unparseable("bad_value", f"ENERGY.{name}: must be a number or an array of numbers")
    several = key.by_phase if _is_three_phase(value, energy) else key.by_channel
    makers = (key.scalar,) if len(value) == 1 else several
    for maker, element in zip(makers, value, strict=False):
        if element is not None:
            yield maker(finite(element, name, "ENERGY"))


def _is_three_phase(value: list[Any], energy: Mapping[str, Any]) -> bool:
    """Three elements are phases, unless there is one voltage for all: then they are relays."""
    return len(value) == len(PHASES) and type(energy.get("Voltage")) not in (int, float)


def _read_mapped(sensors: Mapping[str, Any], mapping: Mapping[str, str], found: _Found) -> None:
    """Values whose names the user of the device chose: by the site's mapping, then by the usual names."""
    compiled = compile_mapping(mapping)
    everywhere = compiled.get("", {})
    for section, values in sensors.items():
        if type(values) is not dict or section == "ENERGY":
            continue
        here = compiled.get(section, {})
        usual = _DEFAULTS if section == "SML" else {}
        for name, value in values.items():
            target = here.get(name) or everywhere.get(name) or usual.get(name)
            if target is not None and value is not None:
                _add(target, finite(value, name, section), found)


_DEFAULTS: Mapping[str, Target] = compile_mapping(SML_DEFAULTS)[""]


def _add(target: Target, value: float, found: _Found) -> None:
    made = target.make(finite(value * target.factor, "mapping factor"))
    part: list[Any] = found[target.carrier][0 if target.is_register else 1]
    part.append(made)
