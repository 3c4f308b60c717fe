"""A new key: pseudonyms and history go on, or end, as the operator said; what was sealed before can be opened."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from services.aggregator.ports import Row
from services.cli import app
from services.ingest.keyring import Key, RingProblem, parse_ring, ring_bytes
from services.ingest.normalise import Normaliser
from services.ingest.profiles import Context, discover
from services.ingest.pseudonyms import KeyProblem, Keys, Pseudonyms, keys_from, read_keys
from tests.cases import NoJunctions
from tests.fakes_aggregator import MemoryStore
from tests.operated import World

PARIS = ZoneInfo("Europe/Paris")
MIDNIGHT = datetime(2026, 1, 12, tzinfo=PARIS).astimezone(UTC)
NAMED = ("household", "meter", "device", "member")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration with a key of one secret, as it is made at first."""
    key = tmp_path / "garonne.key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o640)
    path = tmp_path / "garonne.toml"
    path.write_text('storage = "embedded"\nkey_file = "garonne.key"\n[embedded]\nfolder = "."\n', "utf-8")
    return path


def _garonne(site: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["keys", *arguments, "-c", str(site)])
    assert result.exit_code == 0, result.output
    return result.output


def _refused(site: Path, *arguments: str) -> str:
    before = (site.parent / "garonne.key").read_bytes()
    result = CliRunner().invoke(app, ["keys", *arguments, "-c", str(site)])
    assert result.exit_code == 1
    assert (site.parent / "garonne.key").read_bytes() == before
    return result.output


def _keys(site: Path) -> Keys:
    return read_keys(site.parent / "garonne.key")


def test_kept_everybody_at_home_has_the_name_of_before(site: Path) -> None:
    """And messages their ids, so that one that comes again is known; seals and names of vehicles are new."""
    old = _keys(site)
    _garonne(site, "rotate", "--keep")
    new = _keys(site)
    assert [new.pseudonym(each, "x") for each in NAMED] == [old.pseudonym(each, "x") for each in NAMED]
    assert new.event_id == old.event_id
    assert new.pseudonym("vehicle", "x") != old.pseudonym("vehicle", "x")
    assert new.every_pseudonym("household", "x") == {old.pseudonym("household", "x")}
    sealed = old.seal("topic", b"before")
    assert new.unseal(sealed) == ("topic", b"before")
    with pytest.raises(KeyProblem):
        old.unseal(new.seal("topic", b"after"))


def test_cut_nobody_has_the_name_of_before(site: Path) -> None:
    """Only the file knows both, for export and erasure."""
    old = _keys(site)
    _garonne(site, "rotate", "--cut")
    new = _keys(site)
    assert not {new.pseudonym(each, "x") for each in NAMED} & {old.pseudonym(each, "x") for each in NAMED}
    assert new.event_id != old.event_id
    both = {old.pseudonym("household", "x"), new.pseudonym("household", "x")}
    assert new.every_pseudonym("household", "x") == both
    assert new.unseal(old.seal("topic", b"before")) == ("topic", b"before")


def test_an_earlier_key_is_thrown_away_only_when_nothing_of_today_rests_on_it(site: Path) -> None:
    """After that what was sealed under it is closed, and the link to its names is gone."""
    old = _keys(site)
    _garonne(site, "rotate", "--keep")
    assert "in use" in _refused(site, "drop", "1", "--yes")
    _garonne(site, "rotate", "--cut")
    assert "in use" in _refused(site, "drop", "3", "--yes")
    assert "no key 7" in _refused(site, "drop", "7", "--yes")
    newest = _keys(site)
    _garonne(site, "drop", "1", "--yes")
    left = _keys(site)
    assert left.pseudonym("household", "x") == newest.pseudonym("household", "x")
    assert old.pseudonym("household", "x") not in left.every_pseudonym("household", "x")
    with pytest.raises(KeyProblem, match="another key"):
        left.unseal(old.seal("topic", b"before"))


def test_the_file_keeps_its_rights_and_no_secret_is_printed(site: Path) -> None:
    """Rotated twice, listed: numbers and days."""
    said = _garonne(site, "rotate", "--keep") + _garonne(site, "rotate", "--cut") + _garonne(site, "ls")
    file = site.parent / "garonne.key"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in site.parent.iterdir() if "garonne.key" in path.name] == ["garonne.key"]
    ring = parse_ring(file.read_bytes())
    assert [(each.number, each.mode) for each in ring] == [(1, "first"), (2, "keep"), (3, "cut")]
    for line in file.read_text("ascii").splitlines()[1:]:
        assert line.split()[3] not in said


def test_who_rotates_has_to_say_which(site: Path) -> None:
    """Neither is safe to guess."""
    assert "--keep" in _refused(site, "rotate")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no key"),
        ("1 2026-01-01 first\n", "line 2"),
        ("1 2026-01-01 keep AAAA\n", "line 2: there is no key before"),
        ("1 soon first AAAA\n", "line 2: the day"),
        ("1 - first AAAA\n2 - turn AAAA\n", "line 3"),
        ("2 - first AAAA\n1 - cut AAAA\n", "do not rise"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_line_and_without_its_secret(text: str, says: str) -> None:
    """An editor slipped."""
    with pytest.raises(RingProblem, match=says) as refused:
        parse_ring(b"garonne-keys 1\n" + text.encode())
    assert "AAAA" not in str(refused.value)


def test_what_is_written_is_what_is_read() -> None:
    """And a short secret in it is no key."""
    ring = (Key(1, None, "first", b"a" * 32), Key(4, datetime(2026, 1, 1, tzinfo=UTC).date(), "keep", b"\n" * 32))
    assert parse_ring(ring_bytes(ring)) == ring
    with pytest.raises(KeyProblem):
        keys_from((*ring, Key(5, None, "cut", b"short")))


# ---- through log and aggregator ----


def _normaliser(keys: Keys) -> Normaliser:
    context = Context(names=Pseudonyms(keys), zones=NoJunctions(), timezone=PARIS)
    return Normaliser(discover(), dict.fromkeys(discover(), context), keys)


def _payload(minutes: int) -> bytes:
    local = (MIDNIGHT + timedelta(minutes=minutes)).astimezone(PARIS).replace(tzinfo=None)
    return json.dumps({"Time": local.isoformat(), "ENERGY": {"Total": 80 + minutes / 480}}).encode()


async def _days(folder: Path, keys: list[Keys]) -> list[Row]:
    """Days of a meter of constant power whose site has another key every seven and a half hours."""
    store = MemoryStore()
    async with World(folder, "tele/cave/SENSOR") as world:
        for number in range(0, 2881, 10):
            site = _normaliser(keys[min(number // 450, len(keys) - 1)])
            await world.sink.send(world.batch(site, [_payload(number)], MIDNIGHT + timedelta(minutes=number)))
        await world.aggregate(store)
    rows = await store.select("energy", tags={"window": "1d"})
    return [row for row in rows if row.fields.get("energy_kwh") is not None]


async def test_kept_a_meter_counts_on_over_the_rotation(tmp_path: Path) -> None:
    """One series, full days, no jump and no gap, and the same figures as without a rotation."""
    first = Keys(b"1" * 32)
    second = Keys(b"2" * 32, (first,), keep=True)
    third = Keys(b"3" * 32, (first, second), keep=True)
    (tmp_path / "rotated").mkdir()
    rotated, plain = await _days(tmp_path / "rotated", [first, second, third]), await _days(tmp_path, [first])
    assert rotated == plain
    assert [row.fields["energy_kwh"] for row in rotated] == [pytest.approx(3.0)] * 2
    assert [row.fields["coverage"] for row in rotated] == [1.0] * 2


async def test_cut_two_homes_measure_what_one_would_have_and_never_more(tmp_path: Path) -> None:
    """The interval over the rotation is nobody's: neither jump nor double, and nothing of both in one series."""
    first = Keys(b"1" * 32)
    rows = await _days(tmp_path, [first, Keys(b"2" * 32, (first,))])
    assert len({row.tags["household"] for row in rows}) == len({row.tags["meter"] for row in rows}) == 2
    first_day = [row.fields for row in rows if row.time_ns == int(MIDNIGHT.timestamp()) * 1_000_000_000]
    measured = sum(float(each["energy_kwh"]) for each in first_day)
    assert measured == pytest.approx(3.0 - 10 / 480)
    assert all(float(each["coverage"]) < 1 for each in first_day)
