"""A thousand candles with what is known of their holes: one question to the database, beside the two it took before.

Through the whole local stack and the production client: embedded Postgres, PostgREST, the gateway; wall clock. The two
questions (candles, then coverage where they leave a hole) knew nothing of the ledger; the one tells it too.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

from marketdata.compute.coverage import subtract
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore

from benchmarks.result import Result, Table
from benchmarks.stack import running_stack
from local.supabase_binaries import BinariesMissing

CANDLES = 1_000
HOLE_EVERY = 50
ROUNDS = 60
START = datetime(2026, 8, 3, tzinfo=UTC)
END = START + CANDLES * M1.duration
WHOLE = Instrument("benchmark", "WHOLE-USD", "WHOLE", "USD")
HOLED = Instrument("benchmark", "HOLED-USD", "HOLED", "USD")


def run(announce: Callable[[str], None]) -> Result:
    """Measure; one note instead where npm did not install Postgres and PostgREST."""
    try:
        with running_stack(announce) as stack:
            announce("writing candles")
            _prepare(stack.store)
            announce("asking")
            taken = _time_questions(stack.store)
    except BinariesMissing as missing:
        return Result("answers", (), (f"not measured: {missing}",))
    return Result("answers", (_table(taken),), ())


def _prepare(store: SupabaseStore) -> None:
    """One instrument with every minute, one that lacks two in a hundred, on the ledger."""
    store.put_instruments([WHOLE, HOLED])
    minutes = [START + number * M1.duration for number in range(CANDLES)]
    store.put_candles([_candle(WHOLE, one) for one in minutes])
    store.put_candles([_candle(HOLED, one) for number, one in enumerate(minutes) if number % HOLE_EVERY])
    while store.roll_up():
        pass
    holes = [Span(one, one + M1.duration) for one in minutes[::HOLE_EVERY]]
    store.record_gaps(HOLED, M1, holes, cause="scan", found_at=END)


def _time_questions(store: SupabaseStore) -> dict[str, list[float]]:
    """Milliseconds of each question; the ways take turns."""
    ways = {
        "no hole: candles": partial(_in_two, store, WHOLE),
        "no hole: candles, coverage and ledger in one": partial(_in_one, store, WHOLE),
        f"{CANDLES // HOLE_EVERY} holes: candles, then coverage": partial(_in_two, store, HOLED),
        f"{CANDLES // HOLE_EVERY} holes: candles, coverage and ledger in one": partial(_in_one, store, HOLED),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, ask in ways.items():
            started = time.perf_counter()
            ask()
            taken[name].append((time.perf_counter() - started) * 1e3)
    return taken


def _in_two(store: SupabaseStore, instrument: Instrument) -> None:
    found = store.candles(instrument, M1, start=START, end=END, limit=CANDLES + 1)
    holes = subtract([Span(START, END)], (Span(one.open_time, one.close_time) for one in found))
    if holes:
        store.coverage(instrument, M1, Span(holes[0].start, holes[-1].end))


def _in_one(store: SupabaseStore, instrument: Instrument) -> None:
    settled = END + timedelta(hours=1)
    store.read_candles(instrument, M1, start=START, end=END, limit=CANDLES + 1, settled=settled)


def _table(taken: dict[str, list[float]]) -> Table:
    return Table(
        f"An answer of {CANDLES:,} 1m candles and what is known of its holes; wall clock",
        ("what is asked", "ms, best", "ms, median"),
        tuple((name, f"{min(ms):,.1f}", f"{statistics.median(ms):,.1f}") for name, ms in taken.items()),
    )


def _candle(instrument: Instrument, open_time: datetime) -> Candle:
    return Candle(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=M1,
        open_time=open_time,
        open=Decimal("65083.67"),
        high=Decimal("65102.05"),
        low=Decimal("65080.10"),
        close=Decimal("65099.99"),
        volume=Decimal("1.03436161"),
        quote_volume=Decimal("67330.1203955912"),
        trades=100,
        taker_buy_volume=Decimal("0.50001000"),
        first_id=1,
        last_id=100,
        source=Source.PROVEN,
    )
