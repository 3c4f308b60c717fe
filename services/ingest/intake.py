"""Evaluations over HTTP: CloudEvents 1.0, HTTP binding, in structured, binary and batch mode. Off unless a port is set.

The path is the topic (`POST /pionniers/<application>/<member>/events`), so an event is the same whichever way it comes,
and has the same id. It is answered when the event log has it, and not before:

- 204: all events are stored, or ignored by a rule;
- 400: they are stored as refused, and the answer says which and why, without a value of theirs;
- 401, 404, 413, 415: nothing was taken;
- 503: it is not known to be stored; send it again, a second copy does no harm.

Sources: CloudEvents HTTP Protocol Binding 1.0.2, clauses 3.1 to 3.3; JSON Event Format 1.0.2, clause 4.
"""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from aiohttp import web

from services.ingest.normalise import Outcome
from services.ingest.profiles import Message
from services.runtime.http import Guard

__all__ = ["MOST_BYTES", "MOST_EVENTS", "Taker", "serve_intake"]

Taker = Callable[[Sequence[Message]], Awaitable[list[Outcome]]]
"""Stores messages durably and says what became of each; waits for the event log as long as it takes."""

MOST_BYTES: Final = 256 * 1024
MOST_EVENTS: Final = 100
_MOST_AT_ONCE: Final = 32
_PATH: Final = "/pionniers/{application}/{member}/events"
_STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"
_PLAIN: Final = "application/json"
_ATTRIBUTES: Final = ("specversion", "type", "source", "id", "time", "subject", "dataschema")


class _Unusable(Exception):
    """The request holds no CloudEvents; the text says why."""


class _Intake:
    def __init__(self, take: Taker, token: bytes, answer_within_s: float) -> None:
        self._take = take
        self._token = token
        self._within_s = answer_within_s
        self._storing: set[asyncio.Task[list[Outcome]]] = set()

    async def post(self, request: web.Request) -> web.Response:
        """One request: a CloudEvent, or several."""
        said = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(said, b"Bearer " + self._token):
            return _answer(401, "this needs the token of ingest.intake_token_file, as Authorization: Bearer")
        if len(self._storing) >= _MOST_AT_ONCE:
            return _answer(503, "too many requests wait for the event log; send it again later")
        if request.content_type not in {_STRUCTURED, _BATCH, _PLAIN}:
            return _answer(415, f"Content-Type must be {_STRUCTURED}, {_BATCH}, or {_PLAIN} with ce- headers")
        try:
            payloads = _payloads(request, await request.read())
        except _Unusable as problem:
            return _answer(400, str(problem))
        topic = unquote(request.rel_url.raw_path).removeprefix("/")
        if topic.count("/") != 3 or not topic.isprintable() or {"+", "#"} & set(topic):
            return _answer(404, "the path is /pionniers/<application>/<member>/events, without further slashes")
        now = datetime.now(UTC)
        return await self._stored([Message(topic, payload, now) for payload in payloads])

    async def _stored(self, messages: Sequence[Message]) -> web.Response:
        """Wait for the event log. What takes too long goes on being stored: it may be sent again all the same."""
        storing = asyncio.ensure_future(self._take(messages))
        self._storing.add(storing)
        storing.add_done_callback(self._storing.discard)
        done, _ = await asyncio.wait({storing}, timeout=self._within_s)
        if not done:
            return _answer(503, "the event log takes nothing now; send it again later")
        refused = [
            {"index": index, "reason": each.reason, "detail": each.detail}
            for index, outcome in enumerate(storing.result())
            if (each := outcome.rejected) is not None
        ]
        return web.json_response({"refused": refused}, status=400) if refused else web.Response(status=204)

    async def close(self) -> None:
        """Give what is on its way to the event log some time; nobody was promised more."""
        if self._storing:
            _, late = await asyncio.wait(self._storing, timeout=self._within_s)
            for each in late:
                each.cancel()


def _payloads(request: web.Request, body: bytes) -> list[bytes]:
    """The events of a request, each as a text in structured mode."""
    if request.content_type == _STRUCTURED:
        return [body]
    if request.content_type == _PLAIN:
        return [_of_headers(request, body)]
    try:
        events = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Unusable("the batch is no JSON") from error
    if not isinstance(events, list):
        raise _Unusable("a batch is an array of CloudEvents")
    if len(events) > MOST_EVENTS:
        raise _Unusable(f"a batch has {MOST_EVENTS} events at most")
    return [json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode() for each in events]


def _of_headers(request: web.Request, body: bytes) -> bytes:
    """Binary mode: attributes are headers, the body is the data. Values are percent-encoded (clause 3.1.3.2)."""
    if "ce-specversion" not in request.headers:
        raise _Unusable("binary mode needs the headers ce-specversion, ce-type, ce-source, ce-id")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Unusable("the body is no JSON") from error
    event = {name: unquote(request.headers[f"ce-{name}"]) for name in _ATTRIBUTES if f"ce-{name}" in request.headers}
    return json.dumps({**event, "data": data}, ensure_ascii=False, separators=(",", ":")).encode()


def _answer(status: int, text: str) -> web.Response:
    headers = {"Retry-After": "5"} if status == 503 else None
    return web.json_response({"error": text}, status=status, headers=headers)


@asynccontextmanager
async def serve_intake(  # noqa: PLR0913 - where it listens, what it asks of who comes
    take: Taker,
    token: bytes,
    port: int,
    host: str = "127.0.0.1",
    *,
    guard: Guard | None = None,
    answer_within_s: float = 10.0,
) -> AsyncIterator[int]:
    """Serve while the context is entered; gives the port, which differs from `port` if that is 0.

    Args:
        take: stores messages and says what became of them.
        token: what a sender brings; never empty.
        port: TCP.
        host: address it listens on.
        guard: TLS of the service, if it has any.
        answer_within_s: seconds to wait for the event log before the answer is 503.

    Raises:
        OSError: the port is taken.
        ValueError: the token is empty.
    """
    if not token:
        raise ValueError("ingest.intake_token_file is empty: write a token into it")
    intake = _Intake(take, token, answer_within_s)
    app = web.Application(client_max_size=MOST_BYTES)
    app.router.add_post(_PATH, intake.post)
    # No access log: a path names a member of the panel.
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=answer_within_s)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=None if guard is None else guard.tls)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
        await intake.close()
