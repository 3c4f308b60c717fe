"""The last question before a write is sent."""

from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp

__all__ = ["WRITE", "Sure", "ask_before_sending"]

WRITE: Final = "/api/v2/write"
Sure = Callable[[], Awaitable[None]]
"""Raises `Unavailable` if this process may not write now."""


def ask_before_sending(session: aiohttp.ClientSession, sure: Sure) -> None:
    """A write that waited for its connection may be old by then; what is raised here ends it, and nothing was sent."""

    async def headers_ready(_session: object, _context: object, request: aiohttp.TraceRequestHeadersSentParams) -> None:
        if request.url.path.endswith(WRITE):
            await sure()

    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(headers_ready)
    tracing.freeze()
    session.trace_configs.append(tracing)
