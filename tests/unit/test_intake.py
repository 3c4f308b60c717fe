"""Evaluations over HTTP: answered when they are stored, the same events as over MQTT, nothing without the token."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from pydantic import ValidationError

from schemas.codec import decode
from services.ingest.intake import MOST_BYTES, serve_intake
from services.ingest.ledger import Ledger
from services.ingest.pipeline import Pipeline
from services.ingest.ports import Outgoing, Unavailable
from services.ingest.profiles import Message
from services.ingest.telemetry import IngestTelemetry
from services.runtime.settings import IngestSettings
from tests.cases import normaliser
from tests.fakes import FakeSink, FakeSource

TOKEN = b"a token of tests"
PATH = "/pionniers/tbm/marie-dupont/events"
TIME = "2026-03-02T09:00:00Z"


class Gate(FakeSink):
    """An event log that takes nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.asked = asyncio.Event()

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Wait."""
        self.asked.set()
        await self.open.wait()
        await super().send(batch)


class Down(FakeSink):
    """An event log that answers that it cannot, again and again."""

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Refuse."""
        raise Unavailable(f"{len(batch)} records")


@asynccontextmanager
async def serving(sink: FakeSink, within_s: float = 30.0) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """The intake on a free port, and somebody who has the token."""
    read = normaliser(ZoneInfo("Europe/Paris"), {})
    pipeline = Pipeline(
        FakeSource(0), sink, read, IngestSettings(), IngestTelemetry(), ledger=Ledger(read.device("ingest:test"))
    )
    async with (
        serve_intake(pipeline.take, TOKEN, 0, answer_within_s=within_s) as port,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN.decode()}"}) as session,
    ):
        yield f"http://127.0.0.1:{port}", session


def event(kind: str = "survey.csat", data: dict[str, Any] | None = None) -> dict[str, Any]:
    """A CloudEvent of a member."""
    return {
        "specversion": "1.0",
        "type": f"fr.bordeaux.pionniers.{kind}",
        "source": "/app",
        "id": "1",
        "time": TIME,
        "data": {"rating": 5} if data is None else data,
    }


async def posted(url: str, session: aiohttp.ClientSession, body: object, kind: str, **headers: str) -> tuple[int, str]:
    """Send it; gives status and text."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.post(url, data=data, headers={"Content-Type": kind, **headers}) as answer:
        return answer.status, await answer.text()


def kinds(sink: FakeSink) -> list[str]:
    """What is in the log."""
    return [decode(each.value).record.kind for each in sink.log]


async def test_structured_mode_is_stored_as_the_same_event_as_over_mqtt() -> None:
    """With the same id: whoever sends it both ways has sent it once; it is in the ledger."""
    sink = FakeSink()
    body = json.dumps(event()).encode()
    async with serving(sink) as (url, session):
        assert await posted(url + PATH, session, body, "application/cloudevents+json") == (204, "")
    over_mqtt = normaliser(ZoneInfo("Europe/Paris"), {})(
        Message(PATH[1:], body, datetime(2026, 3, 2, 9, 1, tzinfo=UTC))
    )
    assert decode(sink.log[0].value).id == over_mqtt.events[0].id
    assert kinds(sink) == ["app_evaluation", "ledger_entry"]
    assert b"marie" not in b"".join(each.value for each in sink.log)


async def test_binary_mode_has_its_attributes_in_headers() -> None:
    """The body is the data alone; values are percent-encoded."""
    sink = FakeSink()
    async with serving(sink) as (url, session):
        headers = {"ce-specversion": "1.0", "ce-type": event()["type"], "ce-source": "/app", "ce-id": "1"}
        headers["ce-time"] = TIME.replace(":", "%3A")
        assert (await posted(url + PATH, session, {"rating": 4}, "application/json", **headers))[0] == 204
        assert (await posted(url + PATH, session, {"rating": 4}, "application/json"))[0] == 400
    record = decode(sink.log[0].value).record
    assert getattr(record, "rating", None) == 4
    assert record.observed_at == datetime(2026, 3, 2, 9, tzinfo=UTC)


async def test_a_batch_is_stored_whole_and_says_which_of_it_are_refused() -> None:
    """Two are good, the second is outside of its scale: it is kept as refused, without its value in the answer."""
    sink = FakeSink()
    batch = [
        event(),
        event(data={"rating": 77}),
        event("feedback.text", {"text": "Marie Dupont"}),
        event("survey.nps", {"score": 9}),
    ]
    async with serving(sink) as (url, session):
        status, text = await posted(url + PATH, session, batch, "application/cloudevents-batch+json")
    assert status == 400
    assert [(each["index"], each["reason"]) for each in json.loads(text)["refused"]] == [(1, "bad_value")]
    assert "77" not in text
    assert sorted(kinds(sink)) == ["app_evaluation", "app_evaluation", "ledger_entry", "rejected"]
    assert b"Dupont" not in b"".join(each.value for each in sink.log)


async def test_nothing_is_answered_before_the_event_log_has_it() -> None:
    """The log is asked and does not answer: neither does the intake; then both do."""
    sink = Gate()
    async with serving(sink) as (url, session):
        asking = asyncio.create_task(posted(url + PATH, session, event(), "application/cloudevents+json"))
        await sink.asked.wait()
        assert not asking.done()
        assert sink.log == []
        sink.open.set()
        assert (await asking)[0] == 204
        assert len(sink.log) == 2


async def test_an_event_log_that_takes_nothing_is_no_success() -> None:
    """The answer is 503, with the advice to send it again."""
    async with serving(Down(), within_s=0.05) as (url, session):
        status, text = await posted(url + PATH, session, event(), "application/cloudevents+json")
    assert status == 503
    assert "send it again" in text


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN.decode()}"])
async def test_without_the_token_nothing_is_taken(token: str) -> None:
    """No event, no ledger entry."""
    sink = FakeSink()
    async with serving(sink) as (url, session):
        answer = await posted(url + PATH, session, event(), "application/cloudevents+json", Authorization=token)
    assert answer[0] == 401
    assert sink.log == []


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        (PATH, b" " * (MOST_BYTES + 1), "application/cloudevents+json", 413),
        (PATH, b"{}", "text/plain", 415),
        (PATH, b"[", "application/cloudevents-batch+json", 400),
        (PATH, b"{}", "application/cloudevents-batch+json", 400),
        (PATH, b"[" + b"1," * 100 + b"1]", "application/cloudevents-batch+json", 400),
        ("/linky/tbm/marie/events", b"{}", "application/cloudevents+json", 404),
        ("/pionniers/a%2Fb/marie/events", b"{}", "application/cloudevents+json", 404),
        ("/pionniers/a/%23/events", b"{}", "application/cloudevents+json", 404),
    ],
)
async def test_what_is_no_evaluation_is_not_taken(path: str, body: bytes, kind: str, status: int) -> None:
    """Too large, of another kind, no JSON, no array, too many, another path: a plain answer and nothing stored."""
    sink = FakeSink()
    async with serving(sink) as (url, session):
        from yarl import URL  # noqa: PLC0415 - the path as it is written

        data = {"Content-Type": kind}
        async with session.post(URL(url + path, encoded=True), data=body, headers=data) as answer:
            assert answer.status == status
    assert sink.log == []


def test_a_port_without_a_token_is_refused() -> None:
    """Nobody opens it by mistake; without a port nothing listens."""
    with pytest.raises(ValidationError, match="intake_port needs intake_token_file"):
        IngestSettings(intake_port=8080)
    assert IngestSettings().intake_port is None
