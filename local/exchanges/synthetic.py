"""The synthetic exchange: a real server of an invented market, with the symbols, the rate and the seed that are set.

    /trades   /quotes                                       WebSocket: the trades, or the quotes around each of them
    /history/trades?symbol&before&limit                     REST, by id
    /history/candles?symbol&minutes&start&end[&price]       REST, of trades, or of bid, ask or mid

What it tells is the market of the tape: a function of symbols, rate, seed and time, so that it goes on after a restart
and its past can be asked for. Source: docs/add-an-exchange.md#synthetic.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web
from marketdata.clock import Clock
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe, timeframe_of_minutes
from marketdata.model.times import EPOCH, nanoseconds
from marketdata.model.trade import Trade

from local.exchanges.budget import Budgets
from local.exchanges.faults import Faults
from local.exchanges.products import Product
from local.exchanges.session import Every, TradeLine
from local.exchanges.streams import Streams
from local.exchanges.tape import Bar, Market

POLL_SECONDS = 0.05
FRAMES_QUEUED_MAX = 50_000
ROWS_A_FRAME = 500
ROWS_MAX = 1_000
REQUESTS_A_SECOND = 100
_BEAT = timedelta(seconds=1)


def synthetic_simulator(
    tape: Market,
    clock: Clock,
    faults: Faults | None = None,
    *,
    poll_seconds: float = POLL_SECONDS,
    frames_max: int = FRAMES_QUEUED_MAX,
) -> web.Application:
    """The server as an aiohttp application; what `tape` holds becomes visible as `clock` passes it."""
    faults = faults or Faults()
    streams = Streams(tape, clock, faults, poll_seconds=poll_seconds, frames_max=frames_max)
    rest = _Rest(tape, clock, faults)
    application = web.Application()
    application.router.add_get("/trades", streams.handler(TradesSession))
    application.router.add_get("/quotes", streams.handler(QuotesSession))
    application.router.add_get("/history/trades", rest.answering(rest.trades))
    application.router.add_get("/history/candles", rest.answering(rest.candles))
    application.cleanup_ctx.append(streams.pump)
    application.on_shutdown.append(streams.close)
    return application


def spread(product: Product) -> Decimal:
    """How far the bid is below a trade, and the ask above it."""
    return product.quote_increment


class TradesSession:
    """One client of the trades, and what it has yet to be told."""

    def __init__(self, tape: Market, faults: Faults, connection: int, now: datetime) -> None:
        self.subscribed = False
        self._tape = tape
        self._faults = faults
        self._connection = connection
        self._lines: dict[str, TradeLine] = {}
        self._beat = Every(_BEAT, now)

    def receive(self, text: str, now: datetime) -> list[str]:
        """All that flows now; or why a request is refused, whole."""
        try:
            op, symbols = _request(text)
        except ValueError as error:
            return [self._frame({"type": "refused", "reason": str(error)})]
        unknown = [symbol for symbol in symbols if symbol not in self._tape.products]
        if unknown:
            return [self._frame({"type": "refused", "reason": f"not listed: {', '.join(unknown)}"[:200]})]
        self.subscribed = True
        for symbol in symbols:
            if op == "unsubscribe":
                self._lines.pop(symbol, None)
            elif symbol not in self._lines:
                self._lines[symbol] = TradeLine(self._tape, symbol, self._faults, self._connection, now)
        return [self._frame({"type": "subscribed", "symbols": sorted(self._lines)})]

    def tick(self, now: datetime) -> list[str]:
        """What was traded since the last tick, many in a frame, and each second a heartbeat. Raises: FellBehind."""
        frames = [frame for line in self._lines.values() for frame in self._tell(line.symbol, line.due(now))]
        if self._beat.is_due(now):
            frames.append(self._frame(self._heartbeat(now)))
            if self._faults.unknowns:
                frames.append(self._frame({"type": "auction", "symbols": sorted(self._lines)}))
        return frames

    def _tell(self, symbol: str, trades: list[Trade]) -> Iterator[str]:
        rows = [[symbol, one.id, one.time_ns, f"{one.price:f}", f"{one.size:f}", one.side.value] for one in trades]
        return self._in_frames("trades", rows)

    def _in_frames(self, kind: str, rows: list[list[Any]]) -> Iterator[str]:
        for start in range(0, len(rows), ROWS_A_FRAME):
            yield self._frame({"type": kind, kind: rows[start : start + ROWS_A_FRAME]})

    def _heartbeat(self, now: datetime) -> dict[str, Any]:
        told = [symbol for symbol in self._lines if not self._faults.mutes_heartbeats(symbol)]
        ids = {symbol: self._tape.newest_id(symbol, now) for symbol in told}
        return {"type": "heartbeat", "time": nanoseconds(now), "last_ids": ids}

    def _frame(self, document: dict[str, Any]) -> str:
        more = {"unheard_of": {"since": 2031}} if self._faults.unknowns else {}
        return json.dumps(document | more, separators=(",", ":"))


class QuotesSession(TradesSession):
    """One client of the quotes: one for each moment of trades, a step on either side of the last of them."""

    def _tell(self, symbol: str, trades: list[Trade]) -> Iterator[str]:
        step = spread(self._tape.products[symbol])
        newest = {one.time_ns: one.price for one in trades}
        rows = [[symbol, time_ns, f"{price - step:f}", f"{price + step:f}"] for time_ns, price in newest.items()]
        return self._in_frames("quotes", rows)

    def _heartbeat(self, now: datetime) -> dict[str, Any]:
        return {"type": "heartbeat", "time": nanoseconds(now)}


def _request(text: str) -> tuple[str, list[str]]:
    """What is asked, and of which symbols. Raises: ValueError."""
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("op") not in ("subscribe", "unsubscribe"):
        raise ValueError("op must be subscribe or unsubscribe")
    symbols = document.get("symbols")
    if not isinstance(symbols, list) or not symbols or not all(isinstance(one, str) for one in symbols):
        raise ValueError("symbols must be a list of names")
    return document["op"], symbols


class _Refusal(Exception):
    """The text is what is said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class _Rest:
    def __init__(self, tape: Market, clock: Clock, faults: Faults) -> None:
        self._tape = tape
        self._clock = clock
        self._faults = faults
        self._budgets = Budgets(clock, REQUESTS_A_SECOND, REQUESTS_A_SECOND)

    def answering(self, find: Callable[[Mapping[str, str]], list[Any]]) -> Callable[[web.Request], Any]:
        """aiohttp's handler of one route: what `find` says, behind a budget and whatever is made to fail."""

        async def handle(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                # In a thread, because drawing hours of a busy market takes a while.
                return web.json_response(await asyncio.to_thread(find, request.query))
            except (KeyError, ValueError, OverflowError) as error:
                return web.json_response({"error": f"cannot be asked: {error}"}, status=400)
            except _Refusal as refused:
                return web.json_response({"error": str(refused)}, status=refused.status)

        return handle

    def trades(self, query: Mapping[str, str]) -> list[Any]:
        """The newest trades below an id, or of all, oldest first."""
        symbol, limit = self._symbol(query), min(int(query.get("limit", ROWS_MAX)), ROWS_MAX)
        end = self._tape.next_id(symbol, self._clock.now())
        end = min(end, int(query.get("before", end)))
        trades = self._tape.trades_by_id(symbol, max(1, end - limit), end)
        return [[one.id, one.time_ns, f"{one.price:f}", f"{one.size:f}", one.side.value] for one in trades]

    def candles(self, query: Mapping[str, str]) -> list[Any]:
        """Candles of the buckets that open in a span, as far as the time has come; none for one without trades."""
        symbol, timeframe = self._symbol(query), timeframe_of_minutes(int(query["minutes"]))
        start, end = (EPOCH + timedelta(seconds=int(query[edge])) for edge in ("start", "end"))
        if (end - start) / timeframe.duration > ROWS_MAX:
            raise _Refusal(400, f"at most {ROWS_MAX} candles a request")
        step, quoted = Decimal(0), "price" in query
        if quoted:
            places = {PriceSide.BID: -1, PriceSide.MID: 0, PriceSide.ASK: 1}
            step = places[PriceSide(query["price"])] * spread(self._tape.products[symbol])
        spans = self._buckets(timeframe, start, end)
        rows = ((span, self._tape.bar(symbol, span)) for span in spans)
        return [self._row(symbol, span, bar, step, quoted=quoted) for span, bar in rows if bar is not None]

    def _buckets(self, timeframe: Timeframe, start: datetime, end: datetime) -> Iterator[Span]:
        now, opens = self._clock.now(), timeframe.floor(start)
        while opens < min(end, now):
            yield Span(opens, min(opens + timeframe.duration, now))
            opens += timeframe.duration

    def _row(self, symbol: str, span: Span, bar: Bar, step: Decimal, *, quoted: bool) -> list[Any]:
        opens = int((span.start - EPOCH).total_seconds())
        prices = [f"{price + step:f}" for price in (bar.open, bar.high, bar.low, bar.close)]
        trades = self._tape.next_id(symbol, span.end) - self._tape.next_id(symbol, span.start)
        return [opens, *prices, str(trades) if quoted else f"{bar.volume:f}", trades]

    def _symbol(self, query: Mapping[str, str]) -> str:
        symbol = query.get("symbol", "")
        if symbol not in self._tape.products:
            raise _Refusal(404, f"not listed: {symbol[:64]}")
        return symbol

    def _admit(self, request: web.Request) -> None:
        if self._faults.refusing_rest:
            raise _Refusal(503, "away")
        if not self._budgets.spend(request.remote or ""):
            raise _Refusal(429, "slow down")
