"""Ask an exchange for what is missing of one gap, in the order of what it proves. Called by fill_gaps for a leased gap.

Whole days of a long gap come from the archive of trades, where there is one; a short gap from trades by id; the rest,
and what trades do not settle, from the exchange's own candles.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketdata.clock import Clock
from marketdata.compute.coverage import Spans, clip, intersect, subtract
from marketdata.errors import RemoteMalformed, RemoteThrottled, RemoteUnavailable
from marketdata.jobs.exchange_past import ExchangePast, TradePages
from marketdata.jobs.fill_by_archive import fill_by_archive
from marketdata.jobs.fill_by_candles import SILENCE_BELIEVED, CandleFill, window_length
from marketdata.jobs.fill_by_trades import fill_by_trades
from marketdata.jobs.fill_settings import FillSettings
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.store.store import Store

_DAY = timeframe_named("1d")


@dataclass(frozen=True, slots=True)
class Ending:
    """Why an attempt ended. `answered`: the exchange said what it knows. `retry_at`: None leaves it to the back-off."""

    reason: str = ""
    answered: bool = False
    retry_at: datetime | None = None
    stopped: str = ""
    """`throttled` or `away` when the exchange is to be left alone."""


@dataclass(frozen=True, slots=True)
class GapAttempt:
    """One try at what `writer` wants, while `go_on`; what is older than a piece is left `for_later`."""

    store: Store
    writer: GapWriter
    past: ExchangePast
    clock: Clock
    settings: FillSettings
    go_on: Callable[[], bool]

    def for_later(self) -> Spans:
        """What is older than the newest piece, cut where the fetching by candles cuts too, or the archive's days do."""
        missing = self.writer.remaining
        left, length = self.settings.piece, window_length(self.past)
        for index, span in reversed(list(enumerate(missing))):
            windows = max(1, -(-left // length))
            cut = span.end - windows * length if self.past.archive is None else _DAY.floor(span.end - left)
            if span.start < cut:
                return (*missing[:index], Span(span.start, cut))
            left -= span.end - span.start
            if left <= timedelta():
                return missing[:index]
        return ()

    def make(self, piece: Spans) -> Ending:
        """Ask for everything in `piece` that is final, newest first."""
        now, wanted = self.clock.now(), self.writer.wanted
        final_until = M1.floor(now - self.settings.grace)
        try:
            for part in reversed(_before(piece, final_until)):
                # Where the market's beginning was met, what is older is known to be empty by now.
                for rest in reversed(clip(self.writer.remaining, part)):
                    self._fill(rest)
        except RemoteThrottled as throttled:
            return Ending(throttled.reason, retry_at=throttled.retry_at, stopped="throttled")
        except RemoteUnavailable as unavailable:
            return Ending(unavailable.reason, stopped="away")
        if not self.go_on():
            return Ending("out of time", retry_at=self.clock.now())
        if wanted.end > final_until:
            return Ending("not final yet", retry_at=self._final_at(final_until))
        if self._is_waiting(piece):
            self._believe_long_silence(now)
        if self._is_waiting(piece):
            return Ending("nobody has traded since", retry_at=self.clock.now() + self.settings.wait)
        return Ending("; ".join(self.writer.notes) or "the exchange did not give it", answered=True)

    def _is_waiting(self, piece: Spans) -> bool:
        """Whether all that is missing yet is what only the market's next trade will tell."""
        return bool(self.writer.waits) and intersect(self.writer.remaining, piece) == self.writer.waits

    def _believe_long_silence(self, now: datetime) -> None:
        """A day later the newest of all ids is still one from before: nobody has traded in between."""
        long_ago = [] if self.past.trades is None else _before(self.writer.waits, M1.floor(now - SILENCE_BELIEVED))
        if long_ago:
            self.writer.mark_empty(long_ago)
            self.writer.waits = subtract(self.writer.waits, long_ago)

    def _final_at(self, final_until: datetime) -> datetime:
        remaining = self.writer.remaining
        first = remaining[0].start if remaining else self.writer.wanted.end
        return max(first, final_until) + M1.duration + self.settings.grace

    def _fill(self, part: Span) -> None:
        if self.past.archive is None or part.end - part.start <= self.settings.trade_span_max:
            self._fill_rest(part)
            return
        fill_by_archive(self.writer, self.past.archive, part, self.go_on)
        self.writer.flush()
        for rest in reversed(clip(self.writer.remaining, part)):
            self._fill_rest(rest)

    def _fill_rest(self, part: Span) -> None:
        writer, past = self.writer, self.past
        if past.trades is not None and part.end - part.start <= self.settings.trade_span_max:
            pages = TradePages(past.get, past.trades, writer.instrument.symbol)
            try:
                fill_by_trades(self.store, writer, pages, part, self.go_on)
            except RemoteMalformed as malformed:
                writer.note(f"{malformed.reason} {malformed.excerpt}".strip())
            writer.flush()
        candles = CandleFill(self.store, writer, past, self.clock, grace=self.settings.grace, go_on=self.go_on)
        for rest in reversed(clip(writer.remaining, part)):
            candles.fill(rest)


def _before(spans: Spans, end: datetime) -> list[Span]:
    """What of the spans is before `end`."""
    return [Span(span.start, min(span.end, end)) for span in spans if span.start < end]
