"""Hold our candles against the exchange's own, and repair where rank allows. Runs once a day.

Compared are, of each instrument, every minute that is held as `live` or `partial`, newest first, and a seeded sample of
the last day. What was `live` becomes the exchange's own candle, which ranks higher; what was `partial` goes on the
ledger, for trades may prove it. A proven candle is never overwritten: that it differs is counted and reported. What is
repaired is not found again, so that a run that ends early is continued by the next.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from marketdata.clock import Clock
from marketdata.compute.coverage import contains, union
from marketdata.compute.differences import FIELDS, differing_fields
from marketdata.errors import RemoteMalformed, RemoteThrottled, RemoteUnavailable
from marketdata.exchanges.exchange import CandleHistory
from marketdata.jobs.candle_page import read_page
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

OpenPast = Callable[[str], AbstractContextManager[ExchangePast] | None]

CAUSE = "reconcile"
COUNTED = timedelta(days=366)
EXAMPLES_MAX = 10
_DAY = timeframe_named("1d")
_ROWS_A_READ = 10_000


@dataclass(frozen=True, slots=True)
class ReconcileSettings:
    """How much is compared. `grace` is how long after its close an exchange's candle is taken to be final."""

    grace: timedelta = timedelta(minutes=5)
    sample: timedelta = timedelta(days=1)
    """How old what is drawn for the sample may be."""
    windows: int = 2
    """Requests for the sample, of each instrument."""
    days_max: int = 30
    """Days with `live` or `partial` minutes that one run looks at, of each instrument, newest first."""


@dataclass(slots=True)
class Reconciled:
    """What one run compared and found. `fields` counts differences by field; `examples`: some not repaired."""

    instruments: int = 0
    compared: int = 0
    sampled: int = 0
    equal: int = 0
    mismatched: int = 0
    repaired: int = 0
    """Written with the exchange's own candle."""
    ordered: int = 0
    """Put on the ledger, to be fetched."""
    kept: int = 0
    """Differ from the exchange's, and rank higher: left as they are."""
    venue_absent: int = 0
    """Held here, and the exchange has no candle."""
    malformed: int = 0
    fields: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(FIELDS, 0)))
    examples: list[str] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)
    """Exchanges that were away, or asked for patience."""
    finished: bool = True

    def document(self) -> dict[str, object]:
        """As JSON shows it."""
        return {name: getattr(self, name) for name in self.__slots__} | {"fields": dict(self.fields)}


def reconcile(
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    open_past: OpenPast = lambda _: None,
    settings: ReconcileSettings | None = None,
) -> dict[str, object]:
    """Compare until all is compared or `deadline` has come; the result counts. Raises: StoreError."""
    result = Reconciled()
    instruments = store.instruments(active_only=True)
    for name in sorted({one.exchange for one in instruments}):
        past = open_past(name)
        if past is not None:
            with past as opened:
                comparison = _Comparison(
                    store, clock, deadline, past=opened, result=result, settings=settings or ReconcileSettings()
                )
                comparison.run([one for one in instruments if one.exchange == name])
    if result.kept:
        logger.warning("candles differ from the exchange's own", extra={"kept": result.kept, **result.fields})
    return result.document()


class _Comparison:
    """One exchange's instruments in one run."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        deadline: datetime,
        *,
        past: ExchangePast,
        result: Reconciled,
        settings: ReconcileSettings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._deadline = deadline
        self._past = past
        self._result = result
        self._settings = settings

    def run(self, instruments: list[Instrument]) -> None:
        """Compare them all, each day in another order, so that an early end is not always of the same ones."""
        if self._past.candles is None:
            return
        today = f"{self._clock.now():%Y-%m-%d}"
        Random(today).shuffle(instruments)
        for instrument in instruments:
            random = Random(f"{today} {instrument.exchange} {instrument.symbol}")
            self._result.instruments += 1
            try:
                self._compare(self._past.candles, instrument, random)
            except (RemoteThrottled, RemoteUnavailable) as error:
                logger.info("reconciling stopped", extra={"exchange": instrument.exchange, "reason": error.reason})
                self._result.unreached.append(instrument.exchange)
                self._result.finished = False
                return
            if not self._go_on():
                self._result.finished = False
                return

    def _compare(self, candles: CandleHistory, instrument: Instrument, random: Random) -> None:
        length = M1.duration * candles.candles_a_request
        final_until = M1.floor(self._clock.now() - self._settings.grace)
        sampled = self._sample(final_until, length, random)
        for window in sampled:
            self._compare_window(candles, instrument, window, everything=True)
        for day in self._days_in_doubt(instrument, final_until):
            held = self._held(instrument, Span(day, min(day + _DAY.duration, final_until)))
            doubted = [one for one in held if one.source <= Source.LIVE]
            for window in _windows(doubted, length):
                if not self._go_on():
                    return
                self._compare_window(candles, instrument, window, everything=False)

    def _sample(self, end: datetime, length: timedelta, random: Random) -> list[Span]:
        minutes = max(1, (self._settings.sample - length) // M1.duration)
        ends = [end - M1.duration * random.randrange(minutes) for _ in range(self._settings.windows)]
        return [Span(one - length, one) for one in ends]

    def _days_in_doubt(self, instrument: Instrument, end: datetime) -> Iterator[datetime]:
        counts = self._store.count_candles(instrument, M1, Span(end - COUNTED + _DAY.duration, end))
        doubted = [one.day for one in reversed(counts) if one.live or one.partial]
        if len(doubted) > self._settings.days_max:
            self._result.finished = False
        return iter(doubted[: self._settings.days_max])

    def _compare_window(
        self, history: CandleHistory, instrument: Instrument, window: Span, *, everything: bool
    ) -> None:
        """Ask for the window once, and compare what is held in it; without `everything` only what is in doubt."""
        theirs = self._fetch(history, instrument, window)
        if theirs is None:
            return
        held = {one.open_time: one for one in self._held(instrument, window)}
        if everything:
            self._take_unknown(instrument, window, held, theirs)
        ours = [one for one in held.values() if everything or one.source <= Source.LIVE]
        self._result.sampled += len(ours) if everything else 0
        repairs: list[Candle] = []
        orders: list[Span] = []
        for one in ours:
            other = theirs.get(one.open_time)
            if other is None:
                self._result.venue_absent += 1
            else:
                self._judge(one, other, repairs, orders)
        if repairs:
            self._store.put_candles(repairs)
        self._order(instrument, orders)

    def _judge(self, ours: Candle, theirs: Candle, repairs: list[Candle], orders: list[Span]) -> None:
        self._result.compared += 1
        fields = differing_fields(ours, theirs)
        self._result.fields.update(fields)
        self._result.mismatched += bool(fields)
        self._result.equal += not fields
        if ours.source is Source.PARTIAL:
            orders.append(Span(ours.open_time, ours.close_time))
        elif ours.source is Source.LIVE or (fields and ours.source is Source.VENUE):
            repairs.append(theirs)
            self._result.repaired += 1
        elif fields:
            self._result.kept += 1
            if len(self._result.examples) < EXAMPLES_MAX:
                self._result.examples.append(_example(ours, theirs, fields))

    def _take_unknown(
        self, instrument: Instrument, window: Span, held: dict[datetime, Candle], theirs: dict[datetime, Candle]
    ) -> None:
        """Minutes that we take to be empty, and of which the exchange has a candle, get it; a scan finds the others."""
        empty = self._store.coverage(instrument, M1, window).empty
        unknown = [one for opens, one in theirs.items() if opens not in held]
        wrong = [one for one in unknown if contains(empty, Span(one.open_time, one.close_time))]
        if wrong:
            self._store.put_candles(wrong)
            self._result.repaired += len(wrong)
            logger.warning("minutes were not empty", extra={"symbol": instrument.symbol, "minutes": len(wrong)})

    def _order(self, instrument: Instrument, spans: list[Span]) -> None:
        if spans:
            self._store.record_gaps(instrument, M1, union(spans), cause=CAUSE, found_at=self._clock.now())
            self._result.ordered += len(spans)

    def _fetch(self, history: CandleHistory, instrument: Instrument, window: Span) -> dict[datetime, Candle] | None:
        """The exchange's final candles of the window; None if nothing of the answer can be read."""
        found: dict[datetime, Candle] = {}
        for request in history.candle_requests(instrument.symbol, M1, window):
            asked_at = self._clock.now()
            try:
                page = read_page(history, self._past.get(request), instrument.symbol, asked_at)
            except RemoteMalformed as malformed:
                self._result.malformed += 1
                logger.warning("candles cannot be compared", extra={"reason": malformed.reason})
                return None
            self._result.malformed += len(page.quarantined)
            for one in page.candles:
                if one.open_time in window and one.close_time + self._settings.grace <= asked_at:
                    found[one.open_time] = one
        return found

    def _held(self, instrument: Instrument, span: Span) -> list[Candle]:
        return self._store.candles(instrument, M1, start=span.start, end=span.end, limit=_ROWS_A_READ)

    def _go_on(self) -> bool:
        return self._clock.now() < self._deadline


def _windows(doubted: Iterable[Candle], length: timedelta) -> Iterator[Span]:
    """As few windows as hold all these minutes, newest first."""
    since: datetime | None = None
    for one in sorted(doubted, key=lambda candle: candle.open_time, reverse=True):
        if since is None or one.open_time < since:
            since = one.close_time - length
            yield Span(since, one.close_time)


def _example(ours: Candle, theirs: Candle, fields: tuple[str, ...]) -> str:
    said = ", ".join(f"{name} {getattr(ours, name)} not {getattr(theirs, name)}" for name in fields)
    return f"{ours.exchange} {ours.symbol} {ours.open_time:%Y-%m-%d %H:%M} {ours.source.label}: {said}"[:300]
