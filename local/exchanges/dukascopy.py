"""A server that speaks both wire forms of Dukascopy's archive, about an invented market or a folder of files.

    /datafeed/EURUSD/2019/01/04/13h_ticks.bi5 ...      the classic form, months from 00
    /v1/ticks/EUR-USD/2019/2/4/13 ...                  the newer one, months from 1

What an exchange does wrong is told to `ArchiveFaults`, by the path that is asked for.
Source: docs/add-an-exchange.md#dukascopy.
"""

import json
import lzma
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from marketdata.errors import RequestInvalid
from marketdata.exchanges.dukascopy_classic import file_at
from marketdata.exchanges.dukascopy_instruments import listing
from marketdata.exchanges.dukascopy_json import DukascopyJson
from marketdata.exchanges.exchange import ArchiveFile
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import nanoseconds

from local.exchanges.quotes import QuoteMarket

_MILLION = 1_000_000
_Closed = Callable[[Span], bool]


class ArchiveFaults:
    """A healthy archive, until told otherwise. Paths are as on the wire, without the leading part."""

    def __init__(self) -> None:
        self._once: dict[str, list[tuple[int, bytes]]] = {}
        self._always: dict[str, tuple[int, bytes]] = {}
        self.throttle_seconds = 0

    def once(self, path: str, status: int = 200, body: bytes = b"") -> None:
        """Answer the next request for it so; may be said several times."""
        self._once.setdefault(path, []).append((status, body))

    def always(self, path: str, status: int = 404, body: bytes = b"") -> None:
        """Answer every request for it so."""
        self._always[path] = (status, body)

    def heal(self) -> None:
        """End every fault."""
        self._once.clear()
        self._always.clear()

    def take(self, path: str) -> tuple[int, bytes] | None:
        """How to answer this request; None: truly."""
        waiting = self._once.get(path)
        return waiting.pop(0) if waiting else self._always.get(path)


class DukascopyArchive:
    """The handlers. `closed`: whether the market was closed in an hour. `folder`: real files to serve instead."""

    def __init__(
        self,
        market: QuoteMarket,
        faults: ArchiveFaults | None = None,
        *,
        closed: _Closed = lambda _span: False,
        folder: Path | None = None,
    ) -> None:
        self.asked: Counter[str] = Counter()
        """How often each path was asked for."""
        self._market = market
        self._faults = faults or ArchiveFaults()
        self._closed = closed
        self._folder = folder

    def application(self) -> web.Application:
        """The server, as an aiohttp application."""
        application = web.Application()
        application.router.add_get("/datafeed/{path:.*}", self.classic)
        application.router.add_get("/v1/{path:.*}", self.newer)
        return application

    async def classic(self, request: web.Request) -> web.Response:
        """A .bi5 file."""
        return self._response(request, self.answer_classic)

    async def newer(self, request: web.Request) -> web.Response:
        """A JSON answer."""
        return self._response(request, self.answer_newer)

    def _response(self, request: web.Request, answer: Callable[[str], tuple[int, bytes]]) -> web.Response:
        status, body = answer(request.match_info["path"])
        headers = {"Retry-After": str(self._faults.throttle_seconds)} if status == 429 else {}
        return web.Response(status=status, body=body, headers=headers)

    def answer_classic(self, path: str) -> tuple[int, bytes]:
        """Status and body of a classic path."""
        return self._faulty(path) or self._classic(path)

    def answer_newer(self, path: str) -> tuple[int, bytes]:
        """Status and body of a newer path."""
        return self._faulty(path) or self._newer(path)

    def _faulty(self, path: str) -> tuple[int, bytes] | None:
        self.asked[path] += 1
        return self._faults.take(path)

    def _classic(self, path: str) -> tuple[int, bytes]:
        if self._folder is not None:
            real = self._folder / path
            return (200, real.read_bytes()) if real.is_file() else (404, b"")
        try:
            file = file_at(path)
        except RequestInvalid:
            return 404, b""
        body = b"".join(self._records(file))
        # Nothing at all, where nothing happened.
        return 200, lzma.compress(body, format=lzma.FORMAT_ALONE) if body else b""

    def _records(self, file: ArchiveFile) -> Iterable[bytes]:
        if file.timeframe is None:
            for tick in () if self._closed(file.span) else self._market.hour(file.symbol, file.span.start):
                sizes = (tick.ask_size / _MILLION, tick.bid_size / _MILLION)
                yield struct.pack(">3i2f", tick.milliseconds, tick.ask, tick.bid, *sizes)
            return
        for minute, opens, highest, lowest, closes, volume in self._bars(file, flat=True):
            yield struct.pack(">5if", minute * 60, opens, closes, lowest, highest, volume / _MILLION)

    def _bars(self, file: ArchiveFile, *, flat: bool) -> Iterable[tuple[int, int, int, int, int, int]]:
        """The minutes of a day; `flat` fills those without a tick with the last close, as the classic files do."""
        last, next_minute = 0, 0
        for hour in _hours(file.span):
            bars = () if self._closed(hour) else self._market.minutes(file.symbol, hour, ask=file.side is PriceSide.ASK)
            first = (hour.start - file.span.start) // timedelta(minutes=1)
            for bar in bars:
                minute = first + bar.minute
                last = last or bar.open
                for quiet in range(next_minute, minute) if flat else ():
                    yield quiet, last, last, last, last, 0
                yield minute, bar.open, bar.high, bar.low, bar.close, bar.volume
                last, next_minute = bar.close, minute + 1
        for quiet in range(next_minute, 1440) if flat and last else ():
            yield quiet, last, last, last, last, 0

    def _newer(self, path: str) -> tuple[int, bytes]:
        parts = path.split("/")
        span = _span(parts)
        if span is None or parts[0] not in {"ticks", "candles"}:
            return 404, b""
        symbol, archive = listing(parts[1] if parts[0] == "ticks" else parts[2]).symbol, DukascopyJson()
        if parts[0] == "ticks":
            document = self._ticks(archive.tick_files(symbol, span)[0])
        else:
            document = self._candles(archive.candle_files(symbol, M1, PriceSide(parts[3].lower()), span)[0])
        return 200, json.dumps(document).encode()

    def _ticks(self, file: ArchiveFile) -> dict[str, Any]:
        ticks = () if self._closed(file.span) else self._market.hour(file.symbol, file.span.start)
        columns = {
            "times": _steps([tick.milliseconds for tick in ticks], 0),
            "asks": _steps([tick.ask for tick in ticks]),
            "bids": _steps([tick.bid for tick in ticks]),
            "askVolumes": [tick.ask_size for tick in ticks],
            "bidVolumes": [tick.bid_size for tick in ticks],
        }
        factor = listing(file.symbol).factor
        first = {"ask": ticks[0].ask / factor, "bid": ticks[0].bid / factor} if ticks else {"ask": None, "bid": None}
        return {"timestamp": _milliseconds(file.span), "multiplier": 1 / factor, **first, **columns}

    def _candles(self, file: ArchiveFile) -> dict[str, Any]:
        bars = list(self._bars(file, flat=False))
        names = ("opens", "highs", "lows", "closes")
        columns = {name: _steps([bar[at] for bar in bars]) for at, name in enumerate(names, start=1)}
        factor = listing(file.symbol).factor
        first = {name[:-1]: bars[0][at] / factor if bars else None for at, name in enumerate(names, start=1)}
        return {
            "timestamp": _milliseconds(file.span),
            "multiplier": 1 / factor,
            "shift": 60_000,
            "times": _steps([bar[0] for bar in bars], 0),
            "volumes": [bar[5] / _MILLION for bar in bars],
            **first,
            **columns,
        }


def _steps(values: list[int], before: int | None = None) -> list[int]:
    """The differences from one value to the next; the first one from `before`, or from itself."""
    earlier = [values[0] if before is None else before, *values][: len(values)] if values else []
    return [value - other for value, other in zip(values, earlier, strict=True)]


def _span(parts: list[str]) -> Span | None:
    """The hour or the day that a newer path asks for; None where its numbers are no date."""
    numbers = [int(part) for part in parts[2 if parts[0] == "ticks" else 4 :] if part.isdecimal()]
    try:
        start = datetime(*numbers[:3], *numbers[3:4], tzinfo=UTC)  # type: ignore[misc, arg-type]
    except (TypeError, ValueError):
        return None
    return Span(start, start + (timedelta(hours=1) if parts[0] == "ticks" else timedelta(days=1)))


def _hours(span: Span) -> Iterable[Span]:
    start = span.start
    while start < span.end:
        yield Span(start, start + timedelta(hours=1))
        start += timedelta(hours=1)


def _milliseconds(span: Span) -> int:
    return nanoseconds(span.start) // 1_000_000
