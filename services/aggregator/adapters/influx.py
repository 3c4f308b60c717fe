"""InfluxDB behind the port `Store`: own write loop over the connection of `influxdb-client`, queries in InfluxQL.

The client's own writers lose points (its batching one drops after its retries, its asynchronous one never retries)
and its `Point` is slow, so only its connection is used. InfluxDB 1.8, 2.7 and 3 all speak what is spoken here.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, cast

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from pydantic_core import from_json

from services.aggregator.adapters.influx_answers import Answer, Verdict, understand
from services.aggregator.adapters.influx_language import identifier, json_lines, literal, quoted, rows_of
from services.aggregator.adapters.influx_sending import WRITE, Sure, ask_before_sending
from services.aggregator.lineprotocol import line, nanoseconds
from services.aggregator.ports import BUCKETS, Bucket, Point, Refusal, Row, Unavailable
from services.runtime.lifecycle import Backoff
from services.runtime.settings import ConfigurationProblem, InfluxSettings

__all__ = ["InfluxStore"]

_LINES_PER_REQUEST: Final = 5000
_TRIES: Final = 5
_MOST_PATIENCE_S: Final = 30.0
"""If InfluxDB asks for a longer pause the caller shall know, and wait with everything else."""
_SUSPECTS: Final = 20
"""More points than this in a batch that answer 500 are no bad points: the server is ill."""
_FIRST_TIME: Final = "1677-09-21T00:12:44Z"
_LAST_TIME: Final = "2262-04-11T23:47:16Z"
_RAW_KEPT_S: Final = 730 * 86_400

Sleep = Callable[[float], Awaitable[None]]
"""Waits this many seconds; tests give one that only notes them."""


class _Line(NamedTuple):
    point: Point
    text: bytes


class InfluxStore:
    """Time series in InfluxDB.

    Args:
        settings: Address, organisation, buckets, token file.
        token: Instead of the token file, for tests.
        sleep: How to wait between tries.
        sure: Asked before each request of a write, and again when it has its connection.

    Raises:
        ConfigurationProblem: the token file cannot be read.
    """

    def __init__(
        self,
        settings: InfluxSettings,
        *,
        token: str | None = None,
        sleep: Sleep = asyncio.sleep,
        sure: Sure | None = None,
    ):
        self._settings = settings
        self._token = token if token is not None else _read_token(settings)
        self._sleep = sleep
        self._sure = sure
        self._client: InfluxDBClientAsync | None = None
        self._buckets: dict[Bucket, str] = {
            "raw": settings.raw_bucket,
            "rollup": settings.rollup_bucket,
            "kpi": settings.kpi_bucket,
        }

    async def __aenter__(self) -> Self:
        """Connects when it is first needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()  # type: ignore[no-untyped-call]

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        """Store points; each that InfluxDB refuses is found by halving, and its neighbours are stored.

        Writing again is safe: the same series and time overwrite.

        Returns:
            The points refused for good; all others are stored.

        Raises:
            Unavailable: not certain that all are stored; the text says what to do.
        """
        refusals: list[Refusal] = []
        by_bucket: dict[str, list[_Line]] = {}
        for point in points:
            try:
                text = line(point)
            except ValueError as error:
                refusals.append(Refusal(point, "refused", str(error)))
                continue
            bucket = BUCKETS.get(point.measurement)
            if bucket is None:
                refusals.append(Refusal(point, "refused", f"no bucket is named for measurement {point.measurement!r}"))
            else:
                by_bucket.setdefault(self._buckets[bucket], []).append(_Line(point, text))
        for name, lines in by_bucket.items():
            for first in range(0, len(lines), _LINES_PER_REQUEST):
                refusals += await self._store(name, lines[first : first + _LINES_PER_REQUEST])
        return refusals

    async def _store(self, bucket: str, lines: Sequence[_Line]) -> list[Refusal]:
        """Store a batch, halving it around what is refused."""
        answer = await self._persist(bucket, lines)
        if answer.verdict is Verdict.STORED:
            return []
        if answer.verdict is Verdict.BROKEN:
            return await self._probe(bucket, lines, answer)
        if len(lines) == 1 or answer.dropped == len(lines):
            return [Refusal(each.point, answer.reason, answer.detail) for each in lines]
        half = len(lines) // 2
        return await self._store(bucket, lines[:half]) + await self._store(bucket, lines[half:])

    async def _persist(self, bucket: str, lines: Sequence[_Line]) -> Answer:
        """Post until there is an answer about the points, or patience ends.

        Raises:
            Unavailable: a configuration to mend, or no answer in all tries.
        """
        backoff = Backoff(0.2, 5.0)
        answer = await self._post(bucket, lines)
        for _ in range(_TRIES - 1):
            pause_s = max(backoff.next_s(), answer.retry_after_s or 0.0)
            if answer.verdict not in {Verdict.LATER, Verdict.BROKEN} or pause_s > _MOST_PATIENCE_S:
                break
            await self._sleep(pause_s)
            answer = await self._post(bucket, lines)
        if answer.verdict in {Verdict.LATER, Verdict.MISCONFIGURED}:
            raise Unavailable(f"InfluxDB at {self._settings.url}, bucket {bucket!r}: {answer.detail}")
        return answer

    async def _probe(self, bucket: str, lines: Sequence[_Line], answer: Answer) -> list[Refusal]:
        """The server answers 500 to this batch: is it ill, or do a few points make it stumble?

        A point is condemned only if it fails twice and a neighbour that was stored before is stored again right after
        it; in any other case the fault is taken for the server's.
        """
        suspects: list[_Line] = []
        stored: list[_Line] = []
        refusals: list[Refusal] = []
        parts = [lines]
        ill = Unavailable(f"InfluxDB at {self._settings.url}, bucket {bucket!r}: {answer.detail}")
        while parts:
            part = parts.pop()
            verdict = await self._post(bucket, part)
            if verdict.verdict is Verdict.STORED:
                stored += part
            elif verdict.verdict in {Verdict.LATER, Verdict.MISCONFIGURED}:
                raise ill
            elif len(part) > 1:
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
            elif verdict.verdict is Verdict.BROKEN:
                suspects += part
            else:
                refusals.append(Refusal(part[0].point, verdict.reason, verdict.detail))
            if len(suspects) > _SUSPECTS:
                raise ill
        for suspect in suspects:
            if not stored:
                raise ill
            again = await self._post(bucket, [suspect])
            control = await self._post(bucket, stored[:1])
            if again.verdict is not Verdict.BROKEN or control.verdict is not Verdict.STORED:
                raise ill
            refusals.append(Refusal(suspect.point, answer.reason, again.detail))
        return refusals

    async def _post(self, bucket: str, lines: Sequence[_Line]) -> Answer:
        body = gzip.compress(b"\n".join([each.text for each in lines]), compresslevel=1)
        query = {"org": self._settings.org, "bucket": bucket, "precision": "ns"}
        headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
        if self._sure is not None:
            await self._sure()
        try:
            response = await self._call("POST", WRITE, query, headers=headers, body=body)
            async with response:
                return understand(response.status, await response.read(), response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer(Verdict.LATER, detail=f"no answer ({type(error).__name__}); is it running, is the URL right?")

    async def _call(
        self, method: str, path: str, query: Mapping[str, str], *, headers: Mapping[str, str], body: Any = None
    ) -> aiohttp.ClientResponse:
        if self._client is None:
            settings = self._settings
            timeout_ms = int(settings.timeout_s * 1000)
            authority = None if settings.ca_file is None else str(settings.ca_file)
            self._client = InfluxDBClientAsync(
                settings.url, self._token, settings.org, timeout=timeout_ms, ssl_ca_cert=authority
            )
            if self._sure is not None:
                ask_before_sending(self._client.api_client.rest_client.pool_manager, self._sure)
        rest = self._client.api_client.rest_client
        answer = await rest.request(  # type: ignore[no-untyped-call]
            method,
            self._settings.url.rstrip("/") + path,
            query_params=query,
            headers={"Authorization": f"Token {self._token}", **headers},
            body=body,
            _preload_content=False,
        )
        return cast("aiohttp.ClientResponse", answer)

    async def forget(self, tags: Mapping[str, str]) -> None:
        """Delete every point with these tags from the three buckets.

        Raises:
            Unavailable: no answer, or the token may not delete.
        """
        for bucket in dict.fromkeys(self._buckets.values()) if tags else ():
            await self._delete(bucket, tags.items(), _FIRST_TIME, _LAST_TIME)

    async def remove(self, points: Sequence[tuple[str, tuple[tuple[str, str], ...], int]]) -> None:
        """Delete single points: measurement, tags, time in ns.

        Raises:
            Unavailable: no answer, or the token may not delete; once more is right.
        """
        for measurement, tags, time_ns in points:
            seconds, rest_ns = divmod(time_ns, 1_000_000_000)
            at = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09}Z"
            named = [("_measurement", measurement), *tags]
            await self._delete(self._buckets[BUCKETS[measurement]], named, at, at)

    async def _delete(self, bucket: str, tags: Iterable[tuple[str, str]], start: str, stop: str) -> None:
        predicate = " AND ".join(f"{name}={quoted(value)}" for name, value in tags)
        body = {"start": start, "stop": stop, "predicate": predicate}
        where = f"InfluxDB at {self._settings.url}, bucket {bucket!r}"
        query = {"org": self._settings.org, "bucket": bucket}
        headers = {"Content-Type": "application/json"}
        try:
            response = await self._call("POST", "/api/v2/delete", query, headers=headers, body=body)
            async with response:
                content = await response.read()
                if response.status not in {200, 204}:
                    raise Unavailable(f"{where}: {understand(response.status, content, None).detail}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{where}: no answer ({type(error).__name__}); is it running?") from error

    async def select(
        self,
        measurement: str,
        *,
        fields: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Sequence[Row]:
        """Rows of a measurement in [start, end), by time; no `fields` means all of them.

        Raises:
            Unavailable: no answer, an error of the query, or a measurement without a bucket.
        """
        if measurement not in BUCKETS:
            raise Unavailable(f"no bucket is named for measurement {measurement!r}")
        bucket = self._buckets[BUCKETS[measurement]]
        types = await self._field_types(bucket, measurement) if fields else None
        names = [name for name in fields if types is not None and name in types]
        if fields and not names:
            return []
        columns = ",".join(identifier(name) for name in names) or "*"
        text = f"SELECT {columns} FROM {identifier(measurement)}"  # noqa: S608 - escaped
        conditions = [f"{identifier(name)} = {literal(value)}" for name, value in (tags or {}).items()]
        conditions += [f"time >= {nanoseconds(start)}"] if start is not None else []
        conditions += [f"time < {nanoseconds(end)}"] if end is not None else []
        text += f" WHERE {' AND '.join(conditions)}" if conditions else ""
        rows: list[Row] = []
        async for part in self._query(bucket, text + " GROUP BY *"):
            # Asked for only now: a series that is new has no rows, and new meters are many at once.
            types = types or await self._field_types(bucket, measurement)
            rows += rows_of(part, types)
        return sorted(rows, key=lambda row: row.time_ns)

    async def _field_types(self, bucket: str, measurement: str) -> dict[str, str]:
        """The type of each field: JSON alone does not tell the float 5 from the integer 5."""
        types: dict[str, str] = {}
        async for part in self._query(bucket, f"SHOW FIELD KEYS FROM {identifier(measurement)}"):
            types.update(part.get("values", []))
        return types

    async def _query(self, bucket: str, text: str) -> AsyncIterator[dict[str, Any]]:
        """The series of the answer, in parts of 10,000 rows at most, so that memory stays bounded."""
        query = {"db": bucket, "epoch": "ns", "q": text, "chunked": "true", "chunk_size": "10000"}
        where = f"InfluxDB at {self._settings.url}, bucket {bucket!r}"
        try:
            response = await self._call("GET", "/query", query, headers={"Accept": "application/json"})
            async with response:
                if response.status != 200:
                    raise Unavailable(f"{where}: {understand(response.status, await response.read(), None).detail}")
                async for chunk in json_lines(response.content):
                    for result in chunk.get("results", []):
                        if "error" in result:
                            raise Unavailable(f"{where}: {result['error']}")
                        for part in result.get("series", []):
                            yield part
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unavailable(f"{where}: no answer ({type(error).__name__}); is it running?") from error

    async def ensure_buckets(self) -> None:
        """Make the buckets that are missing: raw keeps two years, rollup and kpi everything.

        For development, demonstration and tests; the token must be an operator's.

        Raises:
            Unavailable: no answer, no such organisation, or the token may not.
        """
        found = await self._json("GET", "/api/v2/orgs", {"org": self._settings.org})
        org = found["orgs"][0]["id"]
        for kind, name in self._buckets.items():
            known = await self._json("GET", "/api/v2/buckets", {"orgID": org, "name": name})
            if not known.get("buckets"):
                kept_s = _RAW_KEPT_S if kind == "raw" else 0
                rules = [{"type": "expire", "everySeconds": kept_s}] if kept_s else []
                wanted = {"orgID": org, "name": name, "retentionRules": rules}
                await self._json("POST", "/api/v2/buckets", {}, wanted)

    async def _json(self, method: str, path: str, query: Mapping[str, str], body: Any = None) -> dict[str, Any]:
        where = f"InfluxDB at {self._settings.url}"
        try:
            response = await self._call(method, path, query, headers={"Content-Type": "application/json"}, body=body)
            async with response:
                content = await response.read()
                if response.status == 404 and path == "/api/v2/buckets":
                    return {}
                if response.status >= 300:
                    raise Unavailable(f"{where}: {understand(response.status, content, None).detail}")
                return cast("dict[str, Any]", from_json(content))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unavailable(f"{where}: no answer ({type(error).__name__}); is it running?") from error


def _read_token(settings: InfluxSettings) -> str:
    if settings.token_file is None:
        return ""
    try:
        return settings.token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationProblem(f"influxdb.token_file: {settings.token_file}: {error.strerror}") from error
