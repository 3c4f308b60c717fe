"""Announcements: retained configuration messages, with or without abbreviations, for one sensor or for a device.

Source: Home Assistant documentation, MQTT discovery (single component and device discovery, abbreviations, base topic
`~`) and MQTT sensor. Of templates only paths with `float`, `int`, `round`, `is_defined` are read: a template language
is a program, and programs of strangers are not run.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from services.ingest.codecs.homeassistant import METERING, Sensor, target_for
from services.ingest.codecs.jsontext import read_object
from services.ingest.mapping import Target, compile_mapping
from services.ingest.profiles import Context, Unparseable

__all__ = ["Announced", "Liveness", "path_of", "read_announcement"]

MOST: Final = 200
"""Sensors of one announcement; more are no device of a home."""
LONGEST: Final = 500
_ABBREVIATIONS: Final = {
    "avty": "availability",
    "avty_t": "availability_topic",
    "avty_tpl": "availability_template",
    "cmps": "components",
    "dev": "device",
    "dev_cla": "device_class",
    "ids": "identifiers",
    "cns": "connections",
    "obj_id": "object_id",
    "p": "platform",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
    "stat_cla": "state_class",
    "stat_t": "state_topic",
    "t": "topic",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}
_TEMPLATE: Final = re.compile(
    r"\{\{\s*(value_json|value)((?:\.\w+|\[\s*(?:'[^'\]]*'|\"[^\"\]]*\"|\d+)\s*\])*)(.*?)\}\}", re.DOTALL
)
_STEP: Final = re.compile(r"\.(\w+)|\[\s*(?:'([^'\]]*)'|\"([^\"\]]*)\"|(\d+))\s*\]")
_FILTERS: Final = re.compile(r"(\s*\|\s*(float|int|round|is_defined)\s*(\(\s*[0-9.,\s-]*\))?)*\s*")


class Announced(NamedTuple):
    """A sensor that is metered: whose it is, where its states come, and what they become."""

    device: str
    household: str
    topic: str
    path: tuple[str, ...] | None
    target: Target


class Liveness(NamedTuple):
    """An availability topic of a device and its two words."""

    device: str
    topic: str
    online: str
    offline: str
    path: tuple[str, ...] | None


def path_of(template: str | None) -> tuple[str, ...] | None:
    """The path that a value template reads; `None` is the payload as it stands.

    Raises:
        Unparseable: anything but a path with number filters.
    """
    if template is None or not template.strip():
        return None
    found = _TEMPLATE.fullmatch(template.strip()) if len(template) <= LONGEST else None
    if found is None or not _FILTERS.fullmatch(found[3]) or (found[1] == "value" and found[2]):
        raise Unparseable(
            "wrong_shape", "value_template: only paths such as value_json.a['b'] with float, int or round are read"
        )
    if found[1] == "value":
        return None
    return tuple(next(part for part in step if part) for step in _STEP.findall(found[2]))


def read_announcement(topic: str, payload: bytes, context: Context) -> tuple[list[Announced], list[Liveness]]:
    """The metered sensors of an announcement and the availability topics of their devices.

    Raises:
        Unparseable: not a JSON object, or a metered sensor whose state cannot be found.
    """
    root = _expanded(read_object(payload))
    fallback = topic.removesuffix("/config")
    announced: list[Announced] = []
    liveness: list[Liveness] = []
    for key, config in _sensors(root, topic):
        found = _announced(key, config, fallback, context)
        if found is not None:
            announced.append(found)
            liveness.extend(_liveness(config, found.household))
    return announced, list(dict.fromkeys(liveness))


def _expanded(config: dict[str, Any]) -> dict[str, Any]:
    """Full names for abbreviations, the base topic for `~`."""
    base = config.get("~")
    full: dict[str, Any] = {}
    for key, value in config.items():
        name = _ABBREVIATIONS.get(key, key)
        is_topic = isinstance(value, str) and isinstance(base, str) and name.endswith("topic")
        full.setdefault(name, _based(value, str(base)) if is_topic else value)
    return full


def _based(topic: str, base: str) -> str:
    if topic.startswith("~"):
        return base + topic[1:]
    return topic[:-1] + base if topic.endswith("~") else topic


def _sensors(root: dict[str, Any], topic: str) -> Iterator[tuple[str, dict[str, Any]]]:
    components = root.get("components")
    if isinstance(components, dict):
        shared = {key: value for key, value in root.items() if key != "components"}
        for key, component in list(components.items())[:MOST]:
            if isinstance(component, dict):
                full = {**shared, **_expanded({"~": root.get("~"), **component})}
                if full.get("platform") == "sensor":
                    yield key, full
    elif "/sensor/" in topic:
        yield "", root


def _text(config: dict[str, Any], key: str) -> str:
    value = config.get(key)
    return value if isinstance(value, str) else ""


def _announced(key: str, config: dict[str, Any], fallback: str, context: Context) -> Announced | None:
    identity = _text(config, "unique_id") or _text(config, "object_id") or f"{fallback}/{key}".rstrip("/")
    compiled = compile_mapping(context.mapping)
    target = compiled.get("", {}).get(identity)
    device_class = _text(config, "device_class")
    if target is None and (not device_class or device_class in METERING):
        name = " ".join((identity, _text(config, "object_id"), _text(config, "name"), fallback.rpartition("/")[2], key))
        unit = _text(config, "unit_of_measurement")
        target = target_for(Sensor(device_class, unit, name, _text(config, "state_class")))
    if target is None:
        return None
    state_topic = _text(config, "state_topic")
    if not state_topic:
        raise Unparseable("missing_field", "state_topic: a sensor must have one")
    if not _is_topic(state_topic):
        raise Unparseable("wrong_shape", "state_topic: must be a topic, without wildcards")
    path = path_of(_text(config, "value_template") or None)
    return Announced(identity, _device(config) or identity, state_topic, path, target)


def _is_topic(text: str) -> bool:
    """Whether it can be subscribed to and is one topic: a stranger must not make us take everything."""
    return 0 < len(text) <= LONGEST and not text.startswith("$") and not set(text) & set("+#\x00")


def _device(config: dict[str, Any]) -> str:
    """The first identifier of the device: a text, or the first of a list."""
    device = config.get("device")
    if not isinstance(device, dict):
        return ""
    full = _expanded(device)
    identifiers = full.get("identifiers")
    first = identifiers[0] if isinstance(identifiers, list) and identifiers else identifiers
    return first if isinstance(first, str) else ""


def _liveness(config: dict[str, Any], device: str) -> Iterator[Liveness]:
    several = config.get("availability")
    entries = (
        [_expanded({"~": config.get("~"), **each}) for each in several if isinstance(each, dict)]
        if isinstance(several, list)
        else []
    )
    for each in entries:
        yield from _one_liveness(each, _text(each, "topic"), _text(each, "value_template"), device)
    yield from _one_liveness(
        config, _text(config, "availability_topic"), _text(config, "availability_template"), device
    )


def _one_liveness(entry: dict[str, Any], topic: str, template: str, device: str) -> Iterator[Liveness]:
    if not _is_topic(topic):
        return
    try:
        path = path_of(template)
    except Unparseable:
        return  # the sensor can be read all the same
    online = _text(entry, "payload_available") or "online"
    offline = _text(entry, "payload_not_available") or "offline"
    yield Liveness(device, topic, online, offline, path)
