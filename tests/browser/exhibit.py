"""The page on a real server: dashboard/, the feed's own gateway and hub, and an invented market behind /v1."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware
from marketdata.clock import SystemClock
from marketdata.compute.bars import Change
from marketdata.errors import MarketDataError, StoreError
from marketdata.jobs.answer_candles import CandleAnswers, CandleRequest
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.live_documents import candle_document, status_document
from marketdata.jobs.query_alerts import query_alerts
from marketdata.jobs.report_status import list_instruments, report_status
from marketdata.model.alert_book import Book
from marketdata.model.candle import Candle
from marketdata.model.timeframe import M1
from marketdata.serve.alert_params import alert_query
from marketdata.serve.cursor import Cursors
from marketdata.serve.params import candle_query
from marketdata.serve.problems import CONTENT_TYPE, problem_of
from marketdata.store.alerts import AlertChanges
from marketdata.store.answers import FeedStatus

from feed.gateway import gateway
from feed.hub import Hub
from tests.browser import market

DASHBOARD = Path(__file__).parents[2] / "dashboard"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Exhibit:
    """The market on show, and what a test may do to it."""

    def __init__(self) -> None:
        self.open_time = M1.floor(datetime.now(UTC))
        self.store = market.stocked(self.open_time)
        self.hub = Hub("exhibit")
        self.address = ""
        self._port = 0
        self.failing = False
        self.resumed_from: list[str | None] = []
        self._simulated = {market.SIMULATED.exchange}
        self._streams: set[asyncio.Transport] = set()
        self._clock = SystemClock()
        self.feed = FeedStatus(
            exchange=market.SIMULATED.exchange,
            feed_id="exhibit",
            state="live",
            started_at=self._clock.now(),
            updated_at=self._clock.now(),
            last_message_at=self._clock.now(),
            symbols=2,
        )
        self.store.put_feed_status(self.feed)

    def last(self, symbol: str = "BTC-USD") -> Candle:
        """The newest 1m candle in the store."""
        instrument = next(known for known in self.store.instruments() if known.symbol == symbol)
        return self.store.candles(instrument, M1, start=None, end=None, limit=1, newest_first=True)[0]

    def publish(self, candle: Candle, *, closed: bool = False, revised: bool = False) -> None:
        """Tell every client of `candle`; a closed one is in the store by then."""
        if closed:
            self.store.put_candles([candle])
        document = candle_document(
            Change(candle, closed=closed, revised=revised), simulated=candle.exchange in self._simulated
        )
        key = None if closed else f"{candle.exchange}:{candle.symbol}:{candle.open_time}"
        self.hub.publish(
            "revise" if revised else "candle", candle.exchange, candle.symbol, document, conflation_key=key
        )

    def say(self, state: str) -> None:
        """Let the feed say how it is, as it does every few seconds."""
        now = self._clock.now()
        self.feed = replace(self.feed, state=state, updated_at=now, last_message_at=now)
        self.store.put_feed_status(self.feed)
        self.hub.publish("status", self.feed.exchange, "", status_document(self.feed))

    def commit_alerts(self, **changes: Any) -> None:
        """Let an evaluation decide this, and the stream tell that something changed."""
        desk = self.store.alert_desk(now=self._clock.now())
        assert self.store.commit_alerts(desk.version, AlertChanges(Book(), **changes), now=self._clock.now())
        self.hub.publish("alert", "", "", b"{}")

    def drop_streams(self) -> None:
        """Cut every stream off, as a network does."""
        for transport in self._streams:
            transport.abort()

    async def restart(self) -> None:
        """Go down and come back at the same address, with a stream that begins anew."""
        await self._runner.cleanup()
        self.hub = Hub("another")
        await self._start()

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Exhibit"]:
        """Serve on a free port."""
        await self._start()
        try:
            yield self
        finally:
            await self._runner.cleanup()

    async def _start(self) -> None:
        app = gateway(self.hub, lambda: {"state": self.feed.state})
        app.middlewares.append(self._watch_streams)
        self._add_questions(app)
        app.router.add_get("/", self._index)
        app.router.add_static("/", DASHBOARD)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self.address = f"http://127.0.0.1:{self._port}/"

    def _add_questions(self, app: web.Application) -> None:
        instruments = KnownInstruments(self.store, self._clock)
        answers = CandleAnswers(self.store, instruments, Cursors("exhibit"), self._clock)

        def candles(request: web.Request) -> str:
            return str(answers.answer(CandleRequest(candle_query(request.query)), None).body)

        app.router.add_get("/v1/candles", self._answer(candles))

        def alerts(request: web.Request) -> str:
            return query_alerts(self.store, instruments, Cursors("exhibit"), self._clock, alert_query(request.query))

        app.router.add_get("/v1/alerts", self._answer(alerts))
        app.router.add_get("/v1/instruments", self._answer(lambda _: list_instruments(instruments.all())))
        app.router.add_get("/v1/status", self._answer(lambda _: report_status(self.store, self._clock.now())))

    def _answer(self, question: Callable[[web.Request], str]) -> Answer:
        async def answer(request: web.Request) -> web.Response:
            try:
                if self.failing:
                    raise StoreError("candles", "this store fails because a test wants it to")
                return web.Response(text=question(request), content_type="application/json")
            except MarketDataError as error:
                problem = problem_of(error)
                body = problem.document(request.path, "exhibit")
                return web.Response(text=body, status=problem.status, content_type=CONTENT_TYPE)

        return answer

    @staticmethod
    async def _index(_: web.Request) -> web.FileResponse:
        return web.FileResponse(DASHBOARD / "index.html")

    @property
    def _watch_streams(self) -> Middleware:
        @web.middleware
        async def watch(request: web.Request, handler: Answer) -> web.StreamResponse:
            if request.path == "/stream" and request.transport is not None:
                self._streams = {*(one for one in self._streams if not one.is_closing()), request.transport}
                self.resumed_from.append(request.headers.get("Last-Event-ID"))
            return await handler(request)

        return watch
