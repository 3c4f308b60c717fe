"""An HTTP proxy in front of the real InfluxDB: a script says what a write is answered, and what of it gets through."""

import gzip
import http.client
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

__all__ = ["InfluxProxy", "Play", "Script", "as_it_is"]


class Play(NamedTuple):
    """What becomes of a write.

    Attributes:
        lines: those that are handed on to InfluxDB.
        status: what is answered if not what InfluxDB answers.
        message: in the words of InfluxDB.
        headers: more of them.
        pause_s: before the answer.
        mute: take the connection away instead of answering.
    """

    lines: list[bytes]
    status: int | None = None
    message: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    pause_s: float = 0.0
    mute: bool = False


Script = Callable[[list[bytes]], Play]


def as_it_is(lines: list[bytes]) -> Play:
    """No fault."""
    return Play(lines)


class _Quiet(ThreadingHTTPServer):
    """A client that is killed resets its connections: that is no error here."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing."""


class InfluxProxy:
    """Passes everything on to `port` of loopback, writes by the script."""

    def __init__(self, port: int) -> None:
        self._far_port = port
        self.script: Script = as_it_is
        self.faults = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """Handed on."""
                proxy.handle(self)

            def do_POST(self) -> None:
                """Handed on, writes by the script."""
                proxy.handle(self)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
                """Nothing."""

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="influx-proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if not handler.path.startswith("/api/v2/write"):
            _reply(handler, *self._far(handler, body, handler.headers.get("Content-Encoding")))
            return
        lines = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).split(b"\n")
        play = self.script(lines)
        status, answer = 204, b""
        headers: list[tuple[str, str]] = []
        if play.lines:
            status, answer, headers = self._far(handler, b"\n".join(play.lines), None)
        if play.pause_s:
            time.sleep(play.pause_s)
        if play.mute:
            self.faults += 1
            handler.close_connection = True
            return
        if play.status is not None:
            self.faults += 1
            status, headers = play.status, [("Content-Type", "application/json"), *play.headers]
            answer = json.dumps({"code": "scripted", "message": play.message}).encode()
        _reply(handler, status, answer, headers)

    def _far(
        self, handler: BaseHTTPRequestHandler, body: bytes, encoding: str | None
    ) -> tuple[int, bytes, list[tuple[str, str]]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._far_port, timeout=60)
        headers = {
            name: value
            for name in ("Authorization", "Content-Type", "Accept")
            if (value := handler.headers.get(name)) is not None
        }
        if encoding:
            headers["Content-Encoding"] = encoding
        try:
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            kind = answer.getheader("Content-Type")
            return answer.status, answer.read(), [("Content-Type", kind)] if kind else []
        except OSError:
            return 503, b'{"message": "the proxy has no InfluxDB behind it"}', [("Content-Type", "application/json")]
        finally:
            connection.close()


def _reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
    try:
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        if status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    except OSError:
        handler.close_connection = True
