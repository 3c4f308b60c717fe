"""Every answer that InfluxDB can give to a write, scripted: accepted + refused = sent, none lost, none condemned."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.ports import Point, Refusal, Unavailable
from services.runtime.settings import InfluxSettings

Script = Callable[[list[str], int], Awaitable[web.Response] | web.Response]
"""From the lines of a request and its number, counted from 0, to the answer."""

CONFLICT = (
    'failure writing points to database: partial write: field type conflict: input field "v" on measurement "meter" '
    "is type string, already exists as type float dropped={}"
)
RETENTION = "failure writing points to database: partial write: points beyond retention policy dropped={}"
OK = web.HTTPNoContent.status_code


def answer(status: int, message: str = "", **headers: str) -> web.Response:
    """As InfluxDB 2.7 words it."""
    if status == OK:
        return web.Response(status=OK)
    body = json.dumps({"code": "whatever", "message": message})
    return web.Response(status=status, text=body, content_type="application/json", headers=headers)


class Scripted:
    """A server on loopback that stores the lines of each request it answers with 204."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.stored: set[str] = set()
        self.requests = 0
        self.pauses_s: list[float] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Ask the script; a partial write is the script's own business."""
        data = await request.read()
        lines = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode().split("\n")
        number, self.requests = self.requests, self.requests + 1
        response = self.script(lines, number)
        if not isinstance(response, web.Response):
            response = await response
        if response.status == OK:
            self.stored.update(lines)
        return response

    async def note(self, pause_s: float) -> None:
        """Instead of sleeping."""
        self.pauses_s.append(pause_s)

    @asynccontextmanager
    async def store(self, timeout_s: float = 20.0) -> AsyncIterator[InfluxStore]:
        """A store that speaks to this server."""
        application = web.Application(client_max_size=2**26)
        application.router.add_post("/api/v2/write", self.handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        configured = InfluxSettings(url=f"http://{host}:{port}", timeout_s=timeout_s)
        try:
            async with InfluxStore(configured, token="t", sleep=self.note) as store:
                yield store
        finally:
            await runner.cleanup()


def points(count: int) -> list[Point]:
    """Points of one series, a second apart."""
    return [Point("meter", (("m", "1"),), (("v", float(i)),), i * 1_000_000_000) for i in range(count)]


def numbers(refusals: Sequence[Refusal]) -> list[int]:
    """Which points were refused."""
    return sorted(each.point.time_ns // 1_000_000_000 for each in refusals)


def bad_lines(lines: list[str], bad: frozenset[int]) -> list[str]:
    """Those of a request that the script dislikes."""
    return [line for line in lines if int(line.rsplit(" ", 1)[1]) // 1_000_000_000 in bad]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.frozensets(st.integers(0, 59), max_size=8), st.sampled_from([400, 422, 500]))
def test_the_guilty_points_are_found_and_their_neighbours_stored(count: int, bad: frozenset[int], status: int) -> None:
    """Accepted + refused = sent, whichever points are bad and however the server says so, even if it stores none."""
    guilty = frozenset(number for number in bad if number < count)

    async def run() -> None:
        def script(lines: list[str], _: int) -> web.Response:
            disliked = bad_lines(lines, guilty)
            return answer(status, CONFLICT.format(len(disliked))) if disliked else answer(OK)

        server = Scripted(script)
        async with server.store() as store:
            refusals = await store.write(points(count))
        assert numbers(refusals) == sorted(guilty)
        assert {each.reason for each in refusals} <= {"field_type"}
        assert len(server.stored) + len(refusals) == count

    asyncio.run(run())


async def test_a_batch_beyond_retention_is_refused_in_one_request() -> None:
    """A backfill that is too old costs one request a batch, not two for each point."""
    server = Scripted(lambda lines, _: answer(422, RETENTION.format(len(lines))))
    async with server.store() as store:
        refusals = await store.write(points(1000))
    assert len(refusals) == 1000
    assert {each.reason for each in refusals} == {"beyond_retention"}
    assert server.requests == 1


async def test_a_line_that_cannot_be_parsed_is_refused_without_its_text() -> None:
    """400 rejects the whole batch; the refusal does not repeat the payload."""
    server = Scripted(lambda lines, _: answer(400, f"unable to parse '{lines[0]}'") if len(lines) > 1 else answer(OK))
    async with server.store() as store:
        assert await store.write(points(9)) == []
    server = Scripted(lambda lines, _: answer(400, f"unable to parse '{lines[0]}': bad timestamp"))
    async with server.store() as store:
        (refusal,) = await store.write(points(1))
    assert refusal.reason == "refused"
    assert "meter" not in refusal.detail


async def test_too_large_a_request_is_split() -> None:
    """413 halves the batch until it fits; a point that never fits is refused."""
    server = Scripted(lambda lines, _: answer(413) if len(lines) > 100 else answer(OK))
    async with server.store() as store:
        assert await store.write(points(1000)) == []
    assert len(server.stored) == 1000
    server = Scripted(lambda lines, _: answer(413) if bad_lines(lines, frozenset({3})) else answer(OK))
    async with server.store() as store:
        assert numbers(await store.write(points(8))) == [3]


@pytest.mark.parametrize(
    ("status", "word"), [(401, "token"), (403, "token"), (404, "bucket"), (400, "proxy"), (302, "proxy")]
)
async def test_a_configuration_to_mend_condemns_no_point(status: int, word: str) -> None:
    """One try, `Unavailable`, and the text says what to do."""
    server = Scripted(lambda _lines, _: web.Response(status=status, text="<html>no</html>"))
    async with server.store() as store:
        with pytest.raises(Unavailable, match=word):
            await store.write(points(5))
    assert server.requests == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_an_answer_that_passes_is_tried_again(status: int) -> None:
    """Two failures, then success: all are stored, with a pause before each try."""
    server = Scripted(lambda _lines, number: answer(status) if number < 2 else answer(OK))
    async with server.store() as store:
        assert await store.write(points(5)) == []
    assert len(server.stored) == 5
    assert len(server.pauses_s) == 2


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_an_answer_that_stays_is_unavailable_and_condemns_nobody(status: int) -> None:
    """Tries are bounded, and an ill server is never taken for bad points."""
    server = Scripted(lambda _lines, _: answer(status, "internal error"))
    async with server.store() as store:
        with pytest.raises(Unavailable):
            await store.write(points(50))
    assert 5 <= server.requests < 60


async def test_retry_after_is_honoured_and_a_long_one_handed_up() -> None:
    """Seven seconds are waited; an hour is `Unavailable` at once."""
    server = Scripted(lambda _lines, n: answer(429, **{"Retry-After": "7"}) if n == 0 else answer(OK))
    async with server.store() as store:
        await store.write(points(1))
    assert server.pauses_s == [7.0]
    server = Scripted(lambda _lines, _: answer(503, **{"Retry-After": "3600"}))
    async with server.store() as store:
        with pytest.raises(Unavailable):
            await store.write(points(1))
    assert server.requests == 1


async def test_a_point_that_makes_the_server_stumble_is_condemned_if_its_neighbours_are_stored() -> None:
    """500 without a reason, for one point only."""
    server = Scripted(lambda lines, _: answer(500, "panic") if bad_lines(lines, frozenset({17})) else answer(OK))
    async with server.store() as store:
        assert numbers(await store.write(points(40))) == [17]
    assert len(server.stored) == 39


async def test_a_server_that_falls_ill_during_the_search_condemns_nobody() -> None:
    """Half of the batch is stored, then everything answers 500: that is no verdict on the rest."""
    server = Scripted(lambda _lines, number: answer(OK) if number == 6 else answer(500, "panic"))
    async with server.store() as store:
        with pytest.raises(Unavailable):
            await store.write(points(8))


async def test_a_timeout_and_a_cut_connection_are_tried_again_then_unavailable() -> None:
    """No answer is no verdict: the same points are sent again, and stored once the server answers."""
    silence = asyncio.Event()

    async def hang() -> web.Response:
        await silence.wait()
        return answer(OK)

    server = Scripted(lambda _lines, number: hang() if number == 0 else answer(OK))
    async with server.store(timeout_s=0.2) as store:
        assert await store.write(points(3)) == []
        silence.set()
    assert len(server.stored) == 3
    store = InfluxStore(InfluxSettings(url="http://127.0.0.1:9"), token="t", sleep=server.note)
    with pytest.raises(Unavailable, match="running"):
        await store.write(points(3))
    await store.close()


async def test_batches_are_bounded_and_go_to_the_bucket_of_their_measurement() -> None:
    """12,000 points take three requests; a measurement that no bucket is named for is refused."""
    server = Scripted(lambda _lines, _: answer(OK))
    async with server.store() as store:
        stray = Point("nonsense", (), (("v", 1.0),), 0)
        assert [each.point for each in await store.write([*points(12_000), stray])] == [stray]
    assert server.requests == 3
    assert len(server.stored) == 12_000
