"""The live stream's front door: `GET /stream`, the hub's events as server-sent events, and `GET /health`.

It knows nothing of exchanges or candles; the hub is made and filled by feed/main.py, or by feed/live_gateway.py.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

import msgspec
from aiohttp import web
from marketdata.errors import RequestInvalid
from marketdata.serve import sse
from marketdata.serve.problems import CONTENT_TYPE, RETRY_SECONDS, Problem, problem_of

from feed.hub import KINDS, Hub, HubUnavailable
from feed.line import Line, OwnLine
from feed.subscription import Subscription

HEALTHY_STATES = ("live", "unconfigured")
RETRY_MILLISECONDS = 1_000
COMMENT_SECONDS = 15.0
WRITE_SECONDS_MAX = 30.0
SYMBOLS_MAX = 100
_NAME_CHARACTERS_MAX = 64
_PARAMETERS = ("exchange", "symbol", "kinds", "last_event_id")

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


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What a client of /stream asks for; None means all, and for `last_event_id` from now on."""

    exchange: str | None
    symbols: frozenset[str] | None
    kinds: frozenset[str] | None
    last_event_id: str | None


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
            return await _write_stream(request, _chunks(subscription, comment_seconds), write_seconds_max)
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

    app = web.Application()
    app.router.add_get("/stream", stream)
    app.router.add_options("/stream", _preflight)
    app.router.add_get("/health", state)
    app.on_shutdown.append(close_hub)
    return app


def parse_stream_request(query: Mapping[str, str], headers: Mapping[str, str]) -> StreamRequest:
    """Read the parameters of /stream: exchange, symbol=A,B, kinds=candle,status, last_event_id.

    The Last-Event-ID header wins over the parameter: a browser that reconnects sends the header with its newest id,
    and the address it was first given. Raises: RequestInvalid.
    """
    for name in query:
        if name not in _PARAMETERS:
            raise RequestInvalid(
                name, f"not a parameter of this stream; there are {', '.join(_PARAMETERS)}", _PARAMETERS
            )
    kinds = _names(query, "kinds")
    for kind in sorted(kinds or ()):
        if kind not in KINDS:
            raise RequestInvalid("kinds", f"{kind!r} is not one of {', '.join(KINDS)}", KINDS)
    exchange = query.get("exchange") or None
    if exchange is not None:
        _check_length("exchange", exchange)
    last_event_id = headers.get("Last-Event-ID") or query.get("last_event_id") or None
    return StreamRequest(exchange, _names(query, "symbol"), kinds, last_event_id)


def _names(query: Mapping[str, str], field: str) -> frozenset[str] | None:
    names = frozenset(name.strip() for name in query.get(field, "").split(",")) - {""}
    if len(names) > SYMBOLS_MAX:
        raise RequestInvalid(field, f"more than {SYMBOLS_MAX} names; leave it out to get all")
    for name in names:
        _check_length(field, name)
    return names or None


def _check_length(field: str, name: str) -> None:
    if len(name) > _NAME_CHARACTERS_MAX:
        raise RequestInvalid(field, f"a name is at most {_NAME_CHARACTERS_MAX} characters long")


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


async def _chunks(subscription: Subscription, comment_seconds: float) -> AsyncIterator[bytes]:
    """What to write next; in a quiet time a comment, and where the client may resume."""
    while True:
        try:
            async with asyncio.timeout(comment_seconds):
                chunk = await anext(subscription, None)
        except TimeoutError:
            yield sse.comment() + sse.position(subscription.event_id)
            continue
        if chunk is None:
            return
        yield chunk


async def _preflight(_: web.Request) -> web.Response:
    return web.Response(status=204, headers=_CORS)


def _answer(problem: Problem, request: web.Request) -> web.Response:
    """A problem as RFC 9457 has it."""
    request_id = request.headers.get("X-Request-Id", "")[:_NAME_CHARACTERS_MAX] or uuid4().hex
    headers = {"Cache-Control": "no-store", **_CORS, **problem.headers}
    body = problem.document(request.path, request_id).encode()
    return web.Response(body=body, status=problem.status, content_type=CONTENT_TYPE, headers=headers)


def _unavailable(error: HubUnavailable) -> Problem:
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Problem(503, "stream-unavailable", "No more streams now", str(error), headers=headers)
