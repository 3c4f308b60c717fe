"""`/metrics`, `/healthz` and `/readyz` over HTTP/1.1: three fixed answers, no framework."""

import asyncio
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from services.runtime.settings import ServedSettings
from services.runtime.telemetry import Check, Health

__all__ = ["OPEN", "Guard", "guard_of", "serve_telemetry"]

_TIMEOUT_S = 5.0


class Guard(NamedTuple):
    """What is asked of who comes: TLS, and for /metrics a token. Health says no more than ok or not, and why."""

    tls: ssl.SSLContext | None = None
    token: bytes = b""


OPEN = Guard()


def guard_of(settings: ServedSettings) -> Guard:
    """The guard that the configuration names.

    Raises:
        OSError: a certificate, key or token file cannot be read.
    """
    tls = None
    if settings.metrics_certificate_file is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(settings.metrics_certificate_file, settings.metrics_private_key_file)
    file = settings.metrics_token_file
    return Guard(tls, b"" if file is None else file.read_bytes().strip())


@asynccontextmanager
async def serve_telemetry(
    registry: CollectorRegistry, health: Health, port: int, host: str = "127.0.0.1", guard: Guard = OPEN
) -> AsyncIterator[int]:
    """Serve while the context is entered; gives the port, which differs from `port` if that is 0.

    Raises:
        OSError: the port is taken.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(request, registry, health, guard.token))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, port, ssl=guard.tls)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def _response(request: bytes, registry: CollectorRegistry, health: Health, token: bytes) -> bytes:
    path = request.split(b" ", 2)[1].split(b"?")[0] if request.count(b" ") >= 2 else b""
    match path:
        case b"/metrics" if not _holds(request, token):
            return _http(401, b"this needs the token of metrics_token_file\n", "text/plain")
        case b"/metrics":
            return _http(200, generate_latest(registry), CONTENT_TYPE_LATEST)
        case b"/healthz":
            return _checks(health.healthz())
        case b"/readyz":
            return _checks(health.readyz())
        case _:
            return _http(404, b"try /metrics, /healthz or /readyz\n", "text/plain")


def _holds(request: bytes, token: bytes) -> bool:
    """Whether a request brings the token; compared in a time that tells nothing of it."""
    if not token:
        return True
    for line in request.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"authorization":
            return hmac.compare_digest(value.strip(), b"Bearer " + token)
    return False


def _checks(checks: dict[str, Check]) -> bytes:
    ok = all(check.ok for check in checks.values())
    failing = [name for name, check in checks.items() if not check.ok]
    said = {name: check.text for name, check in checks.items()}
    body = json.dumps({"ok": ok, "failing": failing, "checks": said}).encode()
    return _http(200 if ok else 503, body + b"\n", "application/json")


def _http(status: int, body: bytes, content_type: str) -> bytes:
    reason = {200: "OK", 401: "Unauthorized", 404: "Not Found", 503: "Service Unavailable"}[status]
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body
