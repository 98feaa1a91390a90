"""The sockets of a simulated exchange: sessions know the protocol, this knows WebSocket, clocks and full queues."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from aiohttp import WSCloseCode, WSMsgType, web
from marketdata.clock import Clock

from local.exchanges.faults import Faults
from local.exchanges.session import FellBehind, Session
from local.exchanges.tape import Market

REQUEST_BYTES_MAX = 65_536
CONNECTIONS_MAX = 100
GOODBYE_SECONDS_MAX = 1.0
SUBSCRIBE_WITHIN = timedelta(seconds=5)
PONG_WITHIN = timedelta(minutes=1)

NewSession = Callable[[Market, Faults, int, datetime], Session]


class Streams:
    """Every open connection, told by one pump what the tape says as the clock goes on."""

    def __init__(
        self,
        tape: Market,
        clock: Clock,
        faults: Faults,
        *,
        poll_seconds: float,
        frames_max: int,
        ping_every: timedelta | None = None,
    ) -> None:
        self._tape = tape
        self._clock = clock
        self._faults = faults
        self._poll_seconds = poll_seconds
        self._frames_max = frames_max
        self._ping_every = ping_every
        self._connections: set[Connection] = set()
        self._accepted = 0

    def handler(self, new_session: NewSession) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A route's handler that talks to its clients through sessions of that kind."""

        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, new_session)

        return serve

    async def pump(self, application: web.Application) -> AsyncIterator[None]:
        """Tick for as long as the application runs; at its end say goodbye to every client."""
        task = asyncio.create_task(self._tick_forever())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def close(self, application: web.Application) -> None:
        """Close every connection, as an exchange that goes down for maintenance does."""
        goodbyes = [connection.goodbye() for connection in self._connections]
        await asyncio.gather(*goodbyes)

    async def _serve(self, request: web.Request, new_session: NewSession) -> web.WebSocketResponse:
        if self._faults.refusing or len(self._connections) >= CONNECTIONS_MAX:
            raise web.HTTPServiceUnavailable
        websocket = web.WebSocketResponse(
            timeout=GOODBYE_SECONDS_MAX, autoping=False, compress=False, max_msg_size=REQUEST_BYTES_MAX
        )
        await websocket.prepare(request)
        self._accepted += 1
        now = self._clock.now()
        session = new_session(self._tape, self._faults, self._accepted, now)
        connection = Connection(request, websocket, session, opened_at=now, frames_max=self._frames_max)
        self._connections.add(connection)
        writer = asyncio.create_task(connection.write())
        try:
            await self._read(connection)
        finally:
            self._connections.discard(connection)
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
        return websocket

    async def _read(self, connection: "Connection") -> None:
        async for message in connection.websocket:
            if self._faults.silent:
                continue
            if message.type is WSMsgType.PING:
                await connection.websocket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                connection.ponged(message.data)
            elif message.type is WSMsgType.TEXT:
                connection.send(connection.session.receive(message.data, self._clock.now()))
            elif message.type is WSMsgType.BINARY:
                connection.close(WSCloseCode.UNSUPPORTED_DATA, b"text only")

    async def _tick_forever(self) -> None:
        while True:
            self._tick(self._clock.now())
            await asyncio.sleep(self._poll_seconds)

    def _tick(self, now: datetime) -> None:
        cut, injected = self._faults.take_cut(), self._faults.take_injected()
        for connection in tuple(self._connections):
            if cut:
                connection.abort()
            elif not connection.session.subscribed and now - connection.opened_at >= SUBSCRIBE_WITHIN:
                connection.close(WSCloseCode.POLICY_VIOLATION, b"no subscription within 5 seconds")
            elif self._ping_every is not None and not connection.is_awake(now, self._ping_every):
                connection.abort()
            else:
                self._tell(connection, injected, now)

    def _tell(self, connection: "Connection", injected: list[str], now: datetime) -> None:
        try:
            frames = connection.session.tick(now)
        except FellBehind:
            connection.abort()
            return
        if not self._faults.silent:
            connection.send([*frames, *injected])


class Connection:
    """One client's socket and the bounded queue of frames it has not taken yet."""

    def __init__(
        self,
        request: web.Request,
        websocket: web.WebSocketResponse,
        session: Session,
        *,
        opened_at: datetime,
        frames_max: int,
    ) -> None:
        self.websocket = websocket
        self.session = session
        self.opened_at = opened_at
        self._request = request
        self._queue: asyncio.Queue[str | bytes | tuple[WSCloseCode, bytes]] = asyncio.Queue(frames_max)
        self._pinged_at = self._ponged_at = opened_at
        self._pinged = b""

    def send(self, frames: list[str]) -> None:
        """Queue frames; a client too slow to keep up is cut off, as exchanges do."""
        for frame in frames:
            self._put(frame)

    def close(self, code: WSCloseCode, reason: bytes) -> None:
        """Close politely once everything queued is sent."""
        self._put((code, reason))

    def is_awake(self, now: datetime, ping_every: timedelta) -> bool:
        """Ping when it is time; whether the last ping was answered within PONG_WITHIN."""
        if self._ponged_at < self._pinged_at:
            return now - self._pinged_at < PONG_WITHIN
        if now - self._pinged_at >= ping_every:
            self._pinged_at, self._pinged = now, now.isoformat().encode()
            self._put(self._pinged)
        return True

    def ponged(self, payload: bytes | bytearray) -> None:
        """The client answered; only a copy of what it was sent counts."""
        if bytes(payload) == self._pinged:
            self._ponged_at = self._pinged_at

    async def goodbye(self) -> None:
        """Close now, whatever is still queued; wait GOODBYE_SECONDS_MAX at most for the client to agree."""
        await self.websocket.close(code=WSCloseCode.GOING_AWAY, message=b"going away")

    def abort(self) -> None:
        """Break the connection without a closing handshake."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self) -> None:
        """Send what is queued, in order, until the connection ends."""
        with suppress(ConnectionError):
            while True:
                item = await self._queue.get()
                if isinstance(item, tuple):
                    await self.websocket.close(code=item[0], message=item[1])
                    return
                if isinstance(item, bytes):
                    await self.websocket.ping(item)
                else:
                    await self.websocket.send_str(item)

    def _put(self, item: str | bytes | tuple[WSCloseCode, bytes]) -> None:
        try:
            self._queue.put_nowait(item)
        except asyncio.QueueFull:
            self.abort()
