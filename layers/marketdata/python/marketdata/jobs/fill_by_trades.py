"""Fill a span with candles that are proven: fetch its trades and one on each side, by id, from its end backwards.

Called by fill_gaps for short gaps, and by fill_by_candles for minutes whose emptiness is in doubt.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from marketdata.compute.bars import Bars
from marketdata.compute.coverage import Spans
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import TradePage
from marketdata.jobs.exchange_past import Mark, TradePages
from marketdata.jobs.find_trade import first_trade_from
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import nanoseconds, utc
from marketdata.model.trade import Trade
from marketdata.store.store import Store

ABSENT_IDS_MAX = 100
"""More ids in a row than this were not skipped by the exchange; they are kept from us."""


def fill_by_trades(
    store: Store, writer: GapWriter, pages: TradePages, span: Span, go_on: Callable[[], bool]
) -> datetime | None:
    """Write what ids prove of `span` while `go_on`; returns the minute of the very first trade, if it was met.

    Raises: RemoteError; what was proven before it is in the writer.
    """
    instrument = writer.instrument
    bars = Bars(instrument.exchange, instrument.symbol, ids_contiguous=True)
    before = _page_end(store, instrument, pages, span)
    start_ns = nanoseconds(span.start)
    while go_on():
        page = _take_page(pages, bars, before)
        writer.put_trades(page.trades)
        _write(writer, bars, span)
        if before is None:
            writer.waits = _since(page.trades[-1], span)
        trades, before = page.trades, page.trades[0].id
        if page.next_before is None:
            begins = M1.floor(utc(trades[0].time_ns))
            if writer.wanted.start < begins:
                writer.mark_empty([Span(writer.wanted.start, min(begins, span.end))])
            return begins
        if trades[0].time_ns < start_ns:
            break
    return None


def _page_end(store: Store, instrument: Instrument, pages: TradePages, span: Span) -> int | None:
    """Where to page from, so that the first trade at or after the span is met; None: from the newest of all."""
    after = store.candles(instrument, M1, start=span.end, end=None, limit=1)
    before = store.candles(instrument, M1, start=None, end=span.start, limit=1, newest_first=True)
    high = _first_mark(after[0]) if after else None
    low = _last_mark(before[0]) if before else None
    if high is not None and after[0].open_time == span.end:
        return high.id + 1
    first = first_trade_from(pages, nanoseconds(span.end), low, high)
    return None if first is None else first + 1


def _since(newest: Trade, span: Span) -> Spans:
    """What of the span is after the minute of the newest trade of all: the market's next trade will tell of it."""
    start = max(span.start, M1.floor(utc(newest.time_ns)) + M1.duration)
    return (Span(start, span.end),) if start < span.end else ()


def _first_mark(candle: Candle) -> Mark | None:
    if candle.source is not Source.PROVEN or candle.first_id is None:
        return None
    return Mark(candle.first_id, nanoseconds(candle.open_time))


def _last_mark(candle: Candle) -> Mark | None:
    if candle.source is not Source.PROVEN or candle.last_id is None:
        return None
    return Mark(candle.last_id, nanoseconds(candle.close_time) - 1)


def _take_page(pages: TradePages, bars: Bars, before: int | None) -> TradePage:
    """Fold one page; ids that it skips are asked for once more, and then taken to be none."""
    page = pages.page(before)
    trades = page.trades
    first, last = trades[0].id, trades[-1].last_id if before is None else before - 1
    if sum(trade.count for trade in trades) <= last - first:
        again = {trade.id: trade for trade in pages.page(before).trades}
        merged = again | {trade.id: trade for trade in trades}
        page = replace(page, trades=tuple(merged[one] for one in sorted(merged)))
    if bars.seen.highest is None and page.trades[-1].last_id < last:
        # The first page ends with a trade that is known to exist.
        raise RemoteMalformed(bars.exchange, f"trades: {last} is not known yet", "")
    for trade in page.trades:
        bars.add(trade)
    bars.fold()
    # What an aggregate that was seen in part leaves open is not absent.
    absent = [] if bars.cut else bars.seen.missing(page.trades[0].id, last)
    for first_absent, last_absent in absent:
        if last_absent - first_absent >= ABSENT_IDS_MAX:
            raise RemoteMalformed(bars.exchange, f"trades: ids {first_absent} to {last_absent} are not given", "")
        bars.account_for(first_absent, last_absent)
    if page.next_before is None:
        # There is no trade before the first: it is as if it had been seen.
        bars.account_for(first - 1, first - 1)
    return page


def _write(writer: GapWriter, bars: Bars, span: Span) -> None:
    candles = [change.candle for change in bars.take()]
    writer.put(one for one in candles if one.source is Source.PROVEN and one.open_time in span)
    empty = [Span(max(one.start, span.start), min(one.end, span.end)) for one in bars.take_empty() if _meet(one, span)]
    if empty:
        writer.mark_empty(empty)


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end
