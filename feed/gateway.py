"""The live stream's front door: `GET /stream`, the hub's events as server-sent events, `GET /ws`, and `GET /health`.

It knows nothing of exchanges or candles; the hub is made and filled by feed/main.py, or by feed/live_gateway.py.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from uuid import uuid4

import msgspec
from aiohttp import web
from marketdata.errors import RequestInvalid
from marketdata.serve import sse
from marketdata.serve.problems import CONTENT_TYPE, RETRY_SECONDS, Problem, problem_of

from feed.hub import Hub, HubUnavailable
from feed.line import Line, OwnLine
from feed.stream_request import NAME_CHARACTERS_MAX, parse_stream_request
from feed.subscription import chunks
from feed.websocket import WebSockets

HEALTHY_STATES = ("live", "unconfigured")
RETRY_MILLISECONDS = 1_000
COMMENT_SECONDS = 15.0
WRITE_SECONDS_MAX = 30.0

# Anyone may read: the stream carries public market data and no cookies.
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "Last-Event-ID, Cache-Control",
    "Access-Control-Max-Age": "86400",
}
_STREAM_HEADERS = {
    "Content-Type": sse.CONTENT_TYPE,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold the events back
    **_CORS,
}


def gateway(
    hub: Hub,
    health: Callable[[], Mapping[str, object]],
    line: Line | None = None,
    *,
    comment_seconds: float = COMMENT_SECONDS,
    write_seconds_max: float = WRITE_SECONDS_MAX,
) -> web.Application:
    """The application; `health` is asked at every GET /health, and its `state` decides between 200 and 503.

    `line` fills the hub; without one whoever has the hub does. Shutting it down closes the hub, which ends all streams.
    A quiet stream says something every `comment_seconds`; a client that takes longer than `write_seconds_max` to accept
    one write is dropped.
    """

    reached = line or OwnLine(hub)
    sockets = WebSockets(hub, reached, quiet_seconds=comment_seconds, write_seconds_max=write_seconds_max)

    async def stream(request: web.Request) -> web.StreamResponse:
        try:
            wanted = parse_stream_request(request.query, request.headers)
            await reached.reach(wanted.last_event_id)
            subscription = hub.subscribe(wanted.exchange, wanted.symbols, wanted.kinds, wanted.last_event_id)
        except RequestInvalid as error:
            return _answer(problem_of(error), request)
        except HubUnavailable as error:
            return _answer(_unavailable(error), request)
        try:
            return await _write_stream(request, chunks(subscription, comment_seconds), write_seconds_max)
        finally:
            subscription.close()

    async def state(_: web.Request) -> web.Response:
        report = health()
        status = 200 if report.get("state") in HEALTHY_STATES else 503
        headers = {"Cache-Control": "no-store", **_CORS}
        body = msgspec.json.encode(report)
        return web.Response(body=body, status=status, content_type="application/json", headers=headers)

    async def close_hub(_: web.Application) -> None:
        hub.close()
        await sockets.close()

    app = web.Application()
    app.router.add_get("/stream", stream)
    app.router.add_options("/stream", _preflight)
    app.router.add_get("/ws", sockets.answer)
    app.router.add_get("/health", state)
    app.on_shutdown.append(close_hub)
    return app


async def _write_stream(
    request: web.Request, chunks: AsyncIterator[bytes], write_seconds_max: float
) -> web.StreamResponse:
    """Write until the stream ends or the client has gone or does not take what it gets."""
    response = web.StreamResponse(headers=_STREAM_HEADERS)
    await response.prepare(request)
    try:
        await response.write(sse.retry(RETRY_MILLISECONDS))
        async for chunk in chunks:
            async with asyncio.timeout(write_seconds_max):
                await response.write(chunk)
    except TimeoutError:
        # The socket is full of what the client does not read: closing it politely would wait for the same client.
        if request.transport is not None:
            request.transport.abort()
    except ConnectionResetError:
        pass  # The client has gone, which is how streams end.
    return response


async def _preflight(_: web.Request) -> web.Response:
    return web.Response(status=204, headers=_CORS)


def _answer(problem: Problem, request: web.Request) -> web.Response:
    """A problem as RFC 9457 has it."""
    request_id = request.headers.get("X-Request-Id", "")[:NAME_CHARACTERS_MAX] or uuid4().hex
    headers = {"Cache-Control": "no-store", **_CORS, **problem.headers}
    body = problem.document(request.path, request_id).encode()
    return web.Response(body=body, status=problem.status, content_type=CONTENT_TYPE, headers=headers)


def _unavailable(error: HubUnavailable) -> Problem:
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Problem(503, "stream-unavailable", "No more streams now", str(error), headers=headers)
