"""What is tried against people: another home's data, consent that was withdrawn, groups that are too small."""

import asyncio
import csv
import json
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

from schemas.codec import decode
from services.aggregator.kpis.results import NotAssessed
from services.aggregator.ports import Point
from services.aggregator.scanning import REJECTED
from services.ingest.consent import Book, Change, Consent
from services.ingest.normalise import Normaliser
from services.ingest.profiles import Context, Message, discover
from services.ingest.pseudonyms import KeyProblem, Keys, Pseudonyms, read_keys
from services.operations.erasure import NoHousehold, export, forget, subject_of
from services.runtime.registry import Registry
from tests.cases import NoJunctions
from tests.fakes_aggregator import MemoryStore
from tests.operated import AT, KEYS, World
from tests.security.registry import attack

_REGISTRY = Registry.model_validate(
    {"households": [{"id": f"home-{n}", "devices": [f"tasmota:cave-{n}"]} for n in (1, 2)]}
)
_ONE, _TWO = subject_of("home-1", _REGISTRY, KEYS), subject_of("home-2", _REGISTRY, KEYS)
_HOUSEHOLD, _OPERATOR, _READER = "a household", "an operator", "a reader of reports"
_EARLY = datetime(2025, 1, 1, tzinfo=UTC)


def _site(consent: Consent | None = None) -> Normaliser:
    context = Context(names=Pseudonyms(KEYS, _REGISTRY.household_of), zones=NoJunctions(), timezone=ZoneInfo("UTC"))
    return Normaliser(discover(), dict.fromkeys(discover(), context), KEYS, consent=consent)


def _payload(minutes: int, kwh: float) -> bytes:
    at = (AT + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    return json.dumps({"Time": at, "ENERGY": {"Total": kwh}}).encode()


_DAY = [_payload(10 * i, 80 + i / 8) for i in range(6)]


def _in_a_world(work: Callable[[World], Awaitable[str]]) -> str:
    async def done() -> str:
        with tempfile.TemporaryDirectory() as folder:
            async with World(Path(folder)) as world:
                return await work(world)

    return asyncio.run(done())


async def _lived(world: World, site: Normaliser) -> None:
    for number in (1, 2):
        world.topic = f"tele/cave-{number}/SENSOR"
        await world.take_in(site, [*_DAY, b"{"])


def _change(action: str, start: datetime, recorded_at: datetime) -> Change:
    values = {"recorded_at": recorded_at, "household": "home-1", "action": action, "purposes": ("challenge",)}
    fineness = {"granularity": "live"} if action == "grant" else {}
    return Change.model_validate({**values, **fineness, "from": start})


def _agreed(*changes: Change) -> Normaliser:
    return _site(Consent(Book(changes, KEYS.pseudonym), ZoneInfo("UTC")))


@attack(
    "none",
    "export-of-another",
    who=_HOUSEHOLD,
    tries="asks for its data, to find a neighbour's",
    refusal="only its own",
)
def _export(_: object) -> str:
    async def work(world: World) -> str:
        store = MemoryStore()
        await _lived(world, _site())
        await world.aggregate(store)
        records, points = StringIO(), StringIO()
        number, rows = await export(world.scan, store, _ONE, records, points)
        assert number
        assert rows
        given = records.getvalue() + points.getvalue()
        theirs = [each for several in _TWO.pseudonyms.values() for each in several]
        return "only its own" if not any(each in given for each in theirs) else "a neighbour's data"

    return _in_a_world(work)


@attack(
    "none", "export-by-a-guess", who=_HOUSEHOLD, tries="asks for a household by a pattern: `home-%`", refusal="nobody"
)
def _guess(_: object) -> str:
    for form in ("home-%", "home-*", "", "../home-2", "home-1' OR '1'='1", "HOME-2"):
        try:
            subject_of(form, _REGISTRY, KEYS)
        except NoHousehold:
            continue
        return f"somebody is called {form!r}"
    return "nobody"


@attack(
    "none",
    "export-formula",
    who="a device of a household",
    tries="says a state that a spreadsheet runs",
    refusal="text",
)
def _formula(_: object) -> str:
    async def work(world: World) -> str:
        store = MemoryStore()
        await _lived(world, _site())
        (household,) = _ONE.pseudonyms["household"]
        said = ("=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1")
        tags = (("household", household),)
        await store.write([Point("meter", tags, (("state", each),), i + 1) for i, each in enumerate(said)])
        points = StringIO()
        _, rows = await export(world.scan, store, _ONE, StringIO(), points)
        assert rows == len(said)
        cells = [row[-1] for row in csv.reader(StringIO(points.getvalue(), newline=""))][1:]
        return "text" if all(each.startswith("'") for each in cells) else "a formula"

    return _in_a_world(work)


@attack("none", "replayed-message", who="who recorded messages", tries="publishes a day again", refusal="counted once")
def _replayed(_: object) -> str:
    async def work(world: World) -> str:
        once, twice = MemoryStore(), MemoryStore()
        await _lived(world, _site())
        await world.aggregate(once)
        await _lived(world, _site())
        await world.aggregate(once)
        async with World(Path(world.path.parent) / "other") as other:
            await _lived(other, _site())
            await other.aggregate(twice)
        energy = [{k: v for k, v in s.content.items() if k[0] != "rejected"} for s in (once, twice)]
        return "counted once" if energy[0] == energy[1] else "counted twice"

    def made(world: World) -> Awaitable[str]:
        (world.path.parent / "other").mkdir()
        return work(world)

    return _in_a_world(made)


@attack("none", "no-consent", who=_OPERATOR, tries="measures a home that agreed to nothing", refusal="no-consent")
def _no_consent(_: object) -> str:
    return _rule(_agreed(_change("grant", _EARLY, _EARLY)), "cave-2")


@attack(
    "none", "withdrawn-consent", who=_OPERATOR, tries="goes on measuring after the withdrawal", refusal="no-consent"
)
def _withdrawn(_: object) -> str:
    grant, withdraw = _change("grant", _EARLY, _EARLY), _change("withdraw", AT - timedelta(days=1), AT)
    assert _rule(_agreed(grant), "cave-1") == "1 events"
    return _rule(_agreed(grant, withdraw), "cave-1")


def _rule(site: Normaliser, device: str) -> str:
    outcome = site(Message(f"tele/{device}/SENSOR", _DAY[0], AT))
    return outcome.ignored.rule if outcome.ignored else f"{len(outcome.events)} events"


@attack(
    "none",
    "erased-comes-back",
    who="who recorded messages",
    tries="publishes the messages of an erased household again, and replays its refused ones",
    refusal="nothing comes back",
)
def _erased(_: object) -> str:
    async def work(world: World) -> str:
        store = MemoryStore()
        await _lived(world, _site())
        await world.aggregate(store)
        result = await forget(world.scan, world.sink, store, _ONE, KEYS, file=world.path)
        assert result.points
        assert result.left == 0
        everything = datetime(1970, 1, 1, tzinfo=UTC)
        after = _agreed(_change("grant", _EARLY, _EARLY), _change("withdraw", everything, AT))
        world.topic = "tele/cave-1/SENSOR"
        await world.take_in(after, _DAY, minute=600)
        await world.replay(after)
        await world.aggregate(store)
        wanted = {(tag, each) for tag, several in _ONE.pseudonyms.items() for each in several}
        left = [series for series, rows in store.content.items() if rows and wanted & set(series[1])]
        return "nothing comes back" if not left else "it comes back"

    return _in_a_world(work)


@attack("none", "sealed-without-the-key", who="who copied Kafka", tries="reads refused messages", refusal="unreadable")
def _sealed(_: object) -> str:
    async def work(world: World) -> str:
        await _lived(world, _site())
        copies = await world.records(REJECTED)
        assert copies
        for each in copies:
            if b"cave" in each.value:
                return "a name stands there"
            record = decode(each.value).record
            try:
                Keys(b"another key, as long as it must be").unseal(record.sealed)  # type: ignore[union-attr]
            except KeyProblem:
                continue
            return "another key opens it"
        return "unreadable"

    return _in_a_world(work)


@attack(
    "none",
    "pseudonym-without-the-key",
    who="who copied InfluxDB",
    tries="computes all meter numbers",
    refusal="no match",
)
def _pseudonym(_: object) -> str:
    other = Keys(b"another key, as long as it must be")
    numbers = [f"tasmota:cave-{number}" for number in range(1000)]
    ours = {KEYS.pseudonym("household", each) for each in numbers}
    return "no match" if not ours & {other.pseudonym("household", each) for each in numbers} else "a match"


@attack(
    "none",
    "open-key-file",
    who="another user of the machine",
    tries="reads the key of the pseudonyms",
    refusal="refuses to start",
)
def _open_key(_: object) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "garonne.key"
        file.write_bytes(bytes(range(32)))
        file.chmod(0o644)
        try:
            read_keys(file)
        except KeyProblem:
            return "refuses to start"
        return "starts"


def _reason(outcome: object) -> str:
    return outcome.reason if isinstance(outcome, NotAssessed) else "a figure"


@attack("none", "tiny-group", who=_READER, tries="looks at a group of four families", refusal="small_group")
def _tiny(_: object) -> str:
    from tests.unit.test_report_parts import saving  # noqa: PLC0415 - the page of attacks needs none of it

    return _reason(saving([10.0] * 4))


@attack(
    "none",
    "one-outweighs",
    who=_READER,
    tries="looks at a group of which one has more than half",
    refusal="small_group",
)
def _outweighs(_: object) -> str:
    from tests.unit.test_report_parts import saving  # noqa: PLC0415

    return _reason(saving([10.0] * 9 + [90.1]))


@attack(
    "none", "few-vehicles", who=_READER, tries="looks at a junction where four vehicles passed", refusal="small_group"
)
def _vehicles(_: object) -> str:
    from tests.unit.test_report_parts import counted  # noqa: PLC0415

    return _reason(counted({8: 4}))


@attack(
    "none", "difference", who=_READER, tries="takes the hours shown from the day's total", refusal="no hour is shown"
)
def _difference(_: object) -> str:
    from tests.unit.test_report_parts import counted  # noqa: PLC0415

    outcome = counted({3: 2, 8: 50, 9: 50})
    assert not isinstance(outcome, NotAssessed)
    return "no hour is shown" if outcome.series == {} else "two vehicles are told"
