"""Fill a span with the exchange's own candles, newest first, and find out what their absence means.

No row means no trades only where the exchange says so twice, between rows of the same answer. An answer that is empty,
or ends early, says nothing: there the trade ids are asked. So are a few missing rows among many, because exchanges
lose candles of busy markets (Coinbase lost 52 of one product in a day).
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from marketdata.clock import Clock
from marketdata.compute.coverage import Spans, subtract
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import CandleHistory
from marketdata.jobs.candle_page import read_page
from marketdata.jobs.exchange_past import ExchangePast, TradePages
from marketdata.jobs.fill_by_trades import fill_by_trades
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.store import Store

WINDOW = timedelta(minutes=300)
"""What is asked, confirmed and written together: one request at Coinbase."""
RUNS_DOUBTED_MAX = 8
"""A window with more runs of missing rows than this is of a quiet market."""
WINDOWS_REFUSED_MAX = 3


class CandleFill:
    """One attempt to fill a gap by candles; `grace` is how long after its close a candle is taken to be final."""

    def __init__(
        self,
        store: Store,
        writer: GapWriter,
        past: ExchangePast,
        clock: Clock,
        *,
        grace: timedelta,
        go_on: Callable[[], bool],
    ) -> None:
        self._store = store
        self._writer = writer
        self._past = past
        symbol = writer.instrument.symbol
        self._pages = TradePages(past.get, past.trades, symbol) if past.trades is not None else None
        self._clock = clock
        self._grace = grace
        self._go_on = go_on
        self._quarantined = False

    def fill(self, span: Span) -> None:
        """Fill `span`, window by window, while there is time. Raises: RemoteError; what was learned is written."""
        if self._past.candles is None:
            return
        refused = 0
        for window in _windows_newest_first(span):
            if not self._go_on() or refused == WINDOWS_REFUSED_MAX:
                return
            try:
                begins = self._fill_window(self._past.candles, window)
            except RemoteMalformed as malformed:
                refused += 1
                self._writer.note(f"{malformed.reason} {malformed.excerpt}".strip())
                continue
            if begins is not None and self._writer.wanted.start < begins:
                # Not only in this piece: nothing of the gap is older than the market.
                self._writer.mark_empty([Span(self._writer.wanted.start, min(begins, window.end))])
                if begins >= window.start:
                    return

    def _fill_window(self, candles: CandleHistory, window: Span) -> datetime | None:
        """Returns the minute of the market's very first trade, if that was met."""
        self._quarantined = False
        rows = self._fetch(candles, window)
        absent = _without(window, rows)
        if absent and self._go_on():
            rows = sorted(rows + self._fetch(candles, window), key=_opens)
            return self._judge(_without(window, rows), rows)
        return None

    def _fetch(self, candles: CandleHistory, window: Span) -> list[Candle]:
        """The final candles of the window, written down."""
        found: list[Candle] = []
        for request in candles.candle_requests(self._writer.instrument.symbol, M1, window):
            asked_at = self._clock.now()
            body = self._past.get(request)
            page = read_page(candles, body, self._writer.instrument.symbol, asked_at)
            rows = page.candles
            for reason in page.quarantined:
                self._quarantined = True
                self._writer.note(reason)
            found += [row for row in rows if row.open_time in window and row.close_time + self._grace <= asked_at]
        self._writer.put(found)
        return found

    def _judge(self, absent: Spans, rows: list[Candle]) -> datetime | None:
        """Decide what two answers without these minutes mean; `rows` are what they did have, in order."""
        if self._quarantined:
            # Any of them may be the minute of a row that could not be read: only trades can tell.
            return self._ask_trades(Span(absent[0].start, absent[-1].end)) if absent else None
        inner = [one for one in absent if rows and rows[0].open_time < one.start and one.end <= rows[-1].open_time]
        edges = [one for one in absent if one not in inner]
        doubted = edges + inner if self._past.trades is not None and len(inner) <= RUNS_DOUBTED_MAX else edges
        believed = [one for one in inner if one not in doubted]
        if believed:
            self._writer.mark_empty(believed)
        begun = [begins for one in sorted(doubted, reverse=True) if (begins := self._ask_trades(one))]
        return min(begun, default=None)

    def _ask_trades(self, doubted: Span) -> datetime | None:
        if self._pages is None:
            self._writer.note("the exchange has no candles, and no trade ids that prove that nobody traded")
            return None
        if not self._go_on():
            return None
        return fill_by_trades(self._store, self._writer, self._pages, doubted, self._go_on)


def _windows_newest_first(span: Span) -> Iterator[Span]:
    end = span.end
    while span.start < end:
        yield Span(max(span.start, end - WINDOW), end)
        end -= WINDOW


def _without(window: Span, rows: list[Candle]) -> Spans:
    return subtract((window,), (Span(row.open_time, row.close_time) for row in rows))


def _opens(candle: Candle) -> datetime:
    return candle.open_time
