"""An open WebSocket, as the stream sees it. Used by net/line; tests and simulations bring their own."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websockets_connect

FRAME_BYTES_MAX = 16 * 2**20
"""Advanced Trade's largest known frame is 5.1 MB."""


class Connection(Protocol):
    """An open WebSocket, or what stands for one: see net/http_lines."""

    async def send(self, message: str) -> None:
        """Send one text frame."""
        ...

    async def recv(self) -> str | bytes:
        """The next frame. Raises: WebSocketException or OSError when the connection is over."""
        ...


Connect = Callable[[str], contextlib.AbstractAsyncContextManager[Connection]]


@contextlib.asynccontextmanager
async def connect_websocket(url: str) -> AsyncIterator[Connection]:
    """Open a WebSocket with bounded frames, queue and waiting."""
    async with websockets_connect(
        url, max_size=FRAME_BYTES_MAX, max_queue=64, open_timeout=10, close_timeout=2, ping_interval=20, ping_timeout=20
    ) as connection:
        yield _WebSocket(connection)


@dataclass(frozen=True, slots=True)
class _WebSocket:
    _connection: ClientConnection

    async def send(self, message: str) -> None:
        await self._connection.send(message)

    async def recv(self) -> bytes:
        # Undecoded: the JSON decoder reads bytes, and checks their UTF-8 itself.
        return await self._connection.recv(decode=False)
