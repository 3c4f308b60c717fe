"""The time rules of C-ITS messages (c-its.md 2.7): exact for every instant, not for examples."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.ingest.codecs import its_time
from services.ingest.codecs.its_time import from_its, instant, milliseconds, to_its
from services.ingest.profiles import Context
from tests.cases import NAMES, NoJunctions, find_cases

CONTEXT = Context(names=NAMES, zones=NoJunctions())
NAIVE = Context(names=NAMES, zones=NoJunctions(), its_leap_seconds="utc")
INSTANTS = st.datetimes(datetime(2004, 1, 1), datetime(2060, 1, 1)).map(  # noqa: DTZ001 - the zone follows
    lambda each: each.replace(tzinfo=UTC, microsecond=each.microsecond // 1000 * 1000)
)
RECEIVED = datetime(2026, 5, 4, 6, 41, 7, 254000, tzinfo=UTC)


def test_the_published_check_value_holds() -> None:
    """2007-01-01T00:00Z is 94694401000 (CDD Release 2)."""
    assert to_its(milliseconds(datetime(2007, 1, 1, tzinfo=UTC))) == 94_694_401_000


@given(INSTANTS, st.booleans())
def test_an_its_time_leads_back_to_its_instant(at: datetime, tai: bool) -> None:  # noqa: FBT001
    """For every leap second ever, and for senders that ignore them."""
    assert from_its(to_its(milliseconds(at), tai=tai), tai=tai) == milliseconds(at)


@pytest.mark.parametrize(
    ("year", "month", "leaps"), [(2006, 1, 1), (2009, 1, 2), (2012, 7, 3), (2015, 7, 4), (2017, 1, 5)]
)
def test_a_leap_second_counts_from_its_day(year: int, month: int, leaps: int) -> None:
    """One second more after midnight than before."""
    midnight = milliseconds(datetime(year, month, 1, tzinfo=UTC))
    assert to_its(midnight) - (midnight - its_time.ITS_EPOCH_MS) == 1000 * leaps
    assert to_its(midnight - 1) - (midnight - 1 - its_time.ITS_EPOCH_MS) == 1000 * (leaps - 1)


@given(at=INSTANTS, age_ms=st.integers(-9_999, 55_536), microseconds=st.integers(0, 999))
def test_a_delta_time_gives_its_instant(at: datetime, age_ms: int, microseconds: int) -> None:
    """Up to 55 s old or 10 s ahead, to the millisecond, whenever it is received."""
    received_at = at + timedelta(milliseconds=age_ms, microseconds=microseconds)
    for context in (CONTEXT, NAIVE):
        tai = context is CONTEXT
        delta = to_its(milliseconds(at), tai=tai) % 65_536
        told_ms = to_its(milliseconds(received_at), tai=tai) - to_its(milliseconds(at), tai=tai)
        assume(-10_000 < told_ms <= 55_536)  # a leap second between both may put it beyond what 16 bits can tell
        reading = its_time.delta_time(delta, received_at, None, context)
        # Where a leap second lies between both, the receiver's count and the sender's differ by it.
        assert abs(reading.at - at) in (timedelta(0), timedelta(seconds=1))
        assert reading.at == at or to_its(milliseconds(received_at)) - to_its(milliseconds(at)) != age_ms
        assert reading.clock == "its"


@given(at=INSTANTS, delay_ms=st.integers(0, 50_000), waited=st.timedeltas(timedelta(seconds=61), timedelta(days=400)))
def test_a_message_that_waited_is_dated_by_its_envelope(at: datetime, delay_ms: int, waited: timedelta) -> None:
    """The envelope tells which turn of the 65.536 s is meant; the message is stale, and late after ten minutes."""
    envelope_ms = milliseconds(at) + delay_ms
    received_at = at + timedelta(milliseconds=delay_ms) + waited
    reading = its_time.delta_time(to_its(milliseconds(at)) % 65_536, received_at, envelope_ms, CONTEXT)
    if to_its(envelope_ms) - to_its(milliseconds(at)) == delay_ms:
        assert reading.at == at
    assert "stale" in reading.flags
    assert ("clock_ambiguous" in reading.flags) == (envelope_ms - milliseconds(reading.at) > 10_000)
    assert ("late" in reading.flags) == (received_at - reading.at > timedelta(minutes=10))


@given(at=INSTANTS, delay_ms=st.integers(0, 5_000), waited_ms=st.integers(50_000, 66_000))
def test_an_envelope_dates_a_message_that_waited_about_a_minute(at: datetime, delay_ms: int, waited_ms: int) -> None:
    """Between 55.5 and 65.5 s the age alone would put it into the future."""
    envelope_ms = milliseconds(at) + delay_ms
    received_at = at + timedelta(milliseconds=delay_ms + waited_ms)
    reading = its_time.delta_time(to_its(milliseconds(at)) % 65_536, received_at, envelope_ms, CONTEXT)
    if to_its(milliseconds(received_at)) - to_its(milliseconds(at)) == delay_ms + waited_ms:
        assert reading.at == at


@pytest.mark.parametrize(
    ("age_ms", "flags"),
    [
        (154, ()),
        (4499, ()),
        (4500, ("leap_suspect",)),
        (6500, ("leap_suspect",)),
        (6501, ()),
        (10_001, ("stale", "clock_ambiguous")),
        (-2000, ()),
        (-2001, ("stale", "clock_ambiguous")),
    ],
)
def test_the_age_of_a_message_is_flagged(age_ms: int, flags: tuple[str, ...]) -> None:
    """A sender without leap seconds, an old message, one from the future."""
    delta = (to_its(milliseconds(RECEIVED)) - age_ms) % 65_536
    assert its_time.delta_time(delta, RECEIVED, None, CONTEXT).flags == flags


@pytest.mark.parametrize(
    ("generated_ms", "envelope_ms", "doubts"),
    [
        (-600_000, -599_900, set()),
        (-30_000, -29_900, set()),
        (-30_000, None, {"clock_ambiguous"}),
        (-30_000, -100, {"clock_ambiguous"}),
        (-600_000, -580_000, {"clock_ambiguous"}),
        (40_000, 40_100, {"clock_ambiguous"}),
    ],
)
def test_what_waited_is_certain_if_it_was_put_into_its_envelope_at_once(
    generated_ms: int, envelope_ms: int | None, doubts: set[str]
) -> None:
    """Ten minutes or half a minute in a roadside unit. Without an envelope of that moment the turn is open."""
    received_ms = milliseconds(RECEIVED)
    delta = to_its(received_ms + generated_ms) % 65_536
    sent_ms = None if envelope_ms is None else received_ms + envelope_ms
    flags = its_time.delta_time(delta, RECEIVED, sent_ms, CONTEXT).flags
    assert "stale" in flags
    assert {"clock_ambiguous"} & set(flags) == doubts


@pytest.mark.parametrize("envelope_ms", [-1, 0, 1 << 61, 253_402_300_800_000])
def test_an_envelope_that_cannot_be_true_is_not_believed(envelope_ms: int) -> None:
    """The receive time stands for it, flagged."""
    reading = its_time.delta_time(1, RECEIVED, envelope_ms, CONTEXT)
    assert (reading.at, reading.flags[-1]) == (RECEIVED, "clock")
    other = its_time.unix_time(envelope_ms, RECEIVED, CONTEXT)
    assert (other.at, other.flags) == (RECEIVED, ("clock",))


@given(at=INSTANTS, off=st.timedeltas(timedelta(days=-150), timedelta(days=150)))
def test_a_minute_of_the_year_finds_its_year(at: datetime, off: timedelta) -> None:
    """Also across New Year, and for a reference months away."""
    start = datetime(at.year, 1, 1, tzinfo=UTC)
    minute, rest = divmod(milliseconds(at) - milliseconds(start), 60_000)
    assert its_time.minute_of_year(minute, rest, milliseconds(at + off)) == milliseconds(at)


def test_an_unavailable_minute_is_none() -> None:
    """527040 says nothing, 65535 nothing of the second."""
    assert its_time.minute_of_year(527_040, 0, 0) is None
    assert its_time.minute_of_year(1, 65_535, 0) == 60_000
    assert its_time.second_of_minute(65_535, 0) is None


@given(at=INSTANTS, age_ms=st.integers(-9_999, 49_999))
def test_a_second_without_its_minute_finds_it(at: datetime, age_ms: int) -> None:
    """Up to 50 s old or 10 s ahead, across minutes."""
    assert its_time.second_of_minute(milliseconds(at) % 60_000, milliseconds(at) + age_ms) == milliseconds(at)


@given(at=INSTANTS, ahead_ms=st.integers(-59_999, 3_539_999))
def test_a_time_mark_finds_its_hour(at: datetime, ahead_ms: int) -> None:
    """From a minute ago to 59 minutes ahead, across hours; a mark just past stays in the past."""
    reference_ms = milliseconds(at)
    wanted_ms = (reference_ms + ahead_ms) // 100 * 100
    if not reference_ms - 60_000 < wanted_ms < reference_ms + 3_540_000:
        return
    assert its_time.time_mark(wanted_ms % 3_600_000 // 100, reference_ms) == instant(wanted_ms)


@pytest.mark.parametrize("mark", [None, 36_000, 36_001, 36_111])
def test_a_mark_that_is_no_instant_is_none(mark: int | None) -> None:
    """More than an hour, unknown, absent."""
    assert its_time.time_mark(mark, 0) is None


def test_equal_bytes_of_a_vehicle_65_seconds_later_are_another_event() -> None:
    """A bare CAM tells its time modulo 65,536 ms: the same bytes come again with other news, a redelivery does not."""
    case = next(each for each in find_cases() if str(each) == "etsi_uper/cam_v2")
    first = case.run().events[0]

    def again(seconds: float) -> str:
        message = replace(case.message, received_at=case.message.received_at + timedelta(seconds=seconds))
        return replace(case, message=message).run().events[0].id

    assert again(1.0) == first.id
    assert again(65.536) != first.id
