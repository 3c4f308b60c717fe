"""What a household agreed to decides, before the event log, whether and how finely it is measured."""

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from schemas.energy import IntervalEnergy, MeterReading
from schemas.envelope import Event
from schemas.status import DeviceStatus
from services.checking import check_configuration
from services.cli import app
from services.ingest.assembly import build_normaliser
from services.ingest.consent import COARSE, NONE, Book, Change, Consent, Granularity
from services.ingest.consentfile import read_changes
from services.ingest.normalise import Normaliser, Outcome
from services.ingest.profiles import Context, Ignored, Message, discover
from services.ingest.service import run_ingest
from services.runtime.settings import read_settings
from tests.cases import KEYS, NAMES, NoJunctions
from tests.fakes import FakeSink
from tests.fakes_aggregator import MemoryStore
from tests.operated import World

PARIS = ZoneInfo("Europe/Paris")
HOME = "tasmota:cave"
AT = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)


def _change(granularity: Granularity | None = "live", **values: Any) -> Change:
    plain = {
        "recorded_at": AT,
        "household": HOME,
        "action": "grant" if granularity else "withdraw",
        "purposes": ("challenge",),
        "granularity": granularity,
        "from": datetime(2025, 1, 1, tzinfo=UTC),
    }
    return Change.model_validate(plain | values)


def _consent(*changes: Change) -> Consent:
    return Consent(Book(changes, KEYS.pseudonym), PARIS)


def _normaliser(*changes: Change) -> Normaliser:
    context = Context(names=NAMES, zones=NoJunctions(), timezone=PARIS)
    profiles = discover()
    return Normaliser(profiles, dict.fromkeys(profiles, context), KEYS, consent=_consent(*changes))


def _message(at: datetime = AT, kwh: float = 88.4, device: str = "cave") -> Message:
    local = at.astimezone(PARIS).replace(tzinfo=None).isoformat(timespec="seconds")
    energy = {"Total": kwh, "Today": 0.31, "Power": 55, "Voltage": 229}
    payload = json.dumps({"Time": local, "ENERGY": energy}).encode()
    return Message(f"tele/{device}/SENSOR", payload, at + timedelta(seconds=1))


def _reading(outcome: Outcome) -> MeterReading:
    (event,) = outcome.events
    assert isinstance(event.record, MeterReading)
    return event.record


def _rule(outcome: Outcome) -> str | None:
    return outcome.ignored.rule if outcome.ignored else None


def test_without_a_consent_file_everything_goes_on() -> None:
    """A site that keeps its agreements elsewhere is not stopped."""
    context = Context(names=NAMES, zones=NoJunctions(), timezone=PARIS)
    plain = Normaliser(discover(), dict.fromkeys(discover(), context), KEYS)
    assert _reading(plain(_message())).gauges


def test_a_household_that_agreed_to_nothing_leaves_a_count_and_nothing_else() -> None:
    """The file names another household: this one's message ends as `Ignored`, without an event."""
    outcome = _normaliser(_change(household="tasmota:somebody"))(_message())
    assert outcome.events == ()
    assert outcome.ignored == Ignored(NONE)


def test_live_is_what_the_device_sent() -> None:
    """Every reading, every gauge, under the id that it has without a consent file."""
    context = Context(names=NAMES, zones=NoJunctions(), timezone=PARIS)
    plain = Normaliser(discover(), dict.fromkeys(discover(), context), KEYS)
    assert _normaliser(_change())(_message()) == plain(_message())


@pytest.mark.parametrize(
    ("granularity", "slot"), [("daily", timedelta(days=1)), ("half_hourly", timedelta(minutes=30))]
)
def test_of_each_slot_the_first_reading_is_left(granularity: Granularity, slot: timedelta) -> None:
    """Two days of a meter that speaks every five minutes: one reading a slot, from its start, without gauges."""
    midnight = datetime(2026, 1, 12, tzinfo=PARIS)
    site = _normaliser(_change(granularity))
    outcomes = [site(_message(midnight.astimezone(UTC) + i * timedelta(minutes=5), 80 + i / 100)) for i in range(576)]
    kept = [_reading(each) for each in outcomes if each.events]
    assert [each.observed_at for each in kept] == [midnight + i * slot for i in range(timedelta(days=2) // slot)]
    assert {_rule(each) for each in outcomes if not each.events} == {COARSE}
    for reading in kept:
        assert [each.name for each in reading.registers] == ["total"]
        assert not reading.gauges
        assert not reading.states


@given(order=st.permutations(range(12)), again=st.lists(st.integers(0, 11)), restart=st.integers(0, 11))
def test_a_message_that_comes_again_has_the_same_end(order: Sequence[int], again: Sequence[int], restart: int) -> None:
    """Whatever was let through once is let through again, as the same event; after a restart no slot is left empty."""
    messages = [_message(AT + timedelta(hours=3 * i), 80 + i) for i in range(12)]
    site = _normaliser(_change("daily"))
    first = {i: site(messages[i]).events for i in order}
    for i in again:
        later = site(messages[i]).events
        assert not first[i] or later == first[i]
    fresh = _normaliser(_change("daily"))
    rest = order[restart:]
    kept = {messages[i].received_at.astimezone(PARIS).date() for i in rest if fresh(messages[i]).events}
    assert kept == {messages[i].received_at.astimezone(PARIS).date() for i in rest}


def test_intervals_are_kept_that_are_no_finer_than_agreed() -> None:
    """A load curve needs half_hourly, ten minutes need live; both ends must lie in the consent."""

    def kept(consent: Consent, minutes: int, end: datetime = AT) -> bool:
        record = IntervalEnergy(
            observed_at=end,
            received_at=end,
            clock="utc_z",
            household=KEYS.pseudonym("household", HOME),
            meter=KEYS.pseudonym("meter", HOME),
            carrier="electricity",
            quantity="import_energy",
            register_name="total",
            start=end - timedelta(minutes=minutes),
            end=end,
            value=1.0,
            unit="kWh",
        )
        return bool(consent.keep((Event("0" * 32, "tasmota", record),))[0])

    daily, half = _consent(_change("daily")), _consent(_change("half_hourly"))
    assert [kept(daily, minutes) for minutes in (10, 30, 60, 23 * 60, 24 * 60)] == [False, False, False, True, True]
    assert [kept(half, minutes) for minutes in (10, 30, 60)] == [False, True, True]
    ends = _consent(_change("live", until=AT))
    begins = _consent(_change("live", **{"from": AT - timedelta(minutes=10)}))
    assert kept(ends, 30)
    assert not kept(ends, 30, AT + timedelta(minutes=1))
    assert not kept(begins, 30)
    assert kept(begins, 10)


def test_the_time_of_the_device_counts_not_of_reception() -> None:
    """A reading from before the consent stays out however late it comes, one from before a withdrawal goes on."""
    site = _normaliser(_change("live", **{"from": AT}), _change(None, **{"from": AT + timedelta(hours=2)}))
    late = timedelta(days=3)
    ends = []
    for hours in (-1, 0, 1, 2):
        message = _message(AT + timedelta(hours=hours))
        ends.append(bool(site(Message(message.topic, message.payload, message.received_at + late)).events))
    assert ends == [False, True, True, False]


def test_each_purpose_is_withdrawn_by_itself_and_the_finest_of_the_others_stays() -> None:
    """Separate consent for each purpose (meters.md 6)."""
    household = KEYS.pseudonym("household", HOME)
    changes = [
        _change("live", purposes=("advice",)),
        _change("daily", purposes=("challenge", "city")),
        _change(None, purposes=("advice",)),
        _change(None, purposes=("challenge", "city")),
    ]
    said = [Book(changes[:i], KEYS.pseudonym).granularity(household, AT) for i in range(5)]
    assert said == [None, "live", "live", "daily", None]


def test_a_status_needs_the_consent_of_whose_device_it_is() -> None:
    """Online and offline say when somebody is at home; of an unknown gateway nobody agreed."""

    def status(device: str) -> Event:
        record = DeviceStatus(
            observed_at=AT, received_at=AT, clock="none", device=KEYS.pseudonym("device", device), availability="online"
        )
        return Event("0" * 32, "tasmota", record)

    live = Consent(Book([_change(household="home-1")], KEYS.pseudonym, {"tasmota:hall": "home-1"}), PARIS)
    assert live.keep((status("tasmota:hall"),))[0]
    assert live.keep((status("tasmota:strange"),)) == ((), NONE)
    assert _consent(_change("half_hourly")).keep((status(HOME),)) == ((), COARSE)


async def test_daily_consent_gives_the_energy_of_each_day(tmp_path: Path) -> None:
    """Through log and aggregator: constant power, a meter every five minutes, one reading a day in the log."""
    midnight = datetime(2026, 1, 12, tzinfo=PARIS)
    site, store = _normaliser(_change("daily")), MemoryStore()
    async with World(tmp_path, "tele/cave/SENSOR") as world:
        for i in range(4 * 288 + 1):
            at = midnight.astimezone(UTC) + timedelta(minutes=5 * i)
            batch = world.batch(site, [_message(at, 80 + i / 100).payload], at)
            await world.sink.send(batch)
        await world.aggregate(store)
        assert len(await world.records("garonne.energy")) == 5
    days = await store.select("energy", tags={"window": "1d"}, fields=["energy_kwh"])
    assert [row.fields["energy_kwh"] for row in days] == [pytest.approx(2.88)] * 4


# ---- the file ----


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration with one registered household and a consent file."""
    key = tmp_path / "garonne.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    (tmp_path / "homes.toml").write_text('[[households]]\nid = "home-1"\ndevices = ["tasmota:cave"]\n', "utf-8")
    path = tmp_path / "garonne.toml"
    path.write_text(
        'storage = "embedded"\nkey_file = "garonne.key"\nhouseholds_file = "homes.toml"\n'
        'consent_file = "consent.jsonl"\n[mqtt]\nport = 1\n[ingest]\nmetrics_port = 0\n',
        "utf-8",
    )
    (tmp_path / "consent.jsonl").write_text("# nobody yet\n", "utf-8")
    return path


def _garonne(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_what_the_command_writes_is_what_ingest_reads_and_history_stays(site: Path) -> None:
    """Grant, coarsen, withdraw: three lines, and each holds from its own time on."""
    common = ("-c", str(site))
    assert (
        _garonne(
            "consent", "grant", "home-1", "--for", "city", "--granularity", "live", "--from", "2026-01-01", *common
        )[0]
        == 0
    )
    assert _garonne("consent", "grant", "home-1", "--for", "city", "--from", "2026-02-01", *common)[0] == 0
    assert _garonne("consent", "withdraw", "home-1", "--from", "2026-03-01", *common)[0] == 0
    code, listed = _garonne("consent", "ls", "--json", *common)
    assert code == 0
    assert [json.loads(line)["granularity"] for line in listed.splitlines()] == ["live", "daily", None]
    normaliser, _ = build_normaliser(read_settings(site))
    seen = []
    for month in (12, 1, 2, 3):
        outcome = normaliser(_message(datetime(2025 if month == 12 else 2026, month, 15, tzinfo=UTC)))
        seen.append((bool(outcome.events), bool(outcome.events) and bool(_reading(outcome).gauges)))
    assert seen == [(False, False), (True, True), (True, False), (False, False)]


def test_a_line_by_hand_after_a_file_without_an_end_of_line_stays_readable(site: Path) -> None:
    """An editor may leave the last line open."""
    path = site.parent / "consent.jsonl"
    path.write_text(_change(household="home-1").model_dump_json(by_alias=True), "utf-8")
    assert _garonne("consent", "withdraw", "home-1", "-c", str(site))[0] == 0
    assert [each.action for each in read_changes(path)] == ["grant", "withdraw"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: Invalid JSON"),
        ('{"household": "home-1"}', "line 2: recorded_at: Field required"),
        (_change(household="home-1").model_dump_json(by_alias=True).replace("live", "hourly"), "line 2: granularity"),
        (_change(household="home-1").model_dump_json(by_alias=True).replace("challenge", "ads"), "line 2: purposes.0"),
        (_change(household="home-2").model_dump_json(by_alias=True), "household 'home-2' is not in households_file"),
        (_change(household="home-1").model_dump_json(by_alias=True).replace("until", "untill"), "untill: no such key"),
    ],
)
def test_check_names_the_line_and_the_key(site: Path, line: str, says: str) -> None:
    """Offline, before anything runs."""
    (site.parent / "consent.jsonl").write_text(f"# consent\n{line}\n", "utf-8")
    (problem,) = check_configuration(read_settings(site))
    assert problem.startswith("consent_file: ")
    assert says in problem


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("grant", "home-2", "--for", "city"), "is not in households_file"),
        (("grant", "home-1", "--for", "ads"), "purposes.0"),
        (("grant", "home-1", "--for", "city", "--granularity", "second"), "granularity"),
        (("grant", "home-1", "--for", "city", "--from", "2026-02-01", "--to", "2026-01-01"), "until must be later"),
        (("grant", "home-1", "--for", "city", "--from", "soon"), "is no time"),
    ],
)
def test_a_wrong_change_is_not_written(site: Path, arguments: tuple[str, ...], says: str) -> None:
    """The file stays as it was."""
    before = (site.parent / "consent.jsonl").read_bytes()
    code, output = _garonne("consent", *arguments, "-c", str(site))
    assert code == 1
    assert says in output
    assert (site.parent / "consent.jsonl").read_bytes() == before


async def test_a_change_holds_while_ingest_runs_and_a_faulty_file_changes_nothing(
    site: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Withdrawn: from the next look on. A slip of the pen: what was said before holds."""
    monkeypatch.setattr("services.ingest.service._LOOK_AT_CONSENT_S", 0.01)
    caplog.set_level(logging.CRITICAL)
    path, stop = site.parent / "consent.jsonl", asyncio.Event()
    settings = read_settings(site)
    normaliser, topics = build_normaliser(settings)
    consent = normaliser.consent
    assert consent is not None
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(run_ingest(settings, normaliser, topics, FakeSink(), stop))
        await asyncio.sleep(0)
        for text, holds in (
            (_change(household="home-1").model_dump_json(by_alias=True) + "\n", True),
            ("{", True),
            ("# gone\n", False),
        ):
            before = consent.book
            path.write_text(text, "utf-8")
            while text != "{" and consent.book is before:  # noqa: ASYNC110 - a file has no event to wait for
                await asyncio.sleep(0.01)
            assert bool(normaliser(_message()).events) is holds
        stop.set()


# ---- what cannot be read, members of the panel, and any rhythm ----


def _registered(site: Path, *changes: Change) -> Normaliser:
    text = "".join(each.model_dump_json(by_alias=True) + "\n" for each in changes)
    (site.parent / "consent.jsonl").write_text(text, "utf-8")
    return build_normaliser(read_settings(site))[0]


def test_without_consent_a_message_that_cannot_be_read_is_not_kept_either(site: Path) -> None:
    """Neither by its topic nor by its content; with consent it is kept sealed, and of nobody we know as before."""
    by_topic = Message("tele/cave/SENSOR", b"{", AT)
    by_content = Message("unknown/topic", b'{"meter": "cave"}', AT)
    nobodys = Message("unknown/topic", b"{", AT)
    without = _registered(site)
    assert [_rule(without(each)) for each in (by_topic, by_content, nobodys)] == [NONE, NONE, None]
    agreed = _registered(site, _change("daily", household="home-1"))
    refused = [agreed(each).rejected for each in (by_topic, by_content, nobodys)]
    devices = [each.device for each in refused if each is not None]
    assert len(devices) == 3
    assert devices[0] == devices[1] != devices[2]


def test_a_member_of_the_panel_who_withdraws_is_not_heard_any_more(site: Path) -> None:
    """Others are: they agreed where they joined. What was said before the withdrawal goes on, however late it comes."""
    withdrawn = _change(None, household="pionniers:marie", **{"from": AT})
    normaliser = _registered(site, withdrawn)

    def said(member: str, at: datetime) -> bool:
        event = {"specversion": "1.0", "type": "fr.bordeaux.pionniers.survey.csat", "time": at.isoformat()}
        payload = json.dumps(event | {"data": {"rating": 4}}).encode()
        return bool(normaliser(Message(f"pionniers/tbm/{member}/events", payload, at + timedelta(days=1))).events)

    assert [said("marie", AT), said("marie", AT - timedelta(hours=1)), said("jean", AT)] == [False, True, True]
    renewed = [withdrawn, _change("live", household="pionniers:marie", **{"from": AT + timedelta(hours=1)})]
    normaliser = _registered(site, *renewed)
    assert [said("marie", AT), said("marie", AT + timedelta(hours=2))] == [False, True]


@given(
    seconds=st.lists(st.integers(0, 4 * 86_400), min_size=1, max_size=80),
    granularity=st.sampled_from(["daily", "half_hourly"]),
    seen_again=st.booleans(),
)
def test_whatever_the_rhythm_only_agreed_values_survive(
    seconds: list[int], granularity: Granularity, *, seen_again: bool
) -> None:
    """In order of time, any cadence, repetitions: at most one instant of each local slot, registers alone, no gauge."""
    midnight = datetime(2026, 3, 27, tzinfo=PARIS).astimezone(UTC)  # the clocks change within
    site = _normaliser(_change(granularity))
    times = [midnight + timedelta(seconds=each) for each in sorted(seconds)]
    kept = [_reading(each) for at in times for each in [site(_message(at))] if each.events]
    if seen_again:
        kept += [_reading(each) for at in times for each in [site(_message(at))] if each.events]

    def slot(at: datetime) -> object:
        return at.astimezone(PARIS).date() if granularity == "daily" else int(at.timestamp()) // 1800

    instants = {each.observed_at for each in kept}
    assert len(instants) == len({slot(at) for at in instants}) == len({slot(at) for at in times})
    for reading in kept:
        assert (reading.gauges, reading.states) == ((), ())
        assert not [each for each in reading.registers if each.since_midnight]
