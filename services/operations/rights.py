"""What `garonne doctor` asks the servers: who is let in, what is there and for how long, whose clock is right."""

import asyncio
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from schemas.envelope import TOPICS
from services.aggregator.ports import LogUnavailable
from services.operations.findings import Finding, bad, good, unseen, warning
from services.runtime.settings import InfluxSettings, KafkaSettings, Settings

__all__ = ["ask_influxdb", "ask_kafka"]

_DAY_S: Final = 86_400
_TIMEOUT_S: Final = 8.0
_OFF_S: Final = 5.0
"""HTTP's Date has no fractions, and an answer takes its time: less is no fault of a clock."""
_SET_UP: Final = "run the set-up of the deployment again (docker compose up kafka-setup influxdb-setup)"


async def ask_kafka(settings: KafkaSettings) -> list[Finding]:
    """Log-in, topics, their retention, and whether an aggregator is there."""
    from services.aggregator.adapters.kafka_look import look_at_kafka  # noqa: PLC0415 - lazy

    try:
        seen = await look_at_kafka(settings)
    except (LogUnavailable, OSError) as problem:
        what, _, advice = str(problem).partition("; ")
        return [bad("Kafka", what, advice or "look at kafka.security_protocol, and at its log")]
    found = [*_topics(settings, seen.partitions, seen.retention_ms)]
    if seen.members is None:
        found.append(unseen("aggregator", f"this user may not ask for the group {settings.group}"))
    elif seen.members:
        found.append(good("aggregator", f"{seen.members} in the group {settings.group}"))
    else:
        found.append(bad("aggregator", f"nobody is in the group {settings.group}", "start it: garonne aggregate"))
    return found


def _topics(
    settings: KafkaSettings, partitions: Mapping[str, int], retention_ms: Mapping[str, int]
) -> Iterator[Finding]:
    wanted = sorted(set(TOPICS.values()))
    missing = [each for each in wanted if each not in partitions]
    if missing:
        yield bad("Kafka", f"missing, or not to be seen by this user: {', '.join(missing)}", _SET_UP)
    else:
        yield good("Kafka", f"all {len(wanted)} topics are there")
    for topic in [each for each in wanted if each in partitions]:
        kept_ms = retention_ms.get(topic)
        vehicles = topic == TOPICS["vehicle_state"]
        least_s = settings.vehicle_retention_h * 3600 if vehicles else settings.retention_days * _DAY_S
        if kept_ms is None:
            yield unseen("Kafka", f"how long {topic} keeps records may not be asked")
        elif vehicles and not 0 <= kept_ms <= least_s * 1000:
            said = f"{topic} keeps single vehicles for {_span(kept_ms)}, not {_span(least_s * 1000)}"
            yield warning("Kafka", said, f"set its retention.ms to {least_s * 1000}")
        elif not vehicles and 0 <= kept_ms < least_s * 1000:
            said = f"{topic} keeps records for {_span(kept_ms)}, not {_span(least_s * 1000)}: a rebuild lacks the rest"
            yield warning("Kafka", said, f"set its retention.ms to {least_s * 1000}")


def _span(milliseconds: int) -> str:
    if milliseconds < 0:
        return "ever"
    hours = milliseconds / 3_600_000
    return f"{hours:.0f} h" if hours < 96 else f"{hours / 24:.0f} days"


class _Answer(NamedTuple):
    status: int
    headers: Message
    body: Any


class _Influx:
    """Some questions over HTTP, with the token of the configuration."""

    def __init__(self, settings: InfluxSettings) -> None:
        self._settings = settings
        file: Path | None = settings.token_file
        self._token = "" if file is None else file.read_text("utf-8").strip()
        authority = None if settings.ca_file is None else str(settings.ca_file)
        self._trusted = ssl.create_default_context(cafile=authority)

    def __call__(
        self, method: str, path: str, query: dict[str, str] | None = None, body: bytes | None = None
    ) -> _Answer:
        url = f"{self._settings.url.rstrip('/')}{path}?{urlencode(query or {})}"
        request = Request(url, body, {"Authorization": f"Token {self._token}"}, method=method)  # noqa: S310 - of the configuration
        try:
            with urlopen(request, timeout=_TIMEOUT_S, context=self._trusted) as answer:  # noqa: S310
                return _Answer(answer.status, answer.headers, _json(answer.read()))
        except HTTPError as error:
            return _Answer(error.code, error.headers, _json(error.read()))


def _json(content: bytes) -> Any:
    try:
        return json.loads(content or b"null")
    except ValueError:
        return None


async def ask_influxdb(settings: Settings) -> list[Finding]:
    """Token, organisation, buckets with their retention, the right to write, the clock."""
    try:
        return await asyncio.to_thread(lambda: list(_ask_influxdb(settings, _Influx(settings.influxdb))))
    except (URLError, OSError) as problem:
        why = getattr(problem, "reason", None) or problem
        return [bad("InfluxDB", f"no answer: {why}", "look at influxdb.url, influxdb.ca_file and its log")]


def _ask_influxdb(settings: Settings, ask: _Influx) -> Iterator[Finding]:
    before_s = time.time()
    health = ask("GET", "/health")
    yield from _clock(settings, health.headers.get("Date"), before_s)
    own = settings.influxdb
    answer = ask("GET", "/api/v2/buckets", {"org": own.org, "limit": "100"})
    if answer.status == 401:
        yield bad(
            "InfluxDB", "it does not know the token", "put a valid one into the file that influxdb.token_file names"
        )
        return
    if answer.status >= 400 or not isinstance(answer.body, dict):
        yield bad("InfluxDB", f"there is no organisation {own.org!r} for this token ({answer.status})", _SET_UP)
        return
    there = {each["name"]: each for each in answer.body.get("buckets", ())}
    for name, forever in ((own.raw_bucket, False), (own.rollup_bucket, True), (own.kpi_bucket, True)):
        yield from _bucket(settings, ask, name, there.get(name), forever=forever)


def _clock(settings: Settings, said: str | None, before_s: float) -> Iterator[Finding]:
    if said is None:
        yield unseen("clock", "InfluxDB does not tell its time")
        return
    off_s = parsedate_to_datetime(said).timestamp() - (before_s + time.time()) / 2
    text = f"this machine and InfluxDB differ by {abs(off_s):.0f} s"
    advice = "let both machines follow the same time servers (chrony, systemd-timesyncd)"
    if abs(off_s) <= _OFF_S:
        yield good("clock", text)
    elif abs(off_s) <= settings.accept_future_s:
        yield warning("clock", text, advice)
    else:
        yield bad("clock", f"{text}, more than accept_future_s allows a device", advice)


def _bucket(
    settings: Settings, ask: _Influx, name: str, found: dict[str, Any] | None, *, forever: bool
) -> Iterator[Finding]:
    if found is None:
        yield bad("InfluxDB", f"there is no bucket {name}, or the token may not read it", _SET_UP)
        return
    kept_s = sum(rule.get("everySeconds", 0) for rule in found.get("retentionRules", ()))
    least_s = 0 if forever else settings.accept_past_days * _DAY_S
    kept = "for ever" if not kept_s else f"for {kept_s // _DAY_S} days"
    if kept_s and (forever or kept_s < least_s):
        wanted = "for ever" if forever else f"for accept_past_days = {settings.accept_past_days} days"
        yield warning("InfluxDB", f"the bucket {name} keeps points {kept}, not {wanted}", _SET_UP)
    else:
        yield good("InfluxDB", f"the bucket {name} keeps points {kept}")
    # Nothing to write: a token that may is told that points are missing, another that it may not.
    query = {"org": settings.influxdb.org, "bucket": name, "precision": "ns"}
    written = ask("POST", "/api/v2/write", query, b"")
    if written.status in {401, 403, 404}:
        yield warning("InfluxDB", f"the token may not write to {name}", "fine for a reader; an aggregator needs it")
