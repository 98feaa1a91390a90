"""An OANDA that runs here: a real server that speaks its v20 protocol about the invented market of the tape.

    /v3/accounts/{account}/pricing/stream      an endless answer of lines
    /v3/instruments/{instrument}/candles       REST, see oanda_rest.py

Nobody sees OANDA's trades: each trade of the tape is told as prices around it, one step on either side. The stream
tells the last of each quarter second alone, so candles made of it differ from the ones that REST answers with: those
know every price. (OANDA's quarters begin differently on every connection, ours on all at once.) Faults strike the
stream; REST never lies. Source: docs/add-an-exchange.md#oanda.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from marketdata.clock import Clock
from marketdata.model.times import rfc3339

from local.exchanges.faults import Faults
from local.exchanges.oanda_rest import OandaRest
from local.exchanges.oanda_wire import (
    ACCOUNT,
    encode,
    instruments,
    is_known,
    newest,
    price,
    refusal,
    sample,
    window_start,
)
from local.exchanges.tape import Market

POLL_SECONDS = 0.05
LINES_QUEUED_MAX = 50_000
CONNECTIONS_MAX = 20
HEARTBEAT = timedelta(seconds=5)


def oanda_simulator(
    tape: Market,
    clock: Clock,
    faults: Faults | None = None,
    *,
    poll_seconds: float = POLL_SECONDS,
    lines_max: int = LINES_QUEUED_MAX,
) -> web.Application:
    """The server as an aiohttp application; what `tape` holds becomes visible as `clock` passes it."""
    faults = faults or Faults()
    streams = _Streams(tape, clock, faults, poll_seconds=poll_seconds, lines_max=lines_max)
    application = web.Application()
    application.router.add_get("/v3/accounts/{account}/pricing/stream", streams.serve)
    application.add_routes(OandaRest(tape, clock, faults).routes())
    application.cleanup_ctx.append(streams.pump)
    return application


class _Streams:
    """Every open answer, told by one pump what the tape says as the clock goes on."""

    def __init__(self, tape: Market, clock: Clock, faults: Faults, *, poll_seconds: float, lines_max: int) -> None:
        self._tape = tape
        self._clock = clock
        self._faults = faults
        self._poll_seconds = poll_seconds
        self._lines_max = lines_max
        self._listed = instruments(tape.products.values())
        self._answers: set[_Answer] = set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Lines without end: the newest price of each instrument first, then prices and a heartbeat each 5 s."""
        if self._faults.refusing or len(self._answers) >= CONNECTIONS_MAX:
            raise web.HTTPServiceUnavailable
        if not is_known(request):
            return refusal(401, "Insufficient authorization to perform request.")
        wanted = request.query.get("instruments", "").split(",")
        if request.match_info["account"] != ACCOUNT or not self._listed.keys() >= set(wanted):
            return refusal(400, "Invalid value specified for 'instruments'")
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await response.prepare(request)
        answer = _Answer(request, {name: self._listed[name] for name in wanted}, self._lines_max)
        self._answers.add(answer)
        try:
            await answer.write(response)
        finally:
            self._answers.discard(answer)
        return response

    async def pump(self, application: web.Application) -> AsyncIterator[None]:
        """Tick for as long as the application runs."""
        task = asyncio.create_task(self._tick_forever())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for answer in self._answers:
            answer.abort()

    async def _tick_forever(self) -> None:
        while True:
            self._tick(self._clock.now())
            await asyncio.sleep(self._poll_seconds)

    def _tick(self, now: datetime) -> None:
        cut, injected = self._faults.take_cut(), self._faults.take_injected()
        for answer in tuple(self._answers):
            if cut:
                answer.abort()
                continue
            lines = [*self._prices(answer, now), *self._beat(answer, now)]
            if not self._faults.silent:
                answer.send([*lines, *injected])

    def _prices(self, answer: "_Answer", now: datetime) -> Iterator[str]:
        """What has not been told yet, of the quarters of a second that are over."""
        until = window_start(now)
        for name, product in answer.listed.items():
            since = answer.told_until
            trades = newest(self._tape, product, until) if since is None else sample(self._tape, product, since, until)
            for trade in trades:
                yield self._line(price(name, trade, self._tape.products[product]))
        answer.told_until = until

    def _beat(self, answer: "_Answer", now: datetime) -> Iterator[str]:
        if answer.beat_at is None or now >= answer.beat_at:
            answer.beat_at = now + HEARTBEAT
            yield self._line({"type": "HEARTBEAT", "time": rfc3339(now)})
            if self._faults.unknowns:
                yield encode({"type": "NOVELTY", "depth": [1, 2]})

    def _line(self, document: dict[str, Any]) -> str:
        return encode({**document, "novelty": {"a": [1]}} if self._faults.unknowns else document)


class _Answer:
    """One client's answer and the bounded queue of lines it has not taken yet."""

    def __init__(self, request: web.Request, listed: dict[str, str], lines_max: int) -> None:
        self.listed = listed
        """Its instruments, and the product that each is."""
        self.told_until: datetime | None = None
        self.beat_at: datetime | None = None
        self._request = request
        self._queue: asyncio.Queue[str] = asyncio.Queue(lines_max)

    def send(self, lines: list[str]) -> None:
        """Queue lines; a client too slow to keep up is cut off."""
        try:
            for line in lines:
                self._queue.put_nowait(line)
        except asyncio.QueueFull:
            self.abort()

    def abort(self) -> None:
        """Break the connection in the middle of the answer."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self, response: web.StreamResponse) -> None:
        """Send what is queued, in order, until the connection ends."""
        with suppress(ConnectionError):
            while True:
                await response.write(f"{await self._queue.get()}\n".encode())
