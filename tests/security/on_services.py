"""What is tried at Garonne's own HTTP: figures are for who has the token."""

import asyncio
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from services.ingest.telemetry import IngestTelemetry
from services.runtime.http import guard_of, serve_telemetry
from services.runtime.settings import IngestSettings
from tests.contract.certificates import make_certificates
from tests.security.registry import attack

_STRANGER = "who reached the inner network"


def _asked(request: bytes, *, tls: bool = True) -> str:
    """The status of the answer, or that there was none."""

    async def work() -> str:
        with tempfile.TemporaryDirectory() as folder:
            files = make_certificates(Path(folder))
            token = Path(folder) / "token"
            token.write_text("the right one", "utf-8")
            settings = IngestSettings(
                metrics_certificate_file=files.server,
                metrics_private_key_file=files.server_key,
                metrics_token_file=token,
            )
            telemetry = IngestTelemetry()
            context = ssl.create_default_context(cafile=files.authority) if tls else None
            async with serve_telemetry(telemetry.registry, telemetry.health, 0, guard=guard_of(settings)) as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                try:
                    writer.write(request)
                    answer = await reader.read()
                except OSError:
                    answer = b""
                finally:
                    writer.close()
        return answer.split(b" ")[1].decode() if answer.startswith(b"HTTP/") else "connection closed"

    return asyncio.run(work())


_FORMS: dict[str, tuple[str, bytes, str]] = {
    "metrics-no-token": ("reads the figures without a token", b"GET /metrics HTTP/1.1\r\n\r\n", "401"),
    "metrics-wrong-token": (
        "reads the figures with a made-up token",
        b"GET /metrics HTTP/1.1\r\nAuthorization: Bearer the right on\r\n\r\n",
        "401",
    ),
    "metrics-other-path": ("walks to a file: `/../../etc/passwd`", b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", "404"),
    "metrics-huge-request": ("sends a head of 200 kB", b"GET /" + b"x" * 200_000, "connection closed"),
}


def _trying(request: bytes) -> Callable[[object], str]:
    return lambda _: _asked(request)


for _name, (_tries, _request, _refusal) in _FORMS.items():
    attack("none", _name, who=_STRANGER, tries=_tries, refusal=_refusal)(_trying(_request))


@attack("none", "metrics-plain", who=_STRANGER, tries="asks for the figures without TLS", refusal="connection closed")
def _plain(_: object) -> str:
    return _asked(b"GET /metrics HTTP/1.1\r\nAuthorization: Bearer the right one\r\n\r\n", tls=False)
