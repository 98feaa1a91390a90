"""Count, instrument by instrument and day by day, what is held, empty and missing.

Called by the api function and by `marketdata coverage`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketdata.compute.calendar import closed
from marketdata.compute.daily_coverage import DayCoverage, expected_buckets
from marketdata.errors import RequestInvalid, TooLarge
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.serve.condition import judged_span
from marketdata.serve.coverage_json import coverage_body
from marketdata.serve.params import CoverageQuery
from marketdata.store.answers import DayCounts
from marketdata.store.store import Store

SPAN_DEFAULT = timedelta(days=7)
SPAN_MAX = timedelta(days=366)
DAYS_MAX = 1_000
"""Days of instruments in one report: each instrument is one question to the store."""


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Daily counts by (exchange, symbol) and day; `counted` is the time they speak of, None if nothing is closed."""

    timeframe: Timeframe
    days: tuple[tuple[Instrument, DayCoverage], ...]
    counted: Span | None
    as_of: datetime

    def body(self) -> str:
        """As JSON."""
        return coverage_body(self.days, self.timeframe, self.counted, self.as_of)


def report_coverage(
    store: Store, instruments: KnownInstruments, as_of: datetime, query: CoverageQuery
) -> CoverageReport:
    """The closed and settled buckets of the question, counted. Raises: RequestInvalid, StoreError."""
    asked = _asked(query, as_of)
    chosen = _chosen(instruments, query)
    counted = judged_span(asked.start, asked.end, query.timeframe, as_of)
    if counted is None:
        return CoverageReport(query.timeframe, (), None, as_of)
    days_asked = len(expected_buckets(counted, query.timeframe))
    if len(chosen) * days_asked > DAYS_MAX:
        asked_for = f"{len(chosen)} instruments x {days_asked} days"
        raise TooLarge("symbol", f"{asked_for} are more than {DAYS_MAX}; name one, or ask for less time")
    # The last bucket that opens before the end may close after it.
    opening = Span(counted.start, min(counted.end, asked.end))
    days = [(one, day) for one in chosen for day in _daily(store, one, query.timeframe, counted, opening)]
    return CoverageReport(query.timeframe, tuple(days), counted, as_of)


def _asked(query: CoverageQuery, as_of: datetime) -> Span:
    end = query.end or as_of
    start = query.start or end - SPAN_DEFAULT
    if start >= end:
        raise RequestInvalid("end", "must be after start; the end itself is excluded")
    if end - start > SPAN_MAX:
        raise RequestInvalid("start", f"must be at most {SPAN_MAX.days} days before end")
    return Span(start, end)


def _chosen(instruments: KnownInstruments, query: CoverageQuery) -> list[Instrument]:
    """The instruments asked for. Raises: RequestInvalid if the one that is named does not keep the timeframe."""
    if query.symbol is None:
        exchange = instruments.exchange(query.exchange) if query.exchange is not None else None
        offered = (one for one in instruments.all() if one.active and exchange in {None, one.exchange})
        return [one for one in offered if query.timeframe in one.timeframes]
    instrument = instruments.find(query.symbol, query.exchange)
    if query.timeframe not in instrument.timeframes:
        kept = tuple(timeframe.name for timeframe in instrument.timeframes)
        raise RequestInvalid("timeframe", f"{query.timeframe} is not kept of {instrument.symbol}", kept)
    return [instrument]


def _daily(
    store: Store, instrument: Instrument, timeframe: Timeframe, counted: Span, opening: Span
) -> list[DayCoverage]:
    """The days of one instrument on which its market traded."""
    shut = closed(instrument.calendar, counted)
    known = {count.day: count for count in store.count_candles(instrument, timeframe, opening, closed=shut)}
    expected = expected_buckets(counted, timeframe, shut)
    return [_day(midnight, number, known.get(midnight) or DayCounts(midnight)) for midnight, number in expected.items()]


def _day(midnight: datetime, expected: int, counts: DayCounts) -> DayCoverage:
    return DayCoverage(
        day=midnight.date(),
        expected=expected,
        present=counts.live + counts.venue + counts.proven + counts.manual,
        partial=counts.partial,
        proven=counts.proven,
        no_trades=counts.empty,
    )
