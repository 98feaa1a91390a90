"""The feed's doors as the house's own: the live stream both ways, and its health. Called by front."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    WSCloseCode,
    WSMsgType,
    web,
)

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Socket = ClientWebSocketResponse | web.WebSocketResponse


def add_feed_routes(app: web.Application, feed_url: str) -> None:
    """`/stream`, `/ws` and `/feed/health` are the feed's own."""
    door = _FeedDoor(feed_url)
    app.cleanup_ctx.append(door.lifetime)
    app.router.add_get("/stream", door.to("/stream"))
    app.router.add_get("/ws", door.talk)
    app.router.add_get("/feed/health", door.to("/health"))


class _FeedDoor:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: ClientSession | None = None

    async def lifetime(self, _app: web.Application) -> AsyncIterator[None]:
        # No total timeout: a stream lasts as long as its reader; its comments come every 15 s.
        async with ClientSession(timeout=ClientTimeout(total=None, connect=5, sock_read=60)) as session:
            self._session = session
            yield

    def to(self, path: str) -> _Answer:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await self._pass_on(request, path)
            except (ClientConnectionError, TimeoutError):
                return _feed_is_away()

        return answer

    async def talk(self, request: web.Request) -> web.StreamResponse:
        """A WebSocket of the feed, message for message, both ways."""
        assert self._session is not None
        try:
            upstream = await self._session.ws_connect(f"{self._upstream}/ws", heartbeat=15.0)
        except (ClientError, TimeoutError):
            return _feed_is_away()
        client = web.WebSocketResponse(heartbeat=15.0)
        await client.prepare(request)
        ways = [asyncio.create_task(_carry(upstream, client)), asyncio.create_task(_carry(client, upstream))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await client.close(code=upstream.close_code or WSCloseCode.GOING_AWAY)
            await upstream.close()
        return client

    async def _pass_on(self, request: web.Request, path: str) -> web.StreamResponse:
        assert self._session is not None
        headers = {name: request.headers[name] for name in ("Last-Event-ID",) if name in request.headers}
        async with self._session.get(f"{self._upstream}{path}", params=request.query, headers=headers) as upstream:
            response = web.StreamResponse(status=upstream.status)
            for name in ("Content-Type", "Cache-Control", "X-Accel-Buffering", "Retry-After"):
                if name in upstream.headers:
                    response.headers[name] = upstream.headers[name]
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            return response


async def _carry(said: _Socket, told: _Socket) -> None:
    """What one side says, until it is closed."""
    async for message in said:
        if message.type is WSMsgType.TEXT:
            await told.send_str(message.data)


def _feed_is_away() -> web.Response:
    return web.json_response(
        {"type": "/problems/feed-unavailable", "title": "The feed is not running", "status": 503},
        status=503,
        content_type="application/problem+json",
        headers={"Retry-After": "2"},
    )
