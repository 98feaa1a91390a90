"""Dukascopy's historical archive: what both of its wire forms share. Pure: spans in, files and values out.

The classic form (exchanges/dukascopy_classic) is .bi5 files, the newer one (exchanges/dukascopy_json) delta-coded JSON.
The newer one is not documented by Dukascopy: treat it as unstable. The registry's table of archives has both.
Source: docs/add-an-exchange.md#dukascopy.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from marketdata.errors import RequestInvalid
from marketdata.exchanges.dukascopy_instruments import listing
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.quote import PriceSide, sided
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe

NAME = "dukascopy"
USUAL_SIDE = PriceSide.BID
"""Dukascopy's own charts show the bid."""

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


def hours(span: Span) -> Iterator[Span]:
    """The whole hours that share a moment with `span`: one tick file each."""
    start = span.start.replace(minute=0, second=0, microsecond=0)
    while start < span.end:
        yield Span(start, start + _HOUR)
        start += _HOUR


def candle_spans(timeframe: Timeframe, span: Span) -> Iterator[Span]:
    """What the candle files that share a moment with `span` speak of: a day of 1m, a month of 1h, a year of 1d.

    Raises: RequestInvalid for a timeframe that the archive has not (the others are rolled up).
    """
    if timeframe.minutes not in (1, 60, 1440):
        raise RequestInvalid(
            "timeframe", f"dukascopy has no {timeframe} candles; it has 1m, 1h and 1d", ("1m", "1h", "1d")
        )
    start = span.start.replace(hour=0, minute=0, second=0, microsecond=0)
    start = start if timeframe.minutes == 1 else start.replace(day=1) if timeframe.minutes == 60 else _january(start)
    while start < span.end:
        end = _after(start, timeframe)
        yield Span(start, end)
        start = end


def require_times(milliseconds: Sequence[int], span: Span) -> None:
    """Ticks never run backwards, nor out of the span that they count from. Raises: ValueError."""
    if milliseconds != sorted(milliseconds):
        raise ValueError("time runs backwards")
    end = (span.end - span.start) // timedelta(milliseconds=1)
    if milliseconds and not 0 <= milliseconds[0] <= milliseconds[-1] < end:
        raise ValueError(f"ticks from {milliseconds[0]} ms to {milliseconds[-1]} ms are not of {end} ms")


def base_units(millions: Decimal) -> Decimal:
    """A volume in base currency: the archive counts in millions of it."""
    return Decimal(f"{millions.scaleb(6):f}")


def is_flat(candle: Candle) -> bool:
    """Whether nothing was quoted in this step: the archive repeats the last close there, without volume.

    Such a candle is made up, and never stored.
    """
    return not candle.volume and candle.open == candle.high == candle.low == candle.close


def instrument(exchange: str, symbol: str, side: PriceSide) -> Instrument:
    """What candles of a price are filed under; an archive is not followed. Raises: NotFound."""
    listed = listing(symbol)
    name = sided(listed.symbol, side, USUAL_SIDE)
    return Instrument(exchange, name, listed.base, listed.quote, active=False, calendar=listed.calendar)


def require_side(side: PriceSide) -> str:
    """`BID` or `ASK`, as paths spell it. Raises: RequestInvalid for the middle, which the archive has not."""
    if side is PriceSide.MID:
        raise RequestInvalid(
            "price", "dukascopy has candles of bid and ask; the middle is made of ticks", ("bid", "ask")
        )
    return side.value.upper()


def _january(time: datetime) -> datetime:
    return time.replace(month=1, day=1)


def _after(start: datetime, timeframe: Timeframe) -> datetime:
    if timeframe.minutes == 1:
        return start + _DAY
    if timeframe.minutes == 1440:
        return start.replace(year=start.year + 1)
    return (start + timedelta(days=32)).replace(day=1)
