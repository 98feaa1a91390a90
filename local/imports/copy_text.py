"""Quotes, trades and candles as lines that COPY reads: columns divided by tabs, exact digits, times in UTC."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise, repeat

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
_HOUR_MS = 3_600_000
_HOUR_MICROSECONDS = 3_600_000_000
_CLOCK = tuple(f"{second // 60:02}:{second % 60:02}" for second in range(3_600))
_THREE_DIGITS = tuple(f"{number:03}" for number in range(1_000))
_MILLISECONDS = tuple(f".{millisecond:03}+00" for millisecond in range(1_000))


class _Hours(dict[int, str]):
    """How the times of an hour begin, by its number since the epoch."""

    def __missing__(self, hour: int) -> str:
        begun = self[hour] = f"{utc(hour * _HOUR_MICROSECONDS * NANOSECONDS_A_MICROSECOND):%Y-%m-%d %H:}"
        return begun


def quote_lines(columns: QuoteColumns, instrument_id: int) -> str:
    """The lines of one file; texts that come again and again are made once."""
    if not len(columns):
        return ""
    prices = {points: str(columns.price(points)) for points in {*columns.bids, *columns.asks}}
    rows = zip(
        repeat(str(instrument_id)),
        map(str, _ordinals(columns.milliseconds)),
        _stamps(columns),
        map(prices.__getitem__, columns.bids),
        map(prices.__getitem__, columns.asks),
        _texts(columns.bid_sizes),
        _texts(columns.ask_sizes),
        strict=False,
    )
    return "\n".join(map("\t".join, rows)) + "\n"


def _stamps(columns: QuoteColumns) -> list[str]:
    """Times as texts, put together from tables: to format each takes four times as long as all the rest of a line."""
    start_ms, hours, clock, milli = columns.start_ns // 1_000_000, _Hours(), _CLOCK, _MILLISECONDS
    times = [start_ms + milliseconds for milliseconds in columns.milliseconds]
    return [hours[time // _HOUR_MS] + clock[time % _HOUR_MS // 1_000] + milli[time % 1_000] for time in times]


def _texts(sizes: Sequence[Decimal]) -> Iterator[str]:
    """The same few objects come again and again: their texts are found by identity, which costs less than by value."""
    texts = {id(size): str(size) for size in {id(size): size for size in sizes}.values()}
    return map(texts.__getitem__, map(id, sizes))


def single_quote_lines(quotes: Iterable[Quote], instrument_id: int) -> str:
    """The lines of quotes in the exchange's order; sizes that are not known are null."""
    listed = list(quotes)
    rows = zip(_ordinals([quote.time_ns // NANOSECONDS_A_MICROSECOND for quote in listed]), listed, strict=True)
    return "".join(
        [
            f"{instrument_id}\t{ordinal}\t{utc(quote.time_ns).isoformat()}\t{quote.bid}\t{quote.ask}"
            f"\t{_text(quote.bid_size)}\t{_text(quote.ask_size)}\n"
            for ordinal, quote in rows
        ]
    )


def tick_lines(trades: Iterable[Trade], instrument_id: int) -> str:
    """The lines of trades, in their order."""
    some, buy = list(trades), Side.BUY
    if not some:
        return ""
    rows = zip(
        repeat(str(instrument_id)),
        ["t" if trade.side is buy else "f" for trade in some],
        [str(trade.count) for trade in some],
        _microsecond_stamps([trade.time_ns // NANOSECONDS_A_MICROSECOND for trade in some]),
        [str(trade.id) for trade in some],
        [str(trade.price) for trade in some],
        [str(trade.size) for trade in some],
        strict=False,
    )
    return "\n".join(map("\t".join, rows)) + "\n"


def _microsecond_stamps(times: Sequence[int]) -> list[str]:
    hours, clock, three = _Hours(), _CLOCK, _THREE_DIGITS
    return [
        f"{hours[time // _HOUR_MICROSECONDS]}{clock[time % _HOUR_MICROSECONDS // 1_000_000]}"
        f".{three[time % 1_000_000 // 1_000]}{three[time % 1_000]}+00"
        for time in times
    ]


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


def _ordinals(times: Sequence[int]) -> list[int]:
    """Which of the quotes of its time each one is."""
    ordinals = [0] * len(times)
    for at in [at for at, (before, time) in enumerate(pairwise(times), start=1) if before == time]:
        ordinals[at] = ordinals[at - 1] + 1
    return ordinals
