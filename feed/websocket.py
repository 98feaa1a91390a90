"""`GET /ws`: the same stream over a WebSocket, for who says what it wants while it is connected.

    -> {"op": "subscribe", "exchange": "coinbase", "symbols": ["BTC-USD"], "kinds": ["candle"], "resume_from": "e-7"}
    <- {"type": "position", "id": "e-7"}, then {"type": "candle", "id": "e-8", "data": {...}} and so on
    -> {"op": "unsubscribe"}

A new subscription takes the place of the one before. What cannot be is answered by a problem, and the talk goes on. It
is closed with 1013 where the client is too slow or there is no room (come back with `resume_from`), with 1001 at the
end.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from weakref import WeakSet

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from marketdata.errors import RequestInvalid
from marketdata.serve.problems import problem_of

from feed.frames import frames
from feed.hub import Hub, HubUnavailable
from feed.line import Line
from feed.stream_request import StreamRequest, parse_stream_request
from feed.subscription import Subscription, chunks

MESSAGE_BYTES_MAX = 16_384
CLOSE_SECONDS_MAX = 1.0


class _Said(msgspec.Struct):
    """A client's message. The second names of a thing are those that other feeds' clients know."""

    op: str = ""
    action: str = ""
    exchange: str = ""
    broker: str = ""
    symbol: str = ""
    symbols: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    resume_from: str = ""


class WebSockets:
    """All talks of one gateway."""

    def __init__(self, hub: Hub, line: Line, *, quiet_seconds: float, write_seconds_max: float) -> None:
        self.hub, self.line = hub, line
        self.quiet_seconds, self.write_seconds_max = quiet_seconds, write_seconds_max
        self._open: WeakSet[web.WebSocketResponse] = WeakSet()

    async def answer(self, request: web.Request) -> web.WebSocketResponse:
        """Talk until the client goes or is sent away."""
        socket = web.WebSocketResponse(
            heartbeat=self.quiet_seconds, max_msg_size=MESSAGE_BYTES_MAX, timeout=CLOSE_SECONDS_MAX
        )
        await socket.prepare(request)
        self._open.add(socket)
        talk = _Talk(self, request, socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await talk.hear(message.data)
        finally:
            await talk.end()
        return socket

    async def close(self) -> None:
        """End all talks."""
        for socket in set(self._open):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the stream has ended")


class _Talk:
    """One client: what it says is heard here, and one task tells it what it wants."""

    def __init__(self, all_of_them: WebSockets, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._with = all_of_them
        self._request, self._socket = request, socket
        self._telling: asyncio.Task[None] | None = None

    async def hear(self, text: str) -> None:
        """Do what one message asks for, or say why not."""
        try:
            wanted = parse_message(text)
            subscription = None if wanted is None else await self._subscribed(wanted)
        except RequestInvalid as error:
            await self._socket.send_str(_problem(error))
            return
        except HubUnavailable as error:
            await self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=str(error).encode())
            return
        await self.end()
        if subscription is not None:
            self._telling = asyncio.create_task(self._tell(subscription))

    async def end(self) -> None:
        """Tell nothing more."""
        if self._telling is not None:
            self._telling.cancel()
            with suppress(asyncio.CancelledError):
                await self._telling

    async def _subscribed(self, wanted: StreamRequest) -> Subscription:
        await self._with.line.reach(wanted.last_event_id)
        return self._with.hub.subscribe(wanted.exchange, wanted.symbols, wanted.kinds, wanted.last_event_id)

    async def _tell(self, subscription: Subscription) -> None:
        code, reason = WSCloseCode.GOING_AWAY, b"the stream has ended"
        try:
            async for chunk in chunks(subscription, self._with.quiet_seconds):
                for frame in frames(chunk):
                    async with asyncio.timeout(self._with.write_seconds_max):
                        await self._socket.send_str(frame)
                    if frame.startswith('{"type":"skipped"'):
                        code, reason = WSCloseCode.TRY_AGAIN_LATER, b"too slow"
        except (TimeoutError, ConnectionResetError):
            # It takes nothing, or has gone: closing politely would wait for the same client.
            if self._request.transport is not None:
                self._request.transport.abort()
            return
        finally:
            subscription.close()
        await self._socket.close(code=code, message=reason)


def parse_message(text: str) -> StreamRequest | None:
    """What a client wants, or None if nothing more. Raises: RequestInvalid."""
    try:
        said = msgspec.json.decode(text, type=_Said)
    except msgspec.DecodeError as error:
        raise RequestInvalid("message", f"not a message of this stream: {error}") from None
    wish = said.op or said.action
    if wish == "unsubscribe":
        return None
    if wish != "subscribe":
        raise RequestInvalid("op", "must be subscribe or unsubscribe", ("subscribe", "unsubscribe"))
    kinds = ["trade" if kind == "tick" else kind for kind in (*said.kinds, *said.types)]
    given = {
        "exchange": said.exchange or said.broker,
        "symbol": _listed([said.symbol, *said.symbols]),
        "kinds": _listed(kinds),
        "last_event_id": said.resume_from,
    }
    return parse_stream_request(given, {})


def _listed(names: Iterable[str]) -> str:
    return ",".join(name for name in names if name)


def _problem(error: RequestInvalid) -> str:
    document = problem_of(error).document("/ws", "").encode()
    return msgspec.json.encode({"type": "problem", "data": msgspec.Raw(document)}).decode()
