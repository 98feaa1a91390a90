"""Binance's archive of whole days, as https://data.binance.vision lays it out: zipped CSV, and a checksum beside it.

A day is there from the next day on. Times are milliseconds before 2025 and microseconds from then on; there is no
header line. Source: docs/add-an-exchange.md#binance.
"""

import asyncio
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from aiohttp import web
from marketdata.clock import Clock
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

from local.exchanges.binance_market import BinanceMarket
from local.exchanges.binance_wire import INTERVALS, kline_row, text

MICROSECONDS_FROM = datetime(2025, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class BinanceArchive:
    """The files of one market, made when they are asked for; in `spoilt` ones one number is another."""

    def __init__(self, market: BinanceMarket, clock: Clock, spoilt: frozenset[str] = frozenset()) -> None:
        self._spoilt = spoilt
        self._market = market
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Where the files are."""
        return [
            web.get("/data/spot/daily/klines/{symbol}/{interval}/{name}", self.file),
            web.get("/data/spot/daily/{kind:aggTrades|trades}/{symbol}/{name}", self.file),
        ]

    async def file(self, request: web.Request) -> web.Response:
        """A file, or its checksum; 404 for what is not there (yet)."""
        body = await asyncio.to_thread(self.answer, request.path)
        return web.Response(body=body, content_type="application/octet-stream")

    def answer(self, path: str) -> bytes:
        """What is there. Raises: HTTPNotFound."""
        *_, kind, symbol, name = path.split("/") if "/klines/" not in path else _swapped(path.split("/"))
        file = name.removesuffix(".CHECKSUM")
        body = self._zipped(symbol, kind, file, file in self._spoilt and file == name)
        return body if file == name else f"{sha256(body).hexdigest()}  {file}\n".encode()

    def _zipped(self, symbol: str, kind: str, name: str, spoilt: bool) -> bytes:
        start = _ending(name, f"{symbol}-{kind}-")
        if start is None or symbol not in self._market.products or start + _DAY > self._clock.now():
            raise web.HTTPNotFound
        rows = list(self._rows(symbol, kind, start))
        if spoilt:
            # In the middle: the minutes at the ends of a day are not proven by its file alone.
            row = rows[len(rows) // 2]
            row[2] = row[1]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            member = zipfile.ZipInfo(name.removesuffix(".zip") + ".csv")
            archive.writestr(member, "".join(",".join(map(str, row)) + "\n" for row in rows))
        return packed.getvalue()

    def _rows(self, symbol: str, kind: str, start: datetime) -> Iterator[list[object]]:
        if kind in INTERVALS:
            return self._klines(symbol, kind, start)
        trades = self._market.trades(symbol, start, start + _DAY)
        if kind == "trades":
            return (_single(trade) for trade in trades)
        everything = self._market.aggregates(symbol, start + _DAY)
        # Later ones are known too, where they were asked for before.
        day_ns = range(nanoseconds(start), nanoseconds(start + _DAY))
        return (_aggregate(one, number) for number, one in enumerate(everything) if one.time_ns in day_ns)

    def _klines(self, symbol: str, interval: str, start: datetime) -> Iterator[list[object]]:
        step, opens, close = INTERVALS[interval], start, Decimal(1)
        while opens < start + _DAY:
            trades = self._market.trades(symbol, opens, opens + step)
            close = trades[-1].price if trades else close
            row = kline_row(opens, interval, trades, close)
            unit_ns = 1_000 if start >= MICROSECONDS_FROM else 1_000_000
            # It closes with its last microsecond, as it did with its last millisecond.
            row[0], row[6] = nanoseconds(opens) // unit_ns, nanoseconds(opens + step) // unit_ns - 1
            yield row
            opens += step


def _swapped(parts: list[str]) -> list[str]:
    """`klines/SYMBOL/1m/NAME` as `1m/SYMBOL/NAME`."""
    *before, symbol, interval, name = parts
    return [*before, interval, symbol, name]


def _single(trade: Trade) -> list[object]:
    numbers = [text(trade.price), text(trade.size), text(trade.price * trade.size)]
    return [trade.id, *numbers, _time(trade), trade.side is Side.SELL, True]


def _aggregate(trade: Trade, number: int) -> list[object]:
    numbers = [number, text(trade.price), text(trade.size), trade.id, trade.last_id]
    return [*numbers, _time(trade), trade.side is Side.SELL, True]


def _time(trade: Trade) -> int:
    recent = trade.time_ns >= nanoseconds(MICROSECONDS_FROM)
    return trade.time_ns // (1_000 if recent else 1_000_000)


def _ending(name: str, beginning: str) -> datetime | None:
    """The day that a file's name ends with."""
    try:
        return datetime.strptime(name.removeprefix(beginning), "%Y-%m-%d.zip").replace(tzinfo=UTC)
    except ValueError:
        return None
