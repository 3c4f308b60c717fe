"""A meter in memory and on store: a function of the set of readings, wherever a process ends and starts anew."""

import random
from collections.abc import Sequence
from datetime import datetime
from unittest.mock import patch
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator import history as under_test
from services.aggregator.history import Changed
from services.aggregator.meters import Checkpoint, Meter, RegisterKey, checkpoint_before, windows_of
from services.aggregator.points import milliseconds
from services.aggregator.registers import Reading
from services.aggregator.voice import TooOld, Voice
from services.aggregator.windows import windows_between

PARIS = ZoneInfo("Europe/Paris")
MINUTE = 60_000
HOUR = 60 * MINUTE
START = milliseconds(datetime.fromisoformat("2026-10-24T20:00Z"))
TOTAL: RegisterKey = ("import_energy", "total", "kWh")
EXPORT: RegisterKey = ("export_energy", "total", "kWh")
Said = tuple[RegisterKey, Reading]


class _End(Exception):
    """The process ends here."""


class _Stored:
    """What the store has of a meter; processes come and go."""

    def __init__(self, carrier: str = "gas", zone: ZoneInfo = PARIS) -> None:
        self._carrier = carrier
        self._zone = zone
        self._meter: Meter | None = None
        self.raw: list[Said] = []
        self.windows: dict[tuple[RegisterKey, str, int], Changed] = {}
        self.checkpoints: dict[int, str] = {}
        self.ends_after: int | None = None
        self.read: list[int] = []

    def restart(self) -> None:
        """A new process, which remembers nothing."""
        self._meter = None

    def take(self, batch: Sequence[Said]) -> None:
        """One batch: void checkpoints and windows, raw readings, checkpoints; each write may be the last."""
        said: dict[RegisterKey, list[Reading]] = {}
        for key, reading in batch:
            said.setdefault(key, []).append(reading)
        from_ms = min(reading.at_ms for _, reading in batch)
        while True:
            self._meter = self._meter or self._load(from_ms)
            try:
                merged = self._meter.merge(said)
                break
            except TooOld as wanted:
                from_ms, self._meter = min(from_ms, wanted.from_ms), None
        for checkpoint in merged.void:
            self._write()
            self.checkpoints[checkpoint.cut_ms] = checkpoint.text
        for key, changed in merged.changed:
            self._write()
            self.windows[key, changed.name, changed.window.start_ms] = changed
        for each in batch:
            self._write()
            self.raw.append(each)
        for checkpoint in merged.right:
            self._write()
            self.checkpoints[checkpoint.cut_ms] = checkpoint.text

    def _write(self) -> None:
        if self.ends_after is not None:
            self.ends_after -= 1
            if self.ends_after < 0:
                self.ends_after = None
                raise _End

    def _load(self, from_ms: int) -> Meter:
        checkpoints = [Checkpoint(*each) for each in self.checkpoints.items()]
        checkpoint = checkpoint_before(checkpoints, from_ms, self._carrier, self._zone)
        stored: dict[RegisterKey, list[Reading]] = {}
        for key, reading in self.raw:
            if checkpoint is None or reading.at_ms >= checkpoint.cut_ms:
                stored.setdefault(key, []).append(reading)
        self.read.append(sum(map(len, stored.values())))
        meter = Meter(self._carrier, self._zone, checkpoint)
        meter.load(stored)
        return meter


@st.composite
def _readings(draw: st.DrawFn) -> list[Said]:
    """One meter with two registers that speak together or alone, with every fault there is."""
    at_ms = START
    values = {TOTAL: draw(st.integers(0, 10**9)) * 1000, EXPORT: 7_000_000}
    said = []
    for _ in range(draw(st.integers(1, 40))):
        at_ms += MINUTE * draw(st.sampled_from([0, 1, 5, 5, 5, 10, 30, 200, 2000]))
        for name in draw(st.sampled_from([[TOTAL], [TOTAL], [TOTAL], [TOTAL, EXPORT], [EXPORT]])):
            value = values[name]
            values[name] = value = draw(
                st.sampled_from([value, value + 50_000, value + 50_000, value + 700_000, max(0, value - 2_000_000), 0])
            )
            shown = draw(st.sampled_from([value, value, value, 0, value * 1000, max(0, value - 1000)])) % 10**12
            said.append((name, Reading(at_ms, shown, draw(st.sampled_from([None, None, at_ms])), 10**12)))
    return said


@given(
    said=_readings(),
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    ends=st.lists(st.integers(0, 60), max_size=5),
    carrier=st.sampled_from(["electricity", "gas"]),
    zone=st.sampled_from([PARIS, PARIS, ZoneInfo("Asia/Kolkata")]),
)
@settings(max_examples=400, deadline=None)
def test_order_copies_batches_forgetting_and_kills_change_nothing(  # noqa: PLR0917 - what a run is made of
    said: list[Said], seed: int, sizes: list[int], ends: list[int], carrier: str, zone: ZoneInfo
) -> None:
    """At once, by time and for ever in memory, or late, twice, in parts, forgotten, killed between any two writes.

    After a kill what was not committed comes again, in batches of another size. Windows and checkpoints are the same.
    """
    expected = _Stored(carrier, zone)
    expected.take(sorted(said, key=lambda each: each[1].at_ms))
    chance = random.Random(seed)  # noqa: S311
    shuffled = said + chance.sample(said, k=len(said) // 2)
    shuffled.sort(key=lambda each: each[1].at_ms + chance.choice([0, 0, 0, 10 * MINUTE, 9 * HOUR, 99 * HOUR]))
    stored, committed, number = _Stored(carrier, zone), 0, 0
    with patch.object(under_test, "_KEEP_MS", HOUR), patch.object(under_test, "_TRIM_AT", 4):
        while committed < len(shuffled):
            size = sizes[number % len(sizes)]
            number += 1
            if stored.ends_after is None and ends:
                stored.ends_after = ends.pop()
            try:
                stored.take(shuffled[committed : committed + size])
                committed += size
            except _End:
                stored.restart()
    assert stored.windows == expected.windows
    assert stored.checkpoints == expected.checkpoints


@given(said=_readings(), zone=st.sampled_from(["Europe/Paris", "Asia/Kolkata"]))
@settings(max_examples=150, deadline=None)
def test_every_window_is_there_and_counts_its_readings(said: list[Said], zone: str) -> None:
    """Each window from the first to the last reading, and no other; its revision is how many readings it knows."""
    stored = _Stored(zone=ZoneInfo(zone))
    with patch.object(under_test, "_KEEP_MS", HOUR), patch.object(under_test, "_TRIM_AT", 4):
        for each in said:
            stored.take([each])
    for key in (TOTAL, EXPORT):
        times = sorted({reading.at_ms for name, reading in said if name == key})
        bounds = {
            (name, low)
            for name in windows_of("gas")
            for low, _ in windows_between(name, times[0], times[-1], ZoneInfo(zone))
        } if times else set()  # fmt: skip
        windows = {(name, low): changed for (of, name, low), changed in stored.windows.items() if of == key}
        assert set(windows) == bounds
        for (_, low), changed in windows.items():
            assert changed.readings == sum(low <= at < changed.window.end_ms for at in times)


def test_a_process_that_starts_anew_reads_the_day_and_not_the_years() -> None:
    """A hundred days of readings every ten minutes: after a restart those of the day, for a late one two days more."""
    stored = _Stored("electricity")
    readings = [(TOTAL, Reading(START + n * 10 * MINUTE, n * 10_000)) for n in range(100 * 144)]
    stored.take(readings)
    stored.restart()
    stored.take([(TOTAL, Reading(readings[-1][1].at_ms + 10 * MINUTE, 100 * 144 * 10_000))])
    assert stored.read[-1] <= 145
    stored.restart()
    stored.take([(TOTAL, readings[-288][1]._replace(at_ms=readings[-288][1].at_ms + MINUTE))])
    assert stored.read[-1] <= 3 * 144 + 2


def test_a_day_that_a_late_reading_changes_has_no_checkpoint_while_it_is_stored() -> None:
    """A process that ends between raw and checkpoint leaves none that misses a stored reading."""
    stored = _Stored("electricity")
    stored.take([(TOTAL, Reading(START + n * HOUR, n * 100_000)) for n in range(72)])
    kept = [cut for cut, text in stored.checkpoints.items() if text]
    late = [(TOTAL, Reading(START + 30 * MINUTE, 40_000))]
    merged = Meter("electricity", PARIS)
    merged.load({TOTAL: [reading for _, reading in stored.raw]})
    again = merged.merge({TOTAL: [late[0][1]]})
    assert [each.cut_ms for each in again.right] == sorted(kept)
    second = merged.merge({TOTAL: [Reading(START + 40 * MINUTE, 50_000)]})
    assert second.void == [Checkpoint(cut, "") for cut in sorted(kept)]
    assert [each.cut_ms for each in second.right] == sorted(kept)
    assert merged.merge({TOTAL: [late[0][1]]}) == ([], [], [])
    stored.take(late)
    assert stored.checkpoints == {each.cut_ms: each.text for each in again.right}


def test_a_process_that_starts_anew_knows_the_silence_before_midnight() -> None:
    """Export silent from the evening to just after midnight, while import speaks: no gap, before a restart or after."""
    midnight = milliseconds(datetime.fromisoformat("2026-01-12T00:00+01:00"))
    spoken = [*(midnight - n * 10 * MINUTE for n in range(24, 0, -1)), midnight - 10_000, midnight + 5_000]
    said = [(TOTAL, Reading(at, 5_000_001 + n * 1000)) for n, at in enumerate([*spoken, midnight + 10 * MINUTE])]
    said += [(EXPORT, Reading(midnight - 4 * HOUR, 7_000_001)), (EXPORT, Reading(midnight + 5_000, 7_020_001))]
    late = [(EXPORT, Reading(midnight + 2 * MINUTE, 7_020_001))]
    whole, anew = _Stored("electricity"), _Stored("electricity")
    whole.take(said + late)
    anew.take(said)
    anew.restart()
    anew.take(late)
    assert anew.read[-1] < len(said)
    assert anew.windows == whole.windows
    assert whole.windows[EXPORT, "1d", midnight].window.flags == ()


def test_void_and_later_checkpoints_are_not_used() -> None:
    """The latest that is early enough and says something."""
    day = 24 * HOUR
    midnight = milliseconds(datetime.fromisoformat("2026-01-12T00:00+01:00"))
    checkpoints = [Checkpoint(midnight + n * day, text) for n, text in enumerate(["a", "b", "", "d"])]
    found = [checkpoint_before(checkpoints, midnight + n * day + HOUR, "electricity", PARIS) for n in range(-1, 4)]
    assert [each.text if each else None for each in found] == [None, "a", "b", "b", "d"]


def test_a_meters_voice_is_the_first_instant_of_five_minutes_whatever_came_first() -> None:
    """Two orders, one memory; what came within half a minute belongs to the same telegram."""
    instants = [START + n * 70_000 for n in range(20)]
    voices = []
    for order in (instants, instants[::-1]):
        voice = Voice()
        for at_ms in order:
            voice.hear([at_ms])
        voices.append(voice.tail(2**62))
    # Every fourth or fifth of 70 s begins another five minutes; the tail is the last three of those.
    firsts = [at for at, before in zip(instants[1:], instants, strict=False) if at // 300_000 != before // 300_000]
    assert voices[0] == voices[1] == firsts[-3:]
    voice = Voice()
    voice.hear(instants)
    voice.forget(instants[-1] + HOUR)
    assert voice.tail(2**62) == firsts[-3:]
    voice = Voice()
    voice.hear([START])
    assert voice.before(START + 29_999) is None
    assert voice.before(START + 30_000) == START
