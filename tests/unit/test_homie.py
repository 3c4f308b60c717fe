"""Homie over several messages: the unit of a value came on another topic."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from schemas.energy import MeterReading
from services.ingest.normalise import Outcome
from services.ingest.profiles import Message
from tests.cases import normaliser

AT = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)


class _Device:
    """Publishes on `homie/d/meter`."""

    def __init__(self) -> None:
        self._normalise = normaliser(ZoneInfo("Europe/Paris"), {})

    def send(self, topic: str, text: str) -> Outcome:
        """One message."""
        return self._normalise(Message(f"homie/d/meter/{topic}", text.encode(), AT))


def _values(outcome: Outcome) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for event in outcome.events:
        if isinstance(event.record, MeterReading):
            found += [(each.quantity, each.value) for each in event.record.registers]
            found += [(each.quantity, each.value) for each in event.record.gauges]
    return found


def test_a_value_is_read_in_the_unit_that_was_said_last() -> None:
    """Before it was said there is no reading; after it changed the number means something else."""
    device = _Device()
    assert _values(device.send("energy", "1204400")) == []
    device.send("energy/$unit", "kWh")
    assert _values(device.send("energy", "1204.4")) == [("import_energy", 1204.4)]
    device.send("energy/$unit", "Wh")
    assert _values(device.send("energy", "1204400")) == [("import_energy", 1204.4)]
    device.send("energy/$unit", "")
    assert _values(device.send("energy", "1204400")) == []


def test_a_unit_is_that_of_its_own_property_only() -> None:
    """Another property of the node has said none."""
    device = _Device()
    device.send("power/$unit", "W")
    assert _values(device.send("energy", "12")) == []
    assert _values(device.send("power", "12")) == [("active_power", 12.0)]


def test_a_property_with_a_unit_must_be_a_number() -> None:
    """Else it is refused."""
    device = _Device()
    device.send("energy/$unit", "kWh")
    refused = device.send("energy", "a lot").rejected
    assert refused is not None
    assert refused.reason == "bad_value"


def test_units_are_announcements_of_whatever_base_topic() -> None:
    """Each process needs them for itself: a shared subscription gets no retained messages."""
    own = {"homie": ("maison/+/+/+", "maison/+/+/+/$unit")}
    assert "homie/+/+/+/$unit" in normaliser(ZoneInfo("Europe/Paris"), {}).announcements
    assert "maison/+/+/+/$unit" in normaliser(ZoneInfo("Europe/Paris"), {}, own).announcements
