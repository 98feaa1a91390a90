"""The mover: leases gaps of the ledger, newest first, and asks the exchanges for what is missing. Runs every minute.

Ordered history is worked on in pieces, so that what is lost meanwhile does not wait for a year of it. A short gap is
filled by trades, where ids prove that nothing is missing; whole days of a long one by the exchange's archive of trades,
where it has one; the rest, and what trades do not settle, by its own candles. What was written or confirmed is done,
and nothing else: the rest goes back on the ledger with a time to try again. A worker that dies loses its lease and
nothing more.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from marketdata.clock import Clock
from marketdata.compute.calendar import closed, trading
from marketdata.compute.coverage import Spans, clip, intersect, subtract
from marketdata.errors import EXCERPT_CHARACTERS_MAX, RemoteMalformed, RemoteThrottled, RemoteUnavailable
from marketdata.jobs.exchange_past import ExchangePast, TradePages
from marketdata.jobs.fill_by_archive import fill_by_archive
from marketdata.jobs.fill_by_candles import CandleFill, window_length
from marketdata.jobs.fill_by_trades import fill_by_trades
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.gap import HISTORY, Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

_BACKOFF_DOUBLINGS_MAX = 30
_DAY = timeframe_named("1d")
_FRUITLESS = re.compile(r"(\d{1,4}) fruitless: ")


@dataclass(frozen=True, slots=True)
class FillSettings:
    """How gaps are filled. `grace` is how long after its close an exchange's candle is taken to be final."""

    trade_span_max: timedelta = timedelta(hours=6)
    piece: timedelta = timedelta(days=1)
    """So much of ordered history is asked for at a time, newest first; then whatever else is due comes first again."""
    poll_seconds: float = 0.0
    """How often the ledger is looked at while nothing is due, until the deadline; 0: a run ends then."""
    tries_max: int = 8
    """So many answers in a row that brought nothing, and the gap is unrecoverable."""
    lease_seconds: float = 120.0
    """Longer than a run lasts: who holds a lease for longer has died."""
    grace: timedelta = timedelta(minutes=1)
    backoff_seconds_first: float = 15.0
    backoff_seconds_max: float = 3_600.0
    wait: timedelta = timedelta(minutes=15)
    """Where no trade ids can be asked for, a market's silence is understood when it trades again."""
    away_seconds_max: float = 60.0
    """An exchange that is away is asked again this soon: one request in a run finds out."""


@dataclass(slots=True)
class FillResult:
    """What one run did, counted. `throttled` and `away` name the exchanges that it stopped asking."""

    claimed: int = 0
    filled: int = 0
    no_trades: int = 0
    market_closed: int = 0
    unrecoverable: int = 0
    pieces: int = 0
    """Pieces of long gaps that were settled while the rest of the gap goes on."""
    released: int = 0
    lost: int = 0
    """Gaps whose lease ran out meanwhile; another worker has them."""
    candles: int = 0
    minutes_empty: int = 0
    throttled: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        """The counts as JSON shows them."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class _Ending:
    """Why an attempt ended. `answered`: the exchange said what it knows. `retry_at`: None leaves it to the back-off."""

    reason: str = ""
    answered: bool = False
    retry_at: datetime | None = None
    stopped: str = ""
    """`throttled` or `away` when the exchange is to be left alone."""


def fill_gaps(
    store: Store,
    pasts: Mapping[str, ExchangePast],
    clock: Clock,
    *,
    worker: str,
    deadline: datetime,
    settings: FillSettings | None = None,
    random_source: Random | None = None,
    on_gap: Callable[[FillResult], object] | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> FillResult:
    """Fill gaps of the exchanges in `pasts` until none is due or `deadline` has come; `on_gap` hears after each.

    With `settings.poll_seconds` the run goes on until `deadline` and looks for new gaps in between.

    Raises: StoreError; what was leased then is free again when the lease has run out.
    """
    mover = _Mover(
        store,
        pasts,
        clock,
        worker=worker,
        deadline=deadline,
        settings=settings or FillSettings(),
        random_source=random_source or Random(),
    )
    mover.fill_what_is_due(on_gap)
    poll = mover.settings.poll_seconds
    while poll and clock.now() + timedelta(seconds=poll) < deadline:
        pause(poll)
        mover.fill_what_is_due(on_gap)
    return mover.result


class _Mover:
    def __init__(
        self,
        store: Store,
        pasts: Mapping[str, ExchangePast],
        clock: Clock,
        *,
        worker: str,
        deadline: datetime,
        settings: FillSettings,
        random_source: Random,
    ) -> None:
        self.result = FillResult()
        self._store = store
        self._pasts = pasts
        self._clock = clock
        self._worker = worker
        self._deadline = deadline
        self.settings = settings
        self._random = random_source
        self._instruments = {instrument.key: instrument for instrument in store.instruments()}
        self._resting: dict[str, datetime] = {}

    def fill_what_is_due(self, on_gap: Callable[[FillResult], object] | None) -> None:
        """Go on until nothing is due of the exchanges that may be asked, or the time is over."""
        due = [name for name in self._pasts if self._resting.get(name, self._clock.now()) <= self._clock.now()]
        while due and self._go_on():
            # In turns, so that an exchange with a year to fetch does not keep the others waiting.
            exchange = due.pop(0)
            if self.fill_one(exchange):
                due.append(exchange)
            if on_gap is not None:
                on_gap(self.result)

    def fill_one(self, exchange: str) -> bool:
        """Try one gap of that exchange; False when none is due, or the exchange is to be left alone."""
        now = self._clock.now()
        claimed = self._store.claim_gaps(
            self._worker, now=now, lease_seconds=self.settings.lease_seconds, limit=1, exchange=exchange
        )
        if not claimed:
            return False
        (gap,) = claimed
        self.result.claimed += 1
        instrument = self._instrument(gap)
        if sessions := closed(instrument.calendar, gap.span):
            self._split(gap, instrument, sessions)
            return True
        writer = GapWriter(self._store, instrument, gap.span)
        writer.learn()
        missing = writer.remaining
        past = self._pasts[exchange]
        untouched = self._for_later(missing, past) if gap.cause == HISTORY else ()
        ending = self._attempt(writer, past, gap.span, subtract(missing, untouched))
        writer.flush()
        self.result.candles += writer.candles
        self.result.minutes_empty += writer.minutes_empty
        untouched = intersect(writer.remaining, untouched)
        gained = missing != (gap.span,) or writer.remaining != missing
        self._settle(gap, writer, ending, untouched=untouched, gained=gained)
        if ending.stopped:
            self._leave_alone(exchange, ending)
        return not ending.stopped

    def _leave_alone(self, exchange: str, ending: _Ending) -> None:
        self._resting[exchange] = ending.retry_at or self._deadline
        names = getattr(self.result, ending.stopped)
        if exchange not in names:
            names.append(exchange)

    def _split(self, gap: Gap, instrument: Instrument, sessions: Spans) -> None:
        """Leave only the time in which the market traded, to be leased session by session; no exchange is asked."""
        now = self._clock.now()
        self._store.mark_closed(instrument, sessions, now=now)
        open_time = trading(instrument.calendar, gap.span)
        if not open_time:
            self._count("market_closed")
        else:
            self._release(gap, now, gap.reason, open_time, ())

    def _instrument(self, gap: Gap) -> Instrument:
        key = (gap.exchange, gap.symbol)
        if key not in self._instruments:
            # Added since this run began: a gap's instrument is always known.
            self._instruments = {instrument.key: instrument for instrument in self._store.instruments()}
        return self._instruments[key]

    def _for_later(self, missing: Spans, past: ExchangePast) -> Spans:
        """What is older than the newest piece, cut where the fetching by candles cuts too, or the archive's days do."""
        left, length = self.settings.piece, window_length(past)
        for index, span in reversed(list(enumerate(missing))):
            windows = max(1, -(-left // length))
            cut = span.end - windows * length if past.archive is None else _DAY.floor(span.end - left)
            if span.start < cut:
                return (*missing[:index], Span(span.start, cut))
            left -= span.end - span.start
            if left <= timedelta():
                return missing[:index]
        return ()

    def _attempt(self, writer: GapWriter, past: ExchangePast, span: Span, piece: Spans) -> _Ending:
        """Ask for everything in `piece` that is final."""
        now = self._clock.now()
        final_until = M1.floor(now - self.settings.grace)
        try:
            for part in reversed(_before(piece, final_until)):
                # Where the market's beginning was met, what is older is known to be empty by now.
                for rest in reversed(clip(writer.remaining, part)):
                    self._fill(writer, past, rest)
        except RemoteThrottled as throttled:
            return _Ending(throttled.reason, retry_at=throttled.retry_at, stopped="throttled")
        except RemoteUnavailable as unavailable:
            return _Ending(unavailable.reason, retry_at=self._after(1, self.settings.away_seconds_max), stopped="away")
        if not self._go_on():
            return _Ending("out of time", retry_at=self._clock.now())
        if span.end > final_until:
            first = writer.remaining[0].start if writer.remaining else span.end
            due = max(first, final_until) + M1.duration + self.settings.grace
            return _Ending("not final yet", retry_at=due)
        if writer.waits and intersect(writer.remaining, piece) == writer.waits:
            return _Ending("nobody has traded since", retry_at=self._clock.now() + self.settings.wait)
        return _Ending("; ".join(writer.notes) or "the exchange did not give it", answered=True)

    def _fill(self, writer: GapWriter, past: ExchangePast, part: Span) -> None:
        if past.archive is None or part.end - part.start <= self.settings.trade_span_max:
            self._fill_rest(writer, past, part)
            return
        fill_by_archive(writer, past.archive, part, self._go_on)
        writer.flush()
        for rest in reversed(clip(writer.remaining, part)):
            self._fill_rest(writer, past, rest)

    def _fill_rest(self, writer: GapWriter, past: ExchangePast, part: Span) -> None:
        if past.trades is not None and part.end - part.start <= self.settings.trade_span_max:
            pages = TradePages(past.get, past.trades, writer.instrument.symbol)
            try:
                fill_by_trades(self._store, writer, pages, part, self._go_on)
            except RemoteMalformed as malformed:
                writer.note(f"{malformed.reason} {malformed.excerpt}".strip())
            writer.flush()
        candles = CandleFill(self._store, writer, past, self._clock, grace=self.settings.grace, go_on=self._go_on)
        for rest in reversed(clip(writer.remaining, part)):
            candles.fill(rest)

    def _settle(self, gap: Gap, writer: GapWriter, ending: _Ending, *, untouched: Spans, gained: bool) -> None:
        """Tell the ledger what was reached, and no more. `untouched` is what was not tried."""
        if not writer.remaining:
            self._resolve(gap, GapState.FILLED if writer.covered else GapState.NO_TRADES, "")
            return
        tried = subtract(writer.remaining, untouched)
        tries = 0 if gained else fruitless_tries(gap) + ending.answered
        if tries >= self.settings.tries_max and not untouched:
            self._resolve(gap, GapState.UNRECOVERABLE, ending.reason)
            return
        retry_at = ending.retry_at or self._after(tries, self.settings.backoff_seconds_max)
        reason = f"{tries} fruitless: {ending.reason}" if tries else ending.reason
        self._release(gap, retry_at, reason, tried, untouched)

    def _release(self, gap: Gap, retry_at: datetime, reason: str, tried: Spans, untouched: Spans) -> None:
        kept = self._store.release_gap(
            gap, now=self._clock.now(), retry_at=retry_at, reason=_cut(reason), remaining=tried, untouched=untouched
        )
        if not tried:
            self._count("pieces" if kept else "lost")
            return
        self._count("released" if kept else "lost")
        logger.info("gap goes back on the ledger", extra=_facts(gap) | {"reason": reason})

    def _resolve(self, gap: Gap, state: GapState, reason: str) -> None:
        done = self._store.resolve_gap(gap, state=state, now=self._clock.now(), reason=_cut(reason))
        self._count(state.value if done else "lost")
        level = logging.WARNING if state is GapState.UNRECOVERABLE else logging.INFO
        logger.log(level, "gap settled", extra=_facts(gap) | {"state": state.value, "reason": reason})

    def _count(self, what: str) -> None:
        setattr(self.result, what, getattr(self.result, what) + 1)

    def _after(self, tries: int, seconds_max: float) -> datetime:
        """Exponential back-off with full jitter: many gaps that failed together do not come back together."""
        doubled = self.settings.backoff_seconds_first * 2.0 ** min(max(0, tries - 1), _BACKOFF_DOUBLINGS_MAX)
        return self._clock.now() + timedelta(seconds=self._random.uniform(0, min(doubled, seconds_max)))

    def _go_on(self) -> bool:
        return self._clock.now() < self._deadline


def fruitless_tries(gap: Gap) -> int:
    """How many answers in a row brought nothing; the reason says it, because leases also end for want of time."""
    said = _FRUITLESS.match(gap.reason)
    return int(said[1]) if said else 0


def _cut(reason: str) -> str:
    return reason[:EXCERPT_CHARACTERS_MAX]


def _before(spans: Spans, end: datetime) -> list[Span]:
    """What of the spans is before `end`."""
    return [Span(span.start, min(span.end, end)) for span in spans if span.start < end]


def _facts(gap: Gap) -> dict[str, object]:
    start, end = gap.span.start.isoformat(), gap.span.end.isoformat()
    return {"exchange": gap.exchange, "symbol": gap.symbol, "start": start, "end": end, "attempts": gap.attempts}
