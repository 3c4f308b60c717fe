"""What every store of time series does, once: in memory, in a SQLite file, in InfluxDB."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.lineprotocol import line, nanoseconds, series
from services.aggregator.ports import FieldValue, Point, Refusal, Row, Store, Unavailable
from services.embedded.series import SqliteStore
from services.runtime.settings import InfluxSettings
from tests.servers.running import Influx

START: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
"""Recent: the raw bucket keeps two years."""


def at(second: int) -> datetime:
    """An instant of the tests."""
    return START + timedelta(seconds=second)


def point(second: int, meter: str = "m1", measurement: str = "meter", **fields: FieldValue) -> Point:
    """A point of meter `meter`."""
    return Point(measurement, (("meter", meter),), tuple(sorted(fields.items())), nanoseconds(at(second)))


class MemoryStore:
    """The smallest store that keeps the rules; also for tests of others."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int], tuple[Point, dict[str, FieldValue]]] = {}
        self.types: dict[tuple[str, str], type] = {}
        self.down = False

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        """Merge by series and time; the first value of a field pins its type."""
        if self.down:
            raise Unavailable("down")
        refusals = []
        for each in points:
            try:
                line(each)
            except ValueError as error:
                refusals.append(Refusal(each, "refused", str(error)))
                continue
            names = [(each.measurement, name) for name, _ in each.fields]
            kinds = [type(value) for _, value in each.fields]
            if any(self.types.get(name, kind) is not kind for name, kind in zip(names, kinds, strict=True)):
                refusals.append(Refusal(each, "field_type", "another type"))
                continue
            self.types.update(zip(names, kinds, strict=True))
            key = (each.measurement, series(each.measurement, each.tags), each.time_ns)
            self.rows.setdefault(key, (each, {}))[1].update(each.fields)
        return refusals

    async def forget(self, tags: Mapping[str, str]) -> None:
        """Look at everything."""
        if self.down:
            raise Unavailable("down")
        wanted = set(tags.items())
        self.rows = {key: row for key, row in self.rows.items() if not wanted or not wanted <= set(row[0].tags)}

    async def remove(self, points: Sequence[tuple[str, tuple[tuple[str, str], ...], int]]) -> None:
        """By series and time."""
        for measurement, tags, time_ns in points:
            self.rows.pop((measurement, series(measurement, tags), time_ns), None)

    async def select(
        self,
        measurement: str,
        *,
        fields: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Sequence[Row]:
        """Look at everything."""
        if self.down:
            raise Unavailable("down")
        rows = []
        for (name, _, time_ns), (each, values) in self.rows.items():
            wanted = {key: value for key, value in values.items() if not fields or key in fields}
            if (
                name == measurement
                and wanted
                and (tags or {}).items() <= dict(each.tags).items()
                and (start is None or time_ns >= nanoseconds(start))
                and (end is None or time_ns < nanoseconds(end))
            ):
                rows.append(Row(time_ns, dict(each.tags), wanted))
        return sorted(rows, key=lambda row: row.time_ns)


class StoreContract:
    """Each test gets an empty `store`."""

    async def test_what_is_written_is_read_back_with_its_types(self, store: Store) -> None:
        """Floats that are whole stay floats, integers stay integers, text and truth values too."""
        written = point(0, whole=5.0, count=7, big=2**60 + 1, name='a "b" \\ c', good=True)
        assert await store.write([written]) == []
        (row,) = await store.select("meter")
        assert row == Row(written.time_ns, {"meter": "m1"}, dict(written.fields))
        assert {name: type(value) for name, value in row.fields.items()} == {
            name: type(value) for name, value in written.fields
        }

    async def test_the_same_series_and_time_merge(self, store: Store) -> None:
        """A second write overwrites the fields it names and leaves the others; writing again changes nothing."""
        await store.write([point(0, a=1.0, b=1.0)])
        for _ in range(2):
            await store.write([point(0, b=2.0, c=3.0)])
        (row,) = await store.select("meter")
        assert row.fields == {"a": 1.0, "b": 2.0, "c": 3.0}

    async def test_the_last_of_equal_points_in_a_batch_wins(self, store: Store) -> None:
        """The order of a batch is kept."""
        await store.write([point(0, a=float(i)) for i in range(10)])
        assert [row.fields["a"] for row in await store.select("meter")] == [9.0]

    async def test_a_refused_point_is_isolated(self, store: Store) -> None:
        """A type conflict and an unsayable point come back with a reason, the neighbours are stored."""
        await store.write([point(0, a=0.0)])
        batch = [point(i, a=float(i)) for i in range(1, 20)]
        conflict, unsayable = point(7, "m2", a="text"), point(8, "m3\\", a=1.0)
        refusals = await store.write([*batch[:9], conflict, unsayable, *batch[9:]])
        assert {(each.point, each.reason) for each in refusals} == {(conflict, "field_type"), (unsayable, "refused")}
        assert [row.fields["a"] for row in await store.select("meter")] == [float(i) for i in range(20)]

    async def test_select_filters(self, store: Store) -> None:
        """By tag, by field, by time with the end left out; rows without any of the fields are left out."""
        await store.write([point(i, f"m{i % 2}", a=float(i)) for i in range(6)])
        await store.write([point(6, "m0", b=1.0), point(0, "m0", "interval", a=9.0)])

        async def values(**filters: object) -> list[FieldValue]:
            return [row.fields["a"] for row in await store.select("meter", fields=["a"], **filters)]  # type: ignore[arg-type]

        assert await values() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        assert await values(tags={"meter": "m1"}) == [1.0, 3.0, 5.0]
        assert await values(start=at(2), end=at(4)) == [2.0, 3.0]
        assert await values(tags={"meter": "m1' OR 'a' = 'a"}) == []
        assert await values(tags={"other": "x"}) == []
        assert [row.fields for row in await store.select("meter", start=at(6))] == [{"b": 1.0}]

    async def test_an_unknown_measurement_or_field_is_empty(self, store: Store) -> None:
        """Nothing is there yet: that is no error."""
        assert await store.select("meter") == []
        await store.write([point(0, a=1.0)])
        assert await store.select("meter", fields=["b"]) == []

    async def test_many_rows_come_in_order(self, store: Store) -> None:
        """25,000 rows of several series, more than one part of an answer, by time."""
        batch = [point(i // 5, f"m{i % 5}", a=float(i)) for i in range(25_000)]
        assert await store.write(batch) == []
        rows = await store.select("meter")
        assert len(rows) == 25_000
        assert [row.time_ns for row in rows] == sorted(each.time_ns for each in batch)

    async def test_what_is_forgotten_is_gone_from_every_measurement_and_nothing_else_is(self, store: Store) -> None:
        """Points of the tag, raw and computed; without tags nothing is meant."""
        await store.write([
            point(1, "m1", x=1.0), point(2, "m1", x=2.0), point(1, "m2", x=3.0), point(1, "m1", "energy", y=4.0)
        ])  # fmt: skip
        await store.forget({})
        assert len(await store.select("meter")) == 3
        await store.forget({"meter": "m1"})
        await store.forget({"meter": "m1"})
        assert [row.tags["meter"] for row in await store.select("meter")] == ["m2"]
        assert await store.select("energy") == []
        await store.write([point(3, "m1", x=5.0)])
        assert [row.fields["x"] for row in await store.select("meter", tags={"meter": "m1"})] == [5.0]

    async def test_a_point_that_is_removed_is_gone_and_its_neighbours_are_not(self, store: Store) -> None:
        """By series and time; what is not there is no error, and doing it twice changes nothing."""
        await store.write([point(1, "m1", x=1.0), point(2, "m1", x=2.0), point(1, "m2", x=3.0)])
        first = (await store.select("meter", tags={"meter": "m1"}))[0]
        place = ("meter", tuple(sorted(first.tags.items())), first.time_ns)
        for _ in range(2):
            await store.remove([place, ("energy", place[1], 7)])
        assert sorted(row.fields["x"] for row in await store.select("meter")) == [2.0, 3.0]


class TestMemory(StoreContract):
    """A dictionary."""

    @pytest.fixture
    def store(self) -> Store:
        """Empty."""
        return MemoryStore()


class TestSqlite(StoreContract):
    """The embedded file."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        """A new file."""
        async with SqliteStore(tmp_path / "series.sqlite") as store:
            yield store

    async def test_two_processes_share_the_file(self, tmp_path: Path) -> None:
        """A type pinned and a series made by one is known to the other."""
        async with SqliteStore(tmp_path / "s") as one, SqliteStore(tmp_path / "s") as other:
            await other.select("meter")
            await one.write([point(0, a=1.0)])
            assert [each.reason for each in await other.write([point(1, a="text")])] == ["field_type"]
            await other.write([point(2, a=2.0)])
            assert [row.fields["a"] for row in await one.select("meter")] == [1.0, 2.0]

    async def test_a_file_that_cannot_be_is_unavailable(self, tmp_path: Path) -> None:
        """The folder is a file: `Unavailable`, not an error of SQLite."""
        (tmp_path / "folder").write_text("not a folder")
        async with SqliteStore(tmp_path / "folder" / "series") as store:
            with pytest.raises(Unavailable):
                await store.write([point(0, a=1.0)])


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """One server for the tests of this file."""
    with Influx(tmp_path_factory.mktemp("influx")) as server:
        yield server


@pytest.mark.servers
class TestInflux(StoreContract):
    """InfluxDB 2.7."""

    @pytest.fixture
    async def store(self, influx: Influx, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
        """Buckets of this test alone."""
        name = request.node.name
        configured = InfluxSettings(
            url=influx.url,
            org=influx.org,
            token_file=influx.token_file,
            raw_bucket=f"{name}_raw",
            rollup_bucket=f"{name}_rollup",
            kpi_bucket=f"{name}_kpi",
        )
        async with InfluxStore(configured) as store:
            await store.ensure_buckets()
            await store.ensure_buckets()  # those that exist are left alone
            yield store

    async def test_points_beyond_retention_are_refused(self, store: Store) -> None:
        """The raw bucket keeps two years; neighbours within are stored."""
        old = point(-3 * 366 * 86_400, a=1.0)
        refusals = await store.write([old, point(0, a=2.0)])
        assert [(each.point, each.reason) for each in refusals] == [(old, "beyond_retention")]
        assert [row.fields["a"] for row in await store.select("meter")] == [2.0]

    @pytest.mark.parametrize(("token", "bucket", "word"), [("wrong", "b", "token"), (None, "nowhere", "bucket")])
    async def test_a_wrong_configuration_is_unavailable(
        self, influx: Influx, token: str | None, bucket: str, word: str
    ) -> None:
        """No point is condemned for it, and the text says what to mend."""
        configured = InfluxSettings(url=influx.url, org=influx.org, token_file=influx.token_file, raw_bucket=bucket)
        async with InfluxStore(configured, token=token) as store:
            with pytest.raises(Unavailable, match=word):
                await store.write([point(0, a=1.0)])

    async def test_a_server_that_is_down_is_unavailable_and_back_later(self, store: Store, influx: Influx) -> None:
        """The same call succeeds after the outage."""
        influx.kill()
        try:
            with pytest.raises(Unavailable):
                await store.write([point(0, a=1.0)])
            with pytest.raises(Unavailable):
                await store.select("meter")
        finally:
            influx.start()
        assert await store.write([point(0, a=1.0)]) == []
        assert len(await store.select("meter")) == 1
