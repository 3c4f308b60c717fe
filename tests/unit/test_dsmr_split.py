"""Split topics of dsmr-reader: the clock is on another topic, and silence means unchanged."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.energy import MeterReading
from services.ingest.normalise import Normaliser
from services.ingest.profiles import Message
from tests.cases import normaliser

START = datetime(2026, 2, 3, 17, 0, 0, tzinfo=UTC)
READ = timedelta(seconds=1)


class _Reader:
    """Publishes telegrams as dsmr-reader does."""

    def __init__(self) -> None:
        self.normalise: Normaliser = normaliser(ZoneInfo("Europe/Amsterdam"), {})
        self.ids: list[str] = []

    def field(self, name: str, text: str, at: datetime) -> list[tuple[datetime, float]]:
        """Instant and value of each reading that came of it."""
        outcome = self.normalise(Message(f"dsmr/reading/{name}", text.encode(), at + READ))
        self.ids += [event.id for event in outcome.events]
        records = [event.record for event in outcome.events]
        assert all(isinstance(record, MeterReading) for record in records)
        return [(each.observed_at, each.registers[0].value) for each in records if isinstance(each, MeterReading)]

    def clock(self, at: datetime) -> None:
        """The clock of a telegram, which comes before its values."""
        assert self.field("timestamp", at.isoformat(), at) == []


def _at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def test_the_clock_of_the_telegram_is_that_of_its_values() -> None:
    """Received a second later, and a value that comes much later has no clock."""
    reader = _Reader()
    reader.clock(START)
    assert reader.field("electricity_delivered_1", "7120.000", START) == [(START, 7120.0)]
    late = START + timedelta(minutes=5)
    assert reader.field("electricity_delivered_2", "8804.117", late) == [(late + READ, 8804.117)]


def test_an_index_that_moves_after_a_silence_had_its_value_until_the_telegram_before() -> None:
    """Between the two messages the telegrams went on; the last of them says when it was still unchanged."""
    reader = _Reader()
    reader.clock(START)
    reader.field("electricity_returned_2", "2911.870", START)
    for minutes in range(10, 800, 10):
        reader.clock(_at(minutes))
    moved = reader.field("electricity_returned_2", "2911.890", _at(790))
    assert moved == [(_at(780), 2911.87), (_at(790), 2911.89)]
    reader.clock(_at(800))
    assert reader.field("electricity_returned_2", "2911.910", _at(800)) == [(_at(800), 2911.91)]


def test_a_redelivered_clock_does_not_become_the_telegram_before() -> None:
    """QoS 1 may deliver it twice."""
    reader = _Reader()
    for minutes in (0, 10, 20, 20):
        reader.clock(_at(minutes))
        if minutes == 0:
            reader.field("electricity_returned_2", "1.000", START)
    assert reader.field("electricity_returned_2", "1.100", _at(20)) == [(_at(10), 1.0), (_at(20), 1.1)]


def test_equal_values_of_two_telegrams_are_two_events_and_a_redelivery_is_one() -> None:
    """The bytes are the same; only the clock tells them apart."""
    reader = _Reader()
    for minutes in (0, 0, 10):
        reader.clock(_at(minutes))
        reader.field("electricity_delivered_1", "7120.000", _at(minutes))
    first, again, other = reader.ids
    assert first == again
    assert first != other


def test_gas_of_the_telegram_goes_before_gas_of_the_table() -> None:
    """The table has the same gas under another instant."""
    reader = _Reader()
    gas = "dsmr/consumption/gas/delivered"
    before = reader.normalise(Message(gas, b"3310.442", START))
    reader.field("extra_device_timestamp", START.isoformat(), START)
    assert reader.field("extra_device_delivered", "3310.442", START) == [(START, 3310.442)]
    after = reader.normalise(Message(gas, b"3310.442", START))
    assert len(before.events) == 1
    assert after.ignored is not None
    assert after.ignored.rule == "gas-is-in-the-telegram"


def test_clocks_are_announcements() -> None:
    """Each process needs them for itself: the values of a telegram are handed to any."""
    announced = normaliser(ZoneInfo("Europe/Amsterdam"), {}).announcements
    assert {"dsmr/reading/timestamp", "+/dsmr/reading/extra_device_timestamp"} <= set(announced)
    assert "dsmr/reading/+" not in announced


def test_processes_that_share_the_values_tell_no_index_that_was_not() -> None:
    """Each sees every second value and all clocks: a held value never exceeds what the other read at that instant."""
    readers = (_Reader(), _Reader())
    told: dict[datetime, set[float]] = {}
    for number in range(12):
        for reader in readers:
            reader.clock(_at(10 * number))
        for at, value in readers[number % 2].field("electricity_returned_2", f"{number}.000", _at(10 * number)):
            told.setdefault(at, set()).add(value)
    assert {at: max(values) for at, values in told.items()} == {_at(10 * number): number for number in range(12)}
