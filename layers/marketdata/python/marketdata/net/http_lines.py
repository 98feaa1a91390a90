"""Lines over one endless HTTP answer, behind the same door as a WebSocket: how OANDA streams.

What a WebSocket would be told in a frame, an endless answer is asked for in its address; so each change of the symbols
asks for another answer, and the one before is let go once that is granted: a refusal costs nothing that flows. The
first line of an answer is ours and says what was granted or refused.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import httpx
import msgspec

from marketdata.exchanges.exchange import Request
from marketdata.net.connection import Connect, Connection
from marketdata.net.trust import trusted_authorities

LINE_BYTES_MAX = 2**20
LINES_WAITING_MAX = 1_000
REFUSAL_BYTES_MAX = 2_000
CONNECT_SECONDS_MAX = 10.0


class _Wish(msgspec.Struct):
    subscribe: list[str] = []
    unsubscribe: list[str] = []


def connect_lines(request_for: Callable[[Sequence[str]], Request], headers: Mapping[str, str]) -> Connect:
    """Streams of lines: `request_for` makes the request for symbols, `headers` go with it and are shown to nobody."""

    @contextlib.asynccontextmanager
    async def connect(url: str) -> AsyncIterator[Connection]:
        # Between two lines the exchange may be silent: how long, the stream's own watchdog knows.
        timeout = httpx.Timeout(CONNECT_SECONDS_MAX, read=None)
        async with httpx.AsyncClient(
            base_url=url, timeout=timeout, headers=dict(headers), verify=trusted_authorities()
        ) as client:
            lines = _Lines(client, request_for)
            try:
                yield lines
            finally:
                await lines.end()

    return connect


class _Lines:
    """One answer after another, read by a task of its own."""

    def __init__(self, client: httpx.AsyncClient, request_for: Callable[[Sequence[str]], Request]) -> None:
        self._client = client
        self._request_for = request_for
        self._symbols: frozenset[str] = frozenset()
        self._waiting: asyncio.Queue[bytes | Exception] = asyncio.Queue(LINES_WAITING_MAX)
        self._reading: asyncio.Task[None] | None = None

    async def send(self, message: str) -> None:
        """Ask for what is wanted from now on. Raises: OSError when nobody answers."""
        wish = msgspec.json.decode(message, type=_Wish)
        symbols = self._symbols.union(wish.subscribe).difference(wish.unsubscribe)
        if not symbols:
            await self.end()
        elif symbols != self._symbols:
            await self._change(symbols)

    async def _change(self, symbols: frozenset[str]) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                answer = await self._answer(sorted(symbols))
        except httpx.HTTPError as error:
            raise _lost(error) from error
        if answer is not None:
            await self.end()
            self._symbols = symbols
            self._reading = asyncio.create_task(self._read(answer))

    async def _answer(self, symbols: Sequence[str]) -> httpx.Response | None:
        """The answer for these symbols, of which the first line is told; None when it was refused, which is told."""
        asked = self._request_for(symbols)
        request = self._client.build_request("GET", asked.path, params=dict(asked.query), headers=dict(asked.headers))
        answer = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            granted = answer.status_code == httpx.codes.OK
            said = {"type": "SUBSCRIBED", "symbols": symbols} if granted else await _refusal(answer)
            await self._waiting.put(msgspec.json.encode(said))
        except BaseException:
            await answer.aclose()
            raise
        if granted:
            return answer
        await answer.aclose()
        return None

    async def recv(self) -> bytes:
        """The next line. Raises: OSError, EOFError when the answer is over."""
        line = await self._waiting.get()
        if isinstance(line, Exception):
            raise line
        return line

    async def end(self) -> None:
        """Let the answer go."""
        self._symbols = frozenset()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None

    async def _read(self, answer: httpx.Response) -> None:
        """Read one answer to its end, which is put last."""
        try:
            async for line in _lines(answer):
                await self._waiting.put(line)
        except httpx.HTTPError as error:
            await self._waiting.put(_lost(error))
        except ValueError as error:
            await self._waiting.put(OSError(str(error)))
        else:
            await self._waiting.put(EOFError("the exchange ended its answer"))
        finally:
            await answer.aclose()


async def _lines(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The lines of an answer. Raises: ValueError for one that is too long."""
    begun = b""
    async for chunk in answer.aiter_bytes():
        *whole, begun = (begun + chunk).split(b"\n")
        if len(begun) > LINE_BYTES_MAX:
            raise ValueError(f"a line of more than {LINE_BYTES_MAX:,} bytes")
        for line in whole:
            if line.strip():
                yield line


async def _refusal(answer: httpx.Response) -> dict[str, str]:
    """What the exchange said instead, cut short."""
    said = b""
    async for chunk in answer.aiter_bytes():
        said += chunk
        if len(said) >= REFUSAL_BYTES_MAX:
            break
    text = said[:REFUSAL_BYTES_MAX].decode("utf-8", "backslashreplace")
    return {"type": "REFUSED", "reason": f"HTTP {answer.status_code} {text}".strip()}


def _lost(error: httpx.HTTPError) -> OSError:
    return OSError(f"{type(error).__name__}: {error}")
