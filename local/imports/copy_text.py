"""Quotes, trades and candles as lines that COPY reads: columns divided by tabs, exact digits, times in UTC."""

from collections.abc import Iterable

from marketdata.model.candle import Candle
from marketdata.model.quote import Quote
from marketdata.model.quote_columns import QuoteColumns
from marketdata.model.times import NANOSECONDS_A_MICROSECOND, utc
from marketdata.model.trade import Side, Trade

QUOTE_COLUMNS = ("instrument_id", "ordinal", "time", "bid", "ask", "bid_size", "ask_size")
CANDLE_COLUMNS = (
    "instrument_id",
    "timeframe",
    "source",
    "trades",
    "open_time",
    "observed_at",
    "first_id",
    "last_id",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "taker_buy_volume",
)
TICK_COLUMNS = ("instrument_id", "taker_buy", "count", "time", "trade_id", "price", "size")
_NULL = "\\N"
_MILLISECONDS = tuple(f".{millisecond:03}+00" for millisecond in range(1_000))


def quote_lines(columns: QuoteColumns, instrument_id: int) -> str:
    """The lines of one file; texts that come again and again are made once."""
    seconds = [milliseconds // 1_000 for milliseconds in columns.milliseconds]
    stamps = {second: f"{utc(columns.start_ns + second * 10**9):%Y-%m-%d %H:%M:%S}" for second in set(seconds)}
    prices = {points: str(columns.price(points)) for points in {*columns.bids, *columns.asks}}
    start = f"{instrument_id}\t"
    rows = zip(
        _ordinals(columns.milliseconds),
        map(stamps.__getitem__, seconds),
        columns.milliseconds,
        map(prices.__getitem__, columns.bids),
        map(prices.__getitem__, columns.asks),
        columns.bid_sizes,
        columns.ask_sizes,
        strict=True,
    )
    milli = _MILLISECONDS
    return "".join(
        [
            f"{start}{ordinal}\t{second}{milli[ms % 1_000]}\t{bid}\t{ask}\t{bid_size!s}\t{ask_size!s}\n"
            for ordinal, second, ms, bid, ask, bid_size, ask_size in rows
        ]
    )


def single_quote_lines(quotes: Iterable[Quote], instrument_id: int) -> str:
    """The lines of quotes in the exchange's order; sizes that are not known are null."""
    listed = list(quotes)
    rows = zip(_ordinals(quote.time_ns // NANOSECONDS_A_MICROSECOND for quote in listed), listed, strict=True)
    return "".join(
        [
            f"{instrument_id}\t{ordinal}\t{utc(quote.time_ns).isoformat()}\t{quote.bid}\t{quote.ask}"
            f"\t{_text(quote.bid_size)}\t{_text(quote.ask_size)}\n"
            for ordinal, quote in rows
        ]
    )


def tick_lines(trades: Iterable[Trade], instrument_id: int) -> str:
    """The lines of trades, in their order."""
    start = f"{instrument_id}\t"
    return "".join(
        [
            f"{start}{'t' if trade.side is Side.BUY else 'f'}\t{trade.count}\t{utc(trade.time_ns).isoformat()}"
            f"\t{trade.id}\t{trade.price}\t{trade.size}\n"
            for trade in trades
        ]
    )


def candle_lines(candles: Iterable[Candle], instrument_id: int) -> str:
    """The lines of candles, in their order."""
    return "".join([f"{_candle_line(candle, instrument_id)}\n" for candle in candles])


def _candle_line(candle: Candle, instrument_id: int) -> str:
    values: tuple[object, ...] = (
        instrument_id,
        candle.timeframe.minutes,
        int(candle.source),
        candle.trades,
        candle.open_time.isoformat(),
        candle.observed_at.isoformat(),
        candle.first_id,
        candle.last_id,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.quote_volume,
        candle.taker_buy_volume,
    )
    return "\t".join(map(_text, values))


def _text(value: object) -> str:
    return _NULL if value is None else str(value)


def _ordinals(times: Iterable[int]) -> list[int]:
    """Which of the quotes of its time each one is."""
    ordinals: list[int] = []
    before, ordinal = -1, 0
    for one in times:
        ordinal = ordinal + 1 if one == before else 0
        before = one
        ordinals.append(ordinal)
    return ordinals
