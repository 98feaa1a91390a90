"""A scan for gaps of 100 symbols x 1 year of 1m candles: by coverage, beside lead() and an anti-join over the rows.

Coverage is built for all 100 symbols as the drain keeps it, one row a symbol and month, with holes from one seed. The
rows themselves are there for a few symbols only (52.6 million would take a quarter of an hour to write): the two ways
that read rows are timed on those, and scaled by the number of symbols, which is fair to them: each symbol is a range
of the primary key of its own. All three must find the very holes that were made. Times are wall clock; the coverage
path is the production client's call, through PostgREST and the gateway, and the same question put to Postgres itself.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import LiteralString

import psycopg
from marketdata.compute.coverage import Spans, subtract, union
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore
from marketdata.store.wire import spans
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from benchmarks.result import Result, Table
from benchmarks.stack import running_stack
from local.supabase_binaries import BinariesMissing

SYMBOLS = 100
SYMBOLS_WITH_ROWS = 2
DAYS = 365
HOLES_A_SYMBOL = 10
"""A thousand in all: single minutes and runs of up to ten hours, the first and the last minute among them."""
SCANS = 20
SCANS_OF_ROWS = 3
TARGET_MS = 100

END = datetime(2026, 8, 1, tzinfo=UTC)
START = END - timedelta(days=DAYS)
COVERAGE = "coverage"
_EXCHANGE = "benchmark"

_LEAD: LiteralString = """
with held as (
  select open_time, lead(open_time) over (order by open_time) as next
  from public.candles
  where instrument_id = %(id)s and timeframe = 1 and source > 1 and open_time >= %(start)s and open_time < %(end)s
), ends as (
  select min(open_time) as oldest, max(open_time) as newest from held
)
select open_time + interval '1 minute', next from held where next > open_time + interval '1 minute'
union all
-- What lead() alone never sees: before the first candle, and after the last.
select %(start)s, oldest from ends where oldest > %(start)s
union all
select newest + interval '1 minute', %(end)s from ends where newest + interval '1 minute' < %(end)s
"""

_ANTI_JOIN: LiteralString = """
select minute, minute + interval '1 minute'
from generate_series(%(start)s, %(end)s - interval '1 minute', interval '1 minute') as minute
where not exists (
  select
  from public.candles
  where instrument_id = %(id)s and timeframe = 1 and source > 1 and open_time = minute
)
"""

# A candle a minute of what is held, past the triggers: the rows that coverage was made of.
_ROWS: LiteralString = """
insert into public.candles (instrument_id, timeframe, open_time, open, high, low, close, volume, quote_volume, trades,
  taker_buy_volume, first_id, last_id, source)
select %(id)s, 1, minute, 65083.67, 65102.05, 65080.10, 65099.99, 1.03436161, 67330.1203955912, 100, 0.5,
  number * 100, number * 100 + 99, 4
from unnest(%(held)s::tstzmultirange) as part
cross join lateral generate_series(lower(part), upper(part) - interval '1 minute', interval '1 minute')
  with ordinality as minutes (minute, number)
"""


@dataclass(slots=True)
class Scans:
    """Milliseconds of each scan, and whether every one found the holes that there are."""

    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def time(self, name: str, scan: Callable[[], Spans], expected: Spans) -> None:
        """Run a scan and hold what it found to `expected`."""
        started = time.perf_counter()
        found = scan()
        self.milliseconds.setdefault(name, []).append((time.perf_counter() - started) * 1e3)
        if found != expected:
            self.wrong.append(name)


def run(announce: Callable[[str], None]) -> Result:
    """Measure; one note instead where npm did not install Postgres and PostgREST."""
    try:
        with running_stack(announce) as stack:
            holes = {symbol: holes_of(Random(number)) for number, symbol in enumerate(_symbols())}
            ids = _prepare(stack.store, stack.connection, holes, announce)
            announce("scanning")
            scans = _scan(stack.store, stack.connection, holes, ids)
    except BinariesMissing as missing:
        return Result("gap_scan", (), (f"not measured: {missing}",))
    return Result("gap_scan", (_table(scans),), (_verdict(scans, holes),))


def holes_of(random: Random) -> Spans:
    """The holes of one symbol: most of one minute, some of hours, at the edges too."""
    minutes = DAYS * 24 * 60
    starts = [0, minutes - 1, *random.sample(range(1, minutes - 600), HOLES_A_SYMBOL - 2)]
    lengths = [1, 1, *(random.choice([1, 1, 1, 2, 5, 60, 600]) for _ in starts[2:])]
    return union(
        Span(START + start * M1.duration, START + (start + length) * M1.duration)
        for start, length in zip(starts, lengths, strict=True)
    )


def _prepare(
    store: SupabaseStore, connection: psycopg.Connection, holes: dict[str, Spans], announce: Callable[[str], None]
) -> dict[str, int]:
    """Instruments that were always known, their coverage, and the rows of a few; their numbers."""
    store.put_instruments([Instrument(_EXCHANGE, symbol, symbol[:3], "USD") for symbol in holes])
    store.ensure_partitions(Span(START, END))
    found = connection.execute("select symbol, id from public.instruments where exchange = %s", (_EXCHANGE,))
    ids: dict[str, int] = {str(symbol): int(number) for symbol, number in found.fetchall()}
    connection.execute("set session_replication_role = replica")
    connection.execute("update public.instruments set created_at = %s", (START,))
    announce(f"making the coverage of {SYMBOLS} symbols x {DAYS} days")
    for symbol, missing in holes.items():
        _cover(connection, ids[symbol], subtract([Span(START, END)], missing))
    for symbol in list(holes)[:SYMBOLS_WITH_ROWS]:
        announce(f"writing a year of minutes of {symbol}")
        held = _multirange(subtract([Span(START, END)], holes[symbol]))
        connection.execute(_ROWS, {"id": ids[symbol], "held": held})
    connection.execute("set session_replication_role = origin")
    connection.execute("vacuum analyze public.candles, public.coverage")
    return ids


def _cover(connection: psycopg.Connection, instrument_id: int, held: Spans) -> None:
    connection.execute(
        """
        insert into public.coverage (instrument_id, timeframe, month, covered)
        select %s, 1, month::date, %s * tstzmultirange(tstzrange(month, month + interval '1 month'))
        from generate_series(date_trunc('month', %s::timestamptz, 'UTC'), %s, interval '1 month') as month
        """,
        (instrument_id, _multirange(held), START, END),
    )


def _scan(store: SupabaseStore, connection: psycopg.Connection, holes: dict[str, Spans], ids: dict[str, int]) -> Scans:
    scans = Scans()
    everything = tuple(span for symbol in sorted(holes) for span in holes[symbol])
    by_number = sorted(ids, key=lambda symbol: ids[symbol])
    in_rows = tuple(span for symbol in by_number for span in holes[symbol])
    for _ in range(SCANS):
        scans.time(COVERAGE, partial(_by_coverage, store), everything)
        scans.time("coverage, in Postgres alone", partial(_in_postgres, connection), in_rows)
    for _ in range(SCANS_OF_ROWS):
        for symbol in list(holes)[:SYMBOLS_WITH_ROWS]:
            for name, query in (("lead() over the rows", _LEAD), ("anti-join with generate_series", _ANTI_JOIN)):
                scans.time(name, partial(_by_rows, connection, query, ids[symbol]), holes[symbol])
    return scans


def _by_coverage(store: SupabaseStore) -> Spans:
    """What the scan asks, as it asks it: the newest minute is END's last."""
    found = store.find_gaps(now=END, history=END - START, grace=timedelta(0))
    return tuple(span for _, span in found)


def _in_postgres(connection: psycopg.Connection) -> Spans:
    """The database's part of it."""
    found = connection.execute("select find_gaps_v1(%s, %s, '0')", (END, END - START)).fetchall()[0][0]
    return spans(list(zip(found["start"], found["end"], strict=True)))


def _by_rows(connection: psycopg.Connection, query: LiteralString, instrument_id: int) -> Spans:
    found = connection.execute(query, {"id": instrument_id, "start": START, "end": END}).fetchall()
    return union(Span(start.astimezone(UTC), end.astimezone(UTC)) for start, end in found)


def _multirange(spans: Spans) -> Multirange[datetime]:
    return Multirange([Range(span.start, span.end) for span in spans])


def _symbols() -> list[str]:
    return [f"{number:03}-USD" for number in range(SYMBOLS)]


def _table(scans: Scans) -> Table:
    return Table(
        f"Finding the gaps of {SYMBOLS} symbols x {DAYS} days of 1m candles; wall clock",
        ("how", "measured on", "ms, best", "ms, median", "ms a symbol-year", f"ms for {SYMBOLS} symbols"),
        tuple(_row(name, taken) for name, taken in scans.milliseconds.items()),
    )


def _row(name: str, taken: list[float]) -> tuple[str, ...]:
    measured = SYMBOLS if name.startswith(COVERAGE) else 1
    best, median = min(taken), statistics.median(taken)
    how = f"{measured} symbol{'s' * (measured > 1)}, {len(taken)} times"
    whole = f"{median / measured * SYMBOLS:,.0f}" + ("" if measured == SYMBOLS else " (scaled)")
    return (name, how, f"{best:,.1f}", f"{median:,.1f}", f"{median / measured:,.2f}", whole)


def _verdict(scans: Scans, holes: dict[str, Spans]) -> str:
    if scans.wrong:
        return f"WRONG: {', '.join(sorted(set(scans.wrong)))} did not find exactly the holes that there are"
    taken = scans.milliseconds[COVERAGE]
    best, median = min(taken), statistics.median(taken)
    kept = "kept" if median < TARGET_MS else "kept at best" if best < TARGET_MS else "NOT kept"
    total = sum(len(missing) for missing in holes.values())
    figures = f"{best:,.0f} ms at best, {median:,.0f} in the median"
    return f"all found the same holes, {total:,} in all; under {TARGET_MS} ms by coverage: {kept} ({figures})"
