"""/v1/candles through the very handler, made anew and remembered, beside PostgREST's own select; 304s; 100,000 candles.

Through the whole local stack and the production client: embedded Postgres, PostgREST, the gateway. The ways take turns.
Wall clock, and the CPU time of the asking thread: what a Lambda would be billed for, and what it would do.
"""

import base64
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from backports import zstd
from marketdata.clock import SystemClock
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1
from marketdata.observe import Handler
from marketdata.settings import settings_from

from benchmarks.result import Result, Table
from benchmarks.stack import Stack, running_stack
from functions.api.handler import application
from infra.catalog import function_named
from local.invocation import context_of
from local.supabase_binaries import BinariesMissing

ROWS = 500
CANDLES = 100_000
PAGE = 10_000
ROUNDS = 60
START = datetime(2026, 1, 1, tzinfo=UTC)
MARKET = Instrument("benchmark", "BTC-USD", "BTC", "USD")
QUESTION = {"symbol": "BTC-USD", "start": START.isoformat(), "end": (START + ROWS * M1.duration).isoformat()}

_EVENT = Path(__file__).resolve().parents[1] / "functions" / "api" / "event.json"
_TABLE = {"instrument_id": "eq.1", "timeframe": "eq.1", "order": "open_time", "limit": str(ROWS)}
_VIEW = {
    "exchange": "eq.benchmark",
    "symbol": "eq.BTC-USD",
    "timeframe": "eq.1m",
    "order": "open_time",
    "limit": str(ROWS),
}


@dataclass
class Taken:
    """Milliseconds of every round, and how long the body was."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    size: int = 0


def run(announce: Callable[[str], None]) -> Result:
    """Measure; one note instead where npm did not install Postgres and PostgREST."""
    try:
        with running_stack(announce) as stack:
            announce(f"writing {CANDLES:,} candles")
            written = _prepare(stack)
            handler, remembering = _handler(stack, cache_seconds=0), _handler(stack, cache_seconds=3_600)
            announce("asking in turns")
            taken = _in_turns(stack, handler, remembering)
            announce(f"reading {CANDLES:,} candles page by page")
            seconds, pages = _read_all(handler, written)
    except BinariesMissing as missing:
        return Result("api", (), (f"not measured: {missing}",))
    note = (
        f"{CANDLES:,} candles in {pages} pages of {PAGE:,}, packed by zstd, each field compared with what was written:"
    )
    return Result("api", (_table(taken),), (f"{note} all equal, {seconds:.1f} s",))


def _handler(stack: Stack, *, cache_seconds: int) -> Handler:
    """The function; one that remembers nothing makes every answer anew."""
    environment = {
        "MARKETDATA_LOCAL": "1",
        "SUPABASE_URL": stack.url,
        "SUPABASE_SERVICE_ROLE_KEY": stack.service_key,
        "CACHE_TTL_SECONDS": str(cache_seconds),
    }
    return application(stack.store, settings_from(environment), SystemClock())


def _prepare(stack: Stack) -> list[Candle]:
    stack.store.put_instruments([MARKET])
    written = [_candle(number) for number in range(CANDLES)]
    for first in range(0, CANDLES, PAGE):
        stack.store.put_candles(written[first : first + PAGE])
    while stack.store.roll_up():
        pass
    return written


def _in_turns(stack: Stack, handler: Handler, remembering: Handler) -> dict[str, Taken]:
    etag = _ask(handler, QUESTION)["headers"]["ETag"]
    with httpx.Client(base_url=f"{stack.url}/rest/v1", headers={"apikey": stack.service_key}) as client:
        ways: dict[str, Callable[[], int]] = {
            "handler: records, meta, ETag": partial(_asked, handler, QUESTION),
            "handler: the same as columns": partial(_asked, handler, QUESTION | {"format": "columns"}),
            "handler: as Arrow": partial(_asked, handler, QUESTION | {"format": "arrow"}),
            "handler: records packed by zstd": partial(_asked, handler, QUESTION, {"accept-encoding": "zstd"}),
            "handler: records, remembered": partial(_asked, remembering, QUESTION),
            "handler: 304": partial(_asked, handler, QUESTION, {"if-none-match": etag}),
            "PostgREST: select from candles": partial(_select, client, "candles", _TABLE),
            "PostgREST: select from candles_v, with names": partial(_select, client, "candles_v", _VIEW),
        }
        taken = {name: Taken() for name in ways}
        for turn in range(ROUNDS + 1):
            for name, ask in ways.items():
                wall, cpu = time.perf_counter(), time.thread_time()
                size = ask()
                if turn:  # the first one warms up
                    taken[name].wall.append((time.perf_counter() - wall) * 1e3)
                    taken[name].cpu.append((time.thread_time() - cpu) * 1e3)
                    taken[name].size = size
    return taken


def _ask(handler: Handler, query: dict[str, str], headers: dict[str, str] | None = None) -> dict[str, Any]:
    event = json.loads(_EVENT.read_text())
    event |= {"rawPath": "/v1/candles", "queryStringParameters": query, "headers": headers or {}}
    answered: dict[str, Any] = handler(event, context_of(function_named("api")))
    assert answered["statusCode"] in (200, 304), answered
    return answered


def _asked(handler: Handler, query: dict[str, str], headers: dict[str, str] | None = None) -> int:
    return len(_ask(handler, query, headers)["body"] or "")


def _select(client: httpx.Client, table: str, query: dict[str, str]) -> int:
    response = client.get(table, params=query)
    rows = response.raise_for_status().json()
    assert len(rows) == ROWS, len(rows)
    return len(response.content)


def _read_all(handler: Handler, written: list[Candle]) -> tuple[float, int]:
    """How long it took to read everything, and in how many pages. Every field of every candle is compared."""
    began, read, cursor, pages = time.perf_counter(), list[dict[str, Any]](), None, 0
    while pages == 0 or cursor:
        query = {"symbol": "BTC-USD", "limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
        answered = _ask(handler, query, {"accept-encoding": "zstd"})
        packed = answered["isBase64Encoded"]  # a short page is not
        page = json.loads(zstd.decompress(base64.b64decode(answered["body"])) if packed else answered["body"])
        read += page["data"]
        cursor, pages = page["next_cursor"], pages + 1
    seconds = time.perf_counter() - began
    assert len(read) == len(written), len(read)
    for record, candle in zip(read, written, strict=True):
        assert _said(record) == _meant(candle), record
    return seconds, pages


def _said(record: dict[str, Any]) -> tuple[Any, ...]:
    prices = tuple(Decimal(record[name]) for name in ("open", "high", "low", "close", "volume", "quote_volume"))
    return datetime.fromisoformat(record["open_time"]), *prices, record["trades"], record["first_id"], record["last_id"]


def _meant(candle: Candle) -> tuple[Any, ...]:
    prices = (candle.open, candle.high, candle.low, candle.close, candle.volume, candle.quote_volume)
    return candle.open_time, *prices, candle.trades, candle.first_id, candle.last_id


def _table(taken: dict[str, Taken]) -> Table:
    rows = [
        (
            name,
            f"{min(one.wall):,.1f}",
            f"{statistics.median(one.wall):,.1f}",
            f"{statistics.median(one.cpu):,.1f}",
            f"{one.size / 1e3:,.1f}",
        )
        for name, one in taken.items()
    ]
    columns = ("what is asked", "ms, best", "ms, median", "CPU ms of ours, median", "body, kB")
    return Table(f"{ROWS} 1m candles, {ROUNDS} rounds in turns", columns, tuple(rows))


def _candle(number: int) -> Candle:
    """No two alike, with as many digits as an exchange gives."""
    price = Decimal("65000.01") + Decimal(number * 7919 % 100_003) / 100
    volume = Decimal(number * 104_729 % 1_000_003 + 1) / 100_000_000
    return Candle(
        exchange=MARKET.exchange,
        symbol=MARKET.symbol,
        timeframe=M1,
        open_time=START + number * timedelta(minutes=1),
        open=price,
        high=price + Decimal("20.05"),
        low=price - Decimal("11.37"),
        close=price + Decimal("3.33"),
        volume=volume,
        quote_volume=volume * price,
        trades=number % 997 + 1,
        taker_buy_volume=volume / 2,
        first_id=number * 1_000,
        last_id=number * 1_000 + 999,
        source=Source.PROVEN,
    )
