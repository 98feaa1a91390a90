"""From closes to rows: statistics of a window, snapshots and aggregates. Called by jobs/roi_stats.py.

Every row is a function of its closes and of the edge that it ends on: whoever computes it again writes the same.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from itertools import chain

from marketdata.compute import statistics
from marketdata.compute.close_series import Bucket, CloseSeries
from marketdata.model.candle import Candle
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.statistics import MarketAggregate, MarketSnapshot, RoiStatistic
from marketdata.model.timeframe import Timeframe
from marketdata.model.windows import AGGREGATED, Window

RETURNS_MIN = 2
"""A sample deviation of fewer has no meaning."""
COVERAGE_MIN = 0.5
"""Of a window of which less is there, nothing is said but what both of its ends say."""

_MINUTES_A_YEAR = {Calendar.ALWAYS: 365 * 24 * 60, Calendar.FX: 252 * 24 * 60}
_STEPS = 1_000_000
_AVERAGE_PLACES = Decimal(1).scaleb(-18)
_DIGITS = 60

FEW = "fewer than two returns"
THIN = "less than half of the window is there"
FLAT = "no return differs from another"
NO_LOSS = "no return is below zero"
NO_START = "the close at the start of the window is missing"
NO_END = "the close at the end of the window is missing"
HOLES = "a bucket inside is missing"
NOT_GIVEN = "the exchange does not give it"
NOTHING = "no close is there"
BEYOND = "a close is too large or too small to reckon with"

RISK = ("volatility", "sharpe", "sortino", "max_drawdown", "best", "worst")


def periods_per_year(calendar: Calendar, timeframe: Timeframe) -> float:
    """How many buckets a year has: 365 days around the clock, 252 days of 24 hours of a market with weekends."""
    return _MINUTES_A_YEAR[calendar] / timeframe.minutes


def roi_statistic(instrument: Instrument, window: Window, as_of: datetime, series: CloseSeries) -> RoiStatistic:
    """The statistics of `window` up to `as_of`, which is an edge of the window's timeframe."""
    part = series.window(as_of - window.duration, as_of)
    gained, missing = _roi(part)
    covered = coverage(part)
    risk = _risk(part, covered, periods_per_year(instrument.calendar, window.timeframe))
    return RoiStatistic(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        period=window.name,
        as_of=as_of,
        timeframe=window.timeframe,
        roi=gained,
        volatility=risk.figures["volatility"],
        sharpe=risk.figures["sharpe"],
        sortino=risk.figures["sortino"],
        max_drawdown=risk.figures["max_drawdown"],
        best=risk.figures["best"],
        worst=risk.figures["worst"],
        n=risk.n,
        coverage=covered,
        absent=_said({"roi": missing, **risk.absent}),
    )


def market_snapshot(
    instrument: Instrument, as_of: datetime, rois: Mapping[str, tuple[float | None, str]], day: CloseSeries
) -> MarketSnapshot:
    """One market at `as_of`: `rois` by window, each a figure or the reason against it, and the closes of 24 hours."""
    part = day.window(as_of - timedelta(days=1), as_of)
    covered = coverage(part)
    risk = _risk(part, covered, periods_per_year(instrument.calendar, part.timeframe))
    price = part.close_at(as_of)
    volume, no_volume = _total(part.inside, "volume")
    quote_volume, no_quote_volume = _total(part.inside, "quote_volume")
    absent = {
        "price": "" if price is not None else NO_END,
        "volume_24h": no_volume,
        "quote_volume_24h": no_quote_volume,
        "volatility": risk.absent.get("volatility", ""),
        **{f"roi_{name}": reason for name, (_, reason) in rois.items()},
    }
    return MarketSnapshot(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        as_of=as_of,
        price=price,
        volume_24h=volume,
        quote_volume_24h=quote_volume,
        volatility=risk.figures["volatility"],
        roi_1h=rois["1h"][0],
        roi_24h=rois["24h"][0],
        roi_7d=rois["7d"][0],
        roi_30d=rois["30d"][0],
        n=risk.n,
        coverage=covered,
        absent=_said(absent),
    )


def aggregates(instrument: Instrument, period: str, series: CloseSeries) -> Iterator[MarketAggregate]:
    """The hours, days or weeks that lie whole inside `series`, oldest first, but for those all closed or unknown."""
    timeframe = AGGREGATED[period]
    start = timeframe.ceil(series.span.start)
    while start + timeframe.duration <= series.span.end:
        end = start + timeframe.duration
        part = series.window(start, end)
        if any(bucket.close is not None for bucket in part.inside):
            yield _aggregate(instrument, period, end, part)
        start = end


def return_between(series: CloseSeries, start: datetime, end: datetime) -> tuple[float | None, str]:
    """The return from the close at `start` to the one at `end`, or None and the reason."""
    return _return_on(series.close_at(start), series.close_at(end))


def coverage(series: CloseSeries) -> float:
    """The share of the buckets inside that are known, rounded down to six places so that 1 means all."""
    inside = series.inside
    if not inside:
        return 0.0
    known = sum(bucket.close is not None for bucket in inside)
    return known * _STEPS // len(inside) / _STEPS


def _roi(part: CloseSeries) -> tuple[float | None, str]:
    return return_between(part, part.span.start, part.span.end)


def _return_on(first: Decimal | None, last: Decimal | None) -> tuple[float | None, str]:
    if last is None:
        return None, NO_END
    if first is None:
        return None, NO_START
    gained = statistics.roi(first, last)
    return (gained, "") if math.isfinite(gained) else (None, BEYOND)


@dataclass(frozen=True, slots=True)
class _Risk:
    """Everything that is made of `n` returns, by name: figures, and why there is none."""

    figures: Mapping[str, float | None]
    n: int
    absent: Mapping[str, str]


def _risk(part: CloseSeries, covered: float, periods: float) -> _Risk:
    chains = [list(map(float, run)) for run in part.chains()]
    n = sum(len(run) - 1 for run in chains)
    reason = FEW if n < RETURNS_MIN else THIN if covered < COVERAGE_MIN else _beyond(chains)
    if reason:
        return _Risk(dict.fromkeys(RISK), n, dict.fromkeys(RISK, reason))
    figures = risk_of(chains, periods)
    absent = {"sharpe": FLAT, "sortino": NO_LOSS}
    return _Risk(figures, n, {name: said for name, said in absent.items() if figures[name] is None})


def risk_of(chains: Sequence[Sequence[float]], periods: float) -> dict[str, float | None]:
    """The figures of RISK of runs of consecutive closes that have two returns at least; None where nothing varies."""
    runs = [statistics.changes(run) for run in chains]
    simple = list(chain.from_iterable(runs))
    told = statistics.moments(list(chain.from_iterable(map(statistics.log_returns, chains, runs))))
    return {
        "volatility": statistics.volatility(told, periods),
        "sharpe": statistics.sharpe(told, periods),
        "sortino": statistics.sortino(told, periods),
        "max_drawdown": statistics.max_drawdown(chain.from_iterable(chains)),
        "best": max(simple),
        "worst": min(simple),
    }


def _beyond(chains: Sequence[Sequence[float]]) -> str:
    """Why closes cannot be reckoned with as floats; no market's were ever so."""
    closes = list(chain.from_iterable(chains))
    return "" if min(closes) > 1e-150 and max(closes) < 1e150 else BEYOND


def _aggregate(instrument: Instrument, period: str, end: datetime, part: CloseSeries) -> MarketAggregate:
    inside = part.inside
    closes = [bucket.close for bucket in inside if bucket.close is not None]
    change, no_change = _roi(part)
    volume, no_volume = _total(inside, "volume")
    quote_volume, no_quote_volume = _total(inside, "quote_volume")
    whole = len(closes) == len(inside)
    candles = [bucket.candle for bucket in inside if bucket.candle is not None]
    prices = _prices(candles, closes[-1]) if whole else dict.fromkeys(("open", "high", "low"))
    absent = {
        **({} if whole else dict.fromkeys(("open", "high", "low", "average"), HOLES)),
        "close": "" if inside[-1].close is not None else NO_END,
        "volume": no_volume,
        "quote_volume": no_quote_volume,
        "change": no_change,
    }
    return MarketAggregate(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        period=period,
        as_of=end,
        **prices,
        close=inside[-1].close,
        average=_mean(closes) if whole else None,
        volume=volume,
        quote_volume=quote_volume,
        change=change,
        n=len(closes),
        coverage=coverage(part),
        absent=_said(absent),
    )


def _prices(candles: list[Candle], repeated: Decimal) -> dict[str, Decimal | None]:
    """Of the candles, or where nobody traded of the close that was repeated."""
    return {
        "open": candles[0].open if candles else repeated,
        "high": max((candle.high for candle in candles), default=repeated),
        "low": min((candle.low for candle in candles), default=repeated),
    }


def _total(inside: tuple[Bucket, ...], name: str) -> tuple[Decimal | None, str]:
    """The exact sum of an amount, 0 for buckets without a trade; None and the reason where one is not known."""
    if not inside or any(bucket.close is None for bucket in inside):
        return None, HOLES if inside else NOTHING
    amounts = [getattr(bucket.candle, name) for bucket in inside if bucket.candle is not None]
    return (None, NOT_GIVEN) if None in amounts else (_sum(amounts), "")


def _mean(closes: list[Decimal]) -> Decimal:
    """18 decimals, half even."""
    with localcontext() as context:
        context.prec = _DIGITS
        return (_sum(closes) / len(closes)).quantize(_AVERAGE_PLACES)


def _sum(amounts: list[Decimal]) -> Decimal:
    with localcontext() as context:
        context.prec = 2 * _DIGITS
        return sum(amounts, Decimal(0))


def _said(absent: Mapping[str, str]) -> dict[str, str]:
    """The reasons that there are, by the name of the figure."""
    return {name: absent[name] for name in sorted(absent) if absent[name]}
