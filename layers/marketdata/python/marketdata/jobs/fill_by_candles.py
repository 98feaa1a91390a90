"""Fill a span with the exchange's own candles, newest first, and find out what their absence means.

No row means no trades only where the exchange says so twice, between rows of the same answer. An answer that is empty,
or ends early, says nothing: there the trade ids are asked. So are a few missing rows among many, because exchanges
lose candles of busy markets (Coinbase lost 52 of one product in a day).

Where ids prove nothing (Bitfinex), rows around what is missing are asked for as well, so that one quiet minute is seen
between its neighbours. A silence that this market does not know otherwise is an outage or a loss, and never believed.
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
from marketdata.model.times import nanoseconds
from marketdata.store.store import Store

AROUND_NEAR = timedelta(hours=1)
"""How much around a window is asked for with it, where trade ids cannot be asked; if no row is there, much more is."""
AROUND_MAX = timedelta(days=30)
SILENCE_BELIEVED = timedelta(days=1)
"""Maintenance lasts hours."""
SILENCE_INTERVALS = 20
"""A market that trades once in an hour is believed to have been silent for so many hours."""
RUNS_DOUBTED_MAX = 8
"""A window with more runs of missing rows than this is of a quiet market."""
WINDOWS_REFUSED_MAX = 3
UNTOLD = "the exchange has no candles, which is an outage, a loss or a silence, and no trade ids that tell"


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
        for window in _windows_newest_first(span, window_length(self._past)):
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
        around = timedelta() if self._pages is not None else min(AROUND_NEAR, self._room(candles, window))
        first = self._fetch(candles, window, around)
        absent = _without(window, first)
        if not absent or not self._go_on():
            return None
        if self._pages is None and not all(_is_plausible(one, first) for one in absent):
            around = min(AROUND_MAX, self._room(candles, window))
            first = self._fetch(candles, window, around)
        second = self._fetch(candles, window, around)
        if window.end + around >= self._clock.now() - self._grace:
            self._judge_tail(window, first, second)
        return self._judge(window, first, second)

    def _room(self, candles: CandleHistory, window: Span) -> timedelta:
        """How many whole minutes on each side of a window still fit its request."""
        return (candles.candles_a_request - (window.end - window.start) // M1.duration) // 2 * M1.duration

    def _fetch(self, candles: CandleHistory, window: Span, around: timedelta) -> list[Candle]:
        """The final candles of the window and `around` it, in order; what is wanted of them is written down."""
        found: list[Candle] = []
        wide = Span(window.start - around, window.end + around)
        for request in candles.candle_requests(self._writer.instrument.symbol, M1, wide):
            asked_at = self._clock.now()
            body = self._past.get(request)
            page = read_page(candles, body, self._writer.instrument.symbol, asked_at)
            for reason in page.quarantined:
                self._quarantined = True
                self._writer.note(reason)
            found += [row for row in page.candles if row.open_time in wide and row.close_time + self._grace <= asked_at]
        self._writer.put(row for row in found if row.open_time in window)
        return sorted(found, key=_opens)

    def _judge_tail(self, window: Span, first: list[Candle], second: list[Candle]) -> None:
        """Nobody may have traded since: the exchange's newest trades say so, or else the market's next trade will."""
        tail = _without(window, first + second)[-1:]
        behind = bool(tail and first and second) and second[-1].close_time <= tail[0].start
        if self._pages is not None or not behind or self._clock.now() - tail[0].start > _silence_believed(second):
            return
        told = [self._traded_since(second[-1]) for _ in range(2)]
        if told == [False, False]:
            self._writer.mark_empty(tail)
        elif True in told:
            self._writer.note("there are trades since the newest candle, but no candles of them")
        else:
            self._writer.waits = tail

    def _traded_since(self, candle: Candle) -> bool | None:
        """Whether the exchange has trades after those of this candle's minute; None if it does not say."""
        history = self._past.trades_by_time
        if history is None or not self._go_on():
            return None
        request = history.trades_from(candle.symbol, Span(candle.open_time, self._clock.now()))
        try:
            trades = history.parse_trades(self._past.get(request), candle.symbol).trades
        except RemoteMalformed as malformed:
            self._writer.note(f"{malformed.reason} {malformed.excerpt}".strip())
            return None
        return trades[-1].time_ns >= nanoseconds(candle.close_time) if trades else None

    def _judge(self, window: Span, first: list[Candle], second: list[Candle]) -> datetime | None:
        """Decide what two answers without these minutes mean; what one of them had is no longer missing."""
        absent = _without(window, first + second)
        if self._quarantined:
            # Any of them may be the minute of a row that could not be read: only trades can tell.
            return self._ask_trades(Span(absent[0].start, absent[-1].end)) if absent else None
        inner = [one for one in _between(absent, first) if one in _between(absent, second)]
        edges = [one for one in absent if one not in inner]
        if self._pages is None:
            doubted = edges + [one for one in inner if not _is_plausible(one, second)]
        else:
            doubted = edges + inner if len(inner) <= RUNS_DOUBTED_MAX else edges
        believed = [one for one in inner if one not in doubted]
        if believed:
            self._writer.mark_empty(believed)
        begun = [begins for one in sorted(doubted, reverse=True) if (begins := self._ask_trades(one))]
        return min(begun, default=None)

    def _ask_trades(self, doubted: Span) -> datetime | None:
        if self._pages is None:
            self._writer.note(UNTOLD)
            return None
        if not self._go_on():
            return None
        return fill_by_trades(self._store, self._writer, self._pages, doubted, self._go_on)


def window_length(past: ExchangePast) -> timedelta:
    """What is asked, confirmed and written together: one request, with room for what is around it."""
    whole = M1.duration * (past.candles.candles_a_request if past.candles is not None else 1)
    return whole if past.trades is not None else max(whole / 2, M1.duration)


def _windows_newest_first(span: Span, length: timedelta) -> Iterator[Span]:
    end = span.end
    while span.start < end:
        yield Span(max(span.start, end - length), end)
        end -= length


def _between(absent: Spans, rows: list[Candle]) -> Spans:
    """What lies between rows of one answer, which are in order."""
    return tuple(one for one in absent if rows and rows[0].open_time < one.start and one.end <= rows[-1].open_time)


def _is_plausible(silence: Span, rows: list[Candle]) -> bool:
    """Whether a market that has these minutes, may have been silent so long between them, and was not shut."""
    if not _between((silence,), rows):
        return False
    return silence.end - silence.start <= _silence_believed(rows, silence)


def _silence_believed(rows: list[Candle], but: Span | None = None) -> timedelta:
    """How long a market of these minutes may be silent, going by all of its time `but` that."""
    known = rows[-1].close_time - rows[0].open_time - (but.end - but.start if but else timedelta())
    return max(SILENCE_BELIEVED, SILENCE_INTERVALS * known / len(rows))


def _without(window: Span, rows: list[Candle]) -> Spans:
    return subtract((window,), (Span(row.open_time, row.close_time) for row in rows))


def _opens(candle: Candle) -> datetime:
    return candle.open_time
