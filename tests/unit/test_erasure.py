"""A household gets its data, and can be forgotten: in time series, log and every rebuild, proven by a recount."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from schemas.codec import decode
from services.aggregator.ports import Incoming
from services.cli import app
from services.embedded.eventlog import SqliteLog
from services.embedded.series import SqliteStore
from services.ingest.consent import Change
from services.ingest.consentfile import read_changes
from services.ingest.normalise import Normaliser
from services.ingest.ports import Outgoing
from services.ingest.profiles import Context, discover
from services.ingest.pseudonyms import Keys, Pseudonyms
from services.ingest.subjects import Subjects
from services.operations.accounts import Period
from services.operations.auditing import audit
from services.operations.erasure import NoHousehold, Subject, export, forget, member_of, subject_of, verify
from services.operations.rejections import FORGOTTEN, Wanted, find_rejections
from services.runtime.registry import Registry
from tests.cases import NoJunctions
from tests.fakes_aggregator import MemoryStore
from tests.operated import AT, KEYS, World

REGISTRY = Registry.model_validate({
    "households": [
        {"id": "home-1", "devices": ["tasmota:cave-1"]},
        {"id": "home-2", "devices": ["tasmota:cave-2"]},
    ]
})  # fmt: skip
ONE, TWO = subject_of("home-1", REGISTRY, KEYS), subject_of("home-2", REGISTRY, KEYS)


def _site(keys: Keys = KEYS) -> Normaliser:
    context = Context(names=Pseudonyms(keys, REGISTRY.household_of), zones=NoJunctions(), timezone=ZoneInfo("UTC"))
    site = Normaliser(discover(), dict.fromkeys(discover(), context), keys)
    site.subjects = Subjects(REGISTRY.household_of, keys.pseudonym)
    return site


def _payloads(many: int = 6) -> list[bytes]:
    times = [(AT + timedelta(minutes=10 * i)).replace(tzinfo=None).isoformat() for i in range(many)]
    return [json.dumps({"Time": at, "ENERGY": {"Total": 80 + i / 8}}).encode() for i, at in enumerate(times)]


async def _lived(world: World) -> None:
    """Two homes that measure and say that they are there, and one message that nobody can read."""
    for device in ("cave-1", "cave-2"):
        world.topic = f"tele/{device}/SENSOR"
        await world.take_in(_site(), [*_payloads(), b"{"])
        world.topic = f"tele/{device}/LWT"
        await world.take_in(_site(), [b"Online"])


async def _of(world: World, subject: Subject) -> list[Incoming]:
    """What the log holds of a household."""
    records = await world.records("garonne.energy", "garonne.status")
    return [each for each in records if (each.topic, each.key) in subject.places and each.value]


def _points(store: MemoryStore, subject: Subject) -> list[Any]:
    wanted = {(tag, each) for tag, several in subject.pseudonyms.items() for each in several}
    return [series for series, rows in store.content.items() if rows and wanted & set(series[1])]


async def test_a_household_gets_all_its_data_and_nothing_of_others(tmp_path: Path) -> None:
    """Every record of the log and every field of the time series, under its pseudonyms."""
    async with World(tmp_path) as world:
        store = MemoryStore()
        await _lived(world)
        await world.aggregate(store)
        records, points = StringIO(), StringIO()
        number, rows = await export(world.scan, store, ONE, records, points)
        assert number == len(await _of(world, ONE)) == 7
        given = [decode(line.encode()) for line in records.getvalue().splitlines()]
        assert {each.record.kind for each in given} == {"meter_reading", "device_status"}
        assert rows == sum(len(store.content[each]) for each in _points(store, ONE)) > 7
        (other,) = TWO.pseudonyms["household"]
        assert other not in records.getvalue() + points.getvalue()


@pytest.mark.parametrize("overwritten", [True, False])
async def test_what_is_forgotten_is_gone_and_no_replay_brings_it_back(tmp_path: Path, *, overwritten: bool) -> None:
    """Overwritten in the embedded log, or behind a tombstone as in Kafka: the same time series, live and rebuilt."""
    async with World(tmp_path) as world:
        store, rebuilt = MemoryStore(), MemoryStore()
        await _lived(world)
        await world.aggregate(store)
        before = {series: rows for series, rows in store.content.items() if series in _points(store, TWO)}
        file = world.path if overwritten else None
        result = await forget(world.scan, world.sink, store, ONE, KEYS, file=file)
        assert (result.left, result.records) == (0, 7 if overwritten else 0)
        assert result.behind == (0 if overwritten else 7 + 1)
        assert result.points > 7
        await world.aggregate(store)
        log = SqliteLog(world.path)
        await log.commit(dict.fromkeys([(each, 0) for each in ("garonne.energy", "garonne.status")], 0))
        await log.close()
        await world.aggregate(rebuilt)
        for each in (store, rebuilt):
            assert _points(each, ONE) == []
            assert {series: rows for series, rows in each.content.items() if rows} == before


@pytest.mark.parametrize("overwritten", [True, False])
async def test_the_audit_still_adds_up(tmp_path: Path, *, overwritten: bool) -> None:
    """What is forgotten has a fate of its own: it is not lost, and nothing stands without an event."""
    async with World(tmp_path) as world:
        store = MemoryStore()
        await _lived(world)
        await world.aggregate(store)
        await forget(world.scan, world.sink, store, ONE, KEYS, file=world.path if overwritten else None)
        await world.aggregate(store)
        result = await audit(world.scan, store, KEYS, Period(), kept=None)
        assert result.differences == []
        assert sum(counts["forgotten"] for counts in result.rows.values()) == 7


async def test_forgetting_twice_changes_nothing_and_a_new_life_is_measured(tmp_path: Path) -> None:
    """Who moves in later with the same device is another matter: what comes after the tombstone counts."""
    async with World(tmp_path) as world:
        store = MemoryStore()
        await _lived(world)
        for _ in range(2):
            await forget(world.scan, world.sink, store, ONE, KEYS, file=world.path)
        world.topic = "tele/cave-1/SENSOR"
        await world.take_in(_site(), _payloads(2), minute=600)
        await world.aggregate(store)
        assert len([rows for (name, _), rows in store.content.items() if name == "meter" for _ in rows]) == 6 + 2


@pytest.mark.parametrize("overwritten", [True, False])
async def test_refused_messages_of_a_registered_device_are_found_by_their_key(
    tmp_path: Path, *, overwritten: bool
) -> None:
    """Without opening one: by topic or by content; they are settled, and no replay brings them back."""
    async with World(tmp_path, "tele/cave-1/SENSOR") as world:
        await world.take_in(_site(), [b"{"])
        world.topic = "unknown/place"
        await world.take_in(_site(), [b'{"meter": "cave-1"}', b'{"meter": "cave-2"}', b"nobody"])
        keys = [each.key for each in await world.records("garonne.rejected")]
        (device,) = ONE.pseudonyms["device"]
        assert keys.count(device.encode()) == 2
        file = world.path if overwritten else None
        result = await forget(world.scan, world.sink, MemoryStore(), ONE, KEYS, file=file)
        assert result.left == 0
        found = (await find_rejections(world.scan, Wanted())).all()
        assert [each.settled for each in found].count(FORGOTTEN) == 2
        assert len(await world.open_ids()) == 2
        assert {each.outcome for each in await world.replay(_site())} == {"still refused"}


@pytest.mark.parametrize("overwritten", [True, False])
@pytest.mark.parametrize("again", [1, 2])
async def test_what_others_said_on_the_same_topic_stays(tmp_path: Path, *, overwritten: bool, again: int) -> None:
    """An unregistered device on a topic that several share: its refusals go, the others stay open, once."""
    subject = subject_of("meters:serial-1", Registry(), KEYS)
    plain = Normaliser({}, {}, KEYS)
    async with World(tmp_path, "shared/topic") as world:
        await world.take_in(plain, [b"serial-1 a", b"serial-2 a", b"serial-1 b", b"serial-3 a"])
        file = world.path if overwritten else None
        for _ in range(again):
            result = await forget(world.scan, world.sink, MemoryStore(), subject, KEYS, file=file)
            assert result.left == 0
        found = await find_rejections(world.scan, Wanted())
        assert [each.settled for each in found.all()] == [FORGOTTEN, None, FORGOTTEN, None]
        copies = [each for each in await world.records("garonne.rejected") if each.value]
        assert len(copies) == 4 + 2
        content = _content(tmp_path)
        sealed = [KEYS.seal("shared/topic", each) for each in (b"serial-1 a", b"serial-2 a")]
        kept = [base64.b64encode(each) in content for each in sealed]
        assert kept == [not overwritten, True]


@pytest.mark.parametrize("overwritten", [True, False])
async def test_a_member_of_the_panel_is_forgotten_alone(tmp_path: Path, *, overwritten: bool) -> None:
    """In every application, live and rebuilt; what others said stays, and the audit adds up."""
    async with World(tmp_path) as world:
        store, rebuilt = MemoryStore(), MemoryStore()
        for number, (member, application) in enumerate((m, a) for m in ("marie", "jean") for a in ("tbm", "velo")):
            world.topic = f"pionniers/{application}/{member}/events"
            await world.take_in(_site(), [_evaluation(rating) for rating in (2, 5)], minute=number)
        await world.aggregate(store)
        marie = member_of("marie", KEYS)
        records, points = StringIO(), StringIO()
        assert await export(world.scan, store, marie, records, points) == (4, 4)
        result = await forget(world.scan, world.sink, store, marie, KEYS, file=world.path if overwritten else None)
        assert (result.left, result.points, result.records) == (0, 4, 4 if overwritten else 0)
        await world.aggregate(store)
        await _from_the_start(world, "garonne.citizen")
        await world.aggregate(rebuilt)
        (jean,) = member_of("jean", KEYS).members
        for each in (store, rebuilt):
            assert [row.fields["member"] for row in await each.select("evaluation")] == [jean] * 4
        account = await audit(world.scan, store, KEYS, Period(), kept=None)
        assert account.differences == []
        assert sum(counts["forgotten"] for counts in account.rows.values()) == 4


def _content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def _evaluation(rating: int) -> bytes:
    said = {"specversion": "1.0", "type": "fr.bordeaux.pionniers.survey.csat", "time": AT.isoformat()}
    return json.dumps(said | {"data": {"rating": rating}}).encode()


async def _from_the_start(world: World, *topics: str) -> None:
    log = SqliteLog(world.path)
    await log.commit(dict.fromkeys([(each, 0) for each in topics], 0))
    await log.close()


async def test_the_proof_finds_what_is_there(tmp_path: Path) -> None:
    """Before: everything is counted, wherever it lies. It trusts no key and no tag: a record under another's too."""
    async with World(tmp_path) as world:
        store = MemoryStore()
        await _lived(world)
        await world.aggregate(store)
        (record,) = [each for each in await _of(world, ONE) if each.topic == "garonne.status"]
        await world.sink.send([Outgoing("garonne.mobility", b"33:1005", record.value, record.timestamp_ms)])
        seen = {each.where: each for each in await verify(world.scan, store, ONE, KEYS)}
        left = {where: each.left for where, each in seen.items() if each.left}
        assert (
            left.items() >= {"garonne.energy": 6, "garonne.status": 1, "garonne.mobility": 1, "raw: meter": 6}.items()
        )
        assert left["garonne.rejected"] == 1
        assert seen["garonne.energy"].read == 12
        others = {
            each.where: each.left for each in await verify(world.scan, store, subject_of("x:y", REGISTRY, KEYS), KEYS)
        }
        assert set(others.values()) == {0}


async def test_a_home_that_had_two_pseudonyms_is_forgotten_under_both(tmp_path: Path) -> None:
    """A key that was cut: the earlier key is in the file, and names what lies under it."""
    before = Keys(b"b" * 32)
    after = Keys(b"a" * 32, (before,))
    async with World(tmp_path, "tele/cave-1/SENSOR") as world:
        store = MemoryStore()
        await world.take_in(_site(before), [*_payloads(), b"{"])
        await world.take_in(_site(after), _payloads(3), minute=90)
        await world.aggregate(store)
        subject = subject_of("home-1", REGISTRY, after)
        assert len(subject.pseudonyms["household"]) == 2
        result = await forget(world.scan, world.sink, store, subject, after, file=world.path)
        assert (result.left, result.records) == (0, 9)
        assert not [rows for rows in store.content.values() if rows]


async def test_not_a_byte_stays_in_the_embedded_files(tmp_path: Path) -> None:
    """Neither the pseudonym's values in the log, nor its points: pages that were freed are zeroed."""
    async with World(tmp_path) as world, SqliteStore(tmp_path / "series.sqlite") as store:
        await _lived(world)
        await world.aggregate(store)
        meter = KEYS.pseudonym("meter", "tasmota:cave-1").encode()

        def found() -> set[str]:
            return {path.name for path in tmp_path.iterdir() if meter in path.read_bytes()}

        assert found() >= {"series.sqlite"} or found() >= {"series.sqlite-wal"}
        await forget(world.scan, world.sink, store, ONE, KEYS, file=world.path)
        assert found() == set()


def test_an_unknown_household_is_refused() -> None:
    """A slip of the pen must not look like success."""
    with pytest.raises(NoHousehold, match="households_file"):
        subject_of("home-3", REGISTRY, KEYS)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """An embedded site with one household that consented."""
    (tmp_path / "garonne.key").write_bytes(b"k" * 32)
    (tmp_path / "garonne.key").chmod(0o600)
    (tmp_path / "homes.toml").write_text('[[households]]\nid = "home-1"\ndevices = ["tasmota:cave-1"]\n', "utf-8")
    granted = {
        "recorded_at": AT,
        "household": "home-1",
        "action": "grant",
        "purposes": ("city",),
        "granularity": "live",
    }
    change = Change.model_validate(granted | {"from": datetime(2025, 1, 1, tzinfo=UTC)})
    (tmp_path / "consent.jsonl").write_text(change.model_dump_json(by_alias=True) + "\n", "utf-8")
    path = tmp_path / "garonne.toml"
    path.write_text(
        'storage = "embedded"\nkey_file = "garonne.key"\nhouseholds_file = "homes.toml"\n'
        'consent_file = "consent.jsonl"\n[embedded]\nfolder = "."\n',
        "utf-8",
    )
    return path


async def test_the_commands_say_what_they_did(configuration: Path) -> None:
    """Export, forget with the consent withdrawn for all time, and a recount of zero."""
    async with World(configuration.parent) as world:
        world.topic = "tele/cave-1/SENSOR"
        await world.take_in(_site(), _payloads())
        async with SqliteStore(configuration.parent / "series.sqlite") as store:
            await world.aggregate(store)
    out = configuration.parent / "out"
    run = CliRunner().invoke
    common = ["home-1", "-c", str(configuration)]
    given = await asyncio.to_thread(run, app, ["export", *common, "-o", str(out)])
    assert given.exit_code == 0, given.output
    assert "6 records" in given.output
    assert (out / "records.jsonl").read_text("utf-8").count("\n") == 6
    gone = await asyncio.to_thread(run, app, ["forget", *common, "--yes", "--wait", "0"])
    assert gone.exit_code == 0, gone.output
    assert "0 are left" in gone.output
    last = read_changes(configuration.parent / "consent.jsonl")[-1]
    assert (last.action, last.start.year, last.until) == ("withdraw", 1970, None)
    unknown = await asyncio.to_thread(run, app, ["forget", "home-9", "-c", str(configuration), "--yes"])
    assert unknown.exit_code == 1
