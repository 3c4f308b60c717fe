"""What Home Assistant says of a sensor, in our words; announcements, and the topics that they announce."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.energy import MeterReading
from schemas.status import DeviceStatus
from services.ingest.codecs.homeassistant import Sensor, target_for
from services.ingest.normalise import Normaliser, Outcome
from services.ingest.profiles import Message, Unparseable
from services.ingest.profiles.homeassistant_discovery.announcement import path_of
from tests.cases import NAMES, normaliser

AT = datetime(2026, 3, 21, 8, tzinfo=UTC)
PREFIX = "homeassistant_discovery"


@pytest.mark.parametrize(
    ("sensor", "quantity", "name", "carrier", "factor"),
    [
        (Sensor("energy", "Wh", "cave_energie"), "import_energy", "total", "electricity", 1e-3),
        (Sensor("energy", "kWh", "grid_export_total"), "export_energy", "total", "electricity", 1),
        (Sensor("energy", "MWh", "pv_energy"), "production", "total", "electricity", 1e3),
        (Sensor("energy", "Wh", "linky hchc"), "import_energy", "HC", "electricity", 1e-3),
        (Sensor("energy", "Wh", "linky_eait"), "export_energy", "total", "electricity", 1e-3),
        (Sensor("energy", "kWh", "em_phase_b_energy"), "import_energy", "L2", "electricity", 1),
        (Sensor("", "kWh", "compteur"), "import_energy", "total", "electricity", 1),
        (Sensor("gas", "m³", "gaz"), "volume", "total", "gas", 1),
        (Sensor("water", "L", "eau"), "volume", "total", "water", 1e-3),
        (Sensor("power", "kW", "puissance"), "active_power", "net", "electricity", 1e3),
        (Sensor("power_factor", "%", "pf"), "power_factor", "total", "electricity", 0.01),
        (Sensor("voltage", "V", "voltage_l3"), "voltage", "L3", "electricity", 1),
        (Sensor("volume_flow_rate", "L/min", "debit eau"), "flow", "total", "water", 0.06),
    ],
)
def test_a_metered_sensor_has_a_target(sensor: Sensor, quantity: str, name: str, carrier: str, factor: float) -> None:
    """Class, unit and name decide."""
    target = target_for(sensor)
    assert target is not None
    made = target.make(1.0)
    assert (made.quantity, made.name, target.carrier, target.factor) == (quantity, name, carrier, factor)


@pytest.mark.parametrize(
    "sensor",
    [
        Sensor("temperature", "°C", "salon"),
        Sensor("energy", "kWh", "energy_this_month"),
        Sensor("energy", "kWh", "energy_yesterday"),
        Sensor("energy", "kWh", "stored", "measurement"),
        Sensor("energy", "kW", "wrong unit"),
        Sensor("", "m³", "gas or water?"),
        Sensor("monetary", "EUR", "cost"),
    ],
)
def test_what_is_not_metered_has_none(sensor: Sensor) -> None:
    """Rooms, money, periods that start again, units that do not fit."""
    assert target_for(sensor) is None


def test_a_counter_of_the_day_is_marked() -> None:
    """It is kept, and never used for energy."""
    target = target_for(Sensor("energy", "kWh", "energy_today"))
    assert target is not None
    made: Any = target.make(1.0)
    assert made.since_midnight


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{{ value_json.a.b }}", ("a", "b")),
        ("{{ value_json['a b'].c | float }}", ("a b", "c")),
        ('{{value_json["a"][0]|round(2)}}', ("a", "0")),
        ("{{ value_json.a | is_defined | float(0) | int }}", ("a",)),
        ("{{ value | float }}", None),
        (None, None),
    ],
)
def test_a_path_is_read_from_a_template(template: str | None, path: tuple[str, ...] | None) -> None:
    """Dots, brackets, indices and filters that make a number."""
    assert path_of(template) == path


@pytest.mark.parametrize(
    "template",
    [
        "{{ value_json.a * 2 }}",
        "{{ states('sensor.x') }}",
        "{% if value_json.a %}1{% endif %}",
        "{{ value_json.a | default(0) }}",
        "{{ value.a }}",
        "{{ value_json.a }}{{ value_json.b }}",
        "{{ value_json" + ".a" * 400 + " }}",
    ],
)
def test_a_template_that_is_a_program_is_refused(template: str) -> None:
    """Nothing but paths."""
    with pytest.raises(Unparseable, match="value_template"):
        path_of(template)


def _site(mapping: dict[str, str] | None = None) -> Normaliser:
    return normaliser(ZoneInfo("Europe/Paris"), mapping or {})


def _say(normalise: Normaliser, topic: str, payload: Any) -> Outcome:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return normalise(Message(topic, body, AT))


def _sensor(unique_id: str, state_topic: str, template: str | None = None, **more: Any) -> dict[str, Any]:
    config = {
        "unique_id": unique_id,
        "state_topic": state_topic,
        "device_class": "energy",
        "unit_of_measurement": "kWh",
        "device": {"identifiers": ["cave"]},
        **more,
    }
    return config | ({"value_template": template} if template else {})


def _energies(outcome: Outcome) -> dict[str, float]:
    readings = [event.record for event in outcome.events if isinstance(event.record, MeterReading)]
    return {reading.meter: reading.registers[0].value for reading in readings}


def _meter(unique_id: str) -> str:
    return NAMES.meter(f"{PREFIX}:{unique_id}")


def test_an_announced_topic_is_read_without_configuration() -> None:
    """Two sensors on one topic, each a meter of its own."""
    normalise = _site()
    assert _say(normalise, "cave/state", {"a": 1}).rejected is not None
    _say(normalise, "homeassistant/sensor/cave/a/config", _sensor("a", "cave/state", "{{ value_json.a }}"))
    _say(normalise, "homeassistant/sensor/cave/b/config", _sensor("b", "cave/state", "{{ value_json.b }}"))
    assert normalise.announced_topics() == {"cave/state"}
    assert _energies(_say(normalise, "cave/state", {"a": 1, "b": 2})) == {_meter("a"): 1, _meter("b"): 2}


def test_the_order_of_announcements_does_not_matter() -> None:
    """The same events come of the same states."""
    configs = [
        (f"homeassistant/sensor/cave/{n}/config", _sensor(n, "cave/state", f"{{{{ value_json.{n} }}}}")) for n in "ab"
    ]
    results = []
    for order in (configs, configs[::-1]):
        normalise = _site()
        for topic, config in order:
            _say(normalise, topic, config)
        results.append(_say(normalise, "cave/state", {"a": 1, "b": 2}).events)
    assert results[0] == results[1]


def test_an_empty_announcement_takes_a_sensor_back() -> None:
    """And a new one replaces the old."""
    normalise = _site()
    topic = "homeassistant/sensor/cave/a/config"
    _say(normalise, topic, _sensor("a", "cave/state"))
    _say(normalise, topic, _sensor("a", "cave/other"))
    assert _say(normalise, "cave/state", b"1").rejected is not None
    assert _energies(_say(normalise, "cave/other", b"1")) == {_meter("a"): 1}
    _say(normalise, topic, b"")
    assert _say(normalise, "cave/other", b"1").rejected is not None


def test_a_device_announces_all_its_sensors_at_once() -> None:
    """Device discovery, with abbreviations, a base topic and one availability for all."""
    config = {
        "~": "cave",
        "dev": {"ids": "cave"},
        "avty": [{"t": "~/lwt", "pl_avail": "ici", "pl_not_avail": "parti"}],
        "cmps": {
            "e": {"p": "sensor", "uniq_id": "e", "dev_cla": "energy", "unit_of_meas": "Wh", "stat_t": "~/e"},
            "t": {"p": "sensor", "uniq_id": "t", "dev_cla": "temperature", "unit_of_meas": "°C", "stat_t": "~/t"},
            "s": {"p": "switch", "uniq_id": "s"},
        },
    }
    normalise = _site()
    _say(normalise, "homeassistant/device/cave/config", config)
    assert normalise.announced_topics() == {"cave/e", "cave/lwt"}
    assert _energies(_say(normalise, "cave/e", b"1500")) == {_meter("e"): 1.5}


@pytest.mark.parametrize(("word", "availability"), [(b"ici", "online"), (b"parti", "offline"), (b"?", "unknown")])
def test_an_announced_availability_is_read_in_its_own_words(word: bytes, availability: str) -> None:
    """`payload_available` and `payload_not_available` of the announcement."""
    normalise = _site()
    words = {"availability_topic": "cave/lwt", "payload_available": "ici", "payload_not_available": "parti"}
    _say(normalise, "homeassistant/sensor/cave/a/config", _sensor("a", "cave/state", **words))
    (event,) = _say(normalise, "cave/lwt", word).events
    assert isinstance(event.record, DeviceStatus)
    assert event.record.availability == availability


def test_what_another_profile_reads_is_left_to_it() -> None:
    """A Zigbee2MQTT plug that announces itself is not counted twice; an ESPHome sensor without a mapping is read."""
    normalise = _site()
    plug = _sensor("plug", "zigbee2mqtt/plug", "{{ value_json.energy }}")
    _say(normalise, "homeassistant/sensor/plug/energy/config", plug)
    _say(normalise, "homeassistant/sensor/node/base/config", _sensor("node_base", "node/sensor/linky_base/state"))
    assert _say(normalise, "zigbee2mqtt/plug", {"energy": 1}).profile == "zigbee2mqtt_plug"
    assert _energies(_say(normalise, "node/sensor/linky_base/state", b"2")) == {_meter("node_base"): 2}


def test_the_words_of_the_site_come_first() -> None:
    """A mapping by unique id."""
    normalise = _site({"a": "production total Wh"})
    _say(normalise, "homeassistant/sensor/cave/a/config", _sensor("a", "cave/state"))
    (event,) = _say(normalise, "cave/state", b"1500").events
    assert isinstance(event.record, MeterReading)
    assert (event.record.registers[0].quantity, event.record.registers[0].value) == ("production", 1.5)


def test_a_statestream_sensor_is_read_once_its_attributes_are_known() -> None:
    """Before, its state is ignored by a rule that says so."""
    normalise = _site()
    state = "ha/sensor/compteur/state"
    assert str(_say(normalise, state, b"1").ignored) == "Ignored(rule='unit-not-known')"
    _say(normalise, "ha/sensor/compteur/device_class", b'"energy"')
    assert _say(normalise, state, b"1").ignored is not None
    _say(normalise, "ha/sensor/compteur/unit_of_measurement", b'"Wh"')
    assert list(_energies(_say(normalise, state, b"1500")).values()) == [1.5]
