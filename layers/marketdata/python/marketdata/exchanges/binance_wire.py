"""How Binance writes trades and candles on its stream, over REST and in its archive: structs, units and bounds.

Read by binance, binance_rest and binance_archive. Times are milliseconds, or microseconds where asked for so and in
archive files since 2025; they are told apart by their size. Source: docs/add-an-exchange.md#binance.
"""

from decimal import Decimal
from typing import Annotated

import msgspec

from marketdata.exchanges.wire import GREATEST, IDS_MAX, LEAST, check_candle
from marketdata.model.events import Claim
from marketdata.model.timeframe import M1
from marketdata.model.trade import Side, Trade

NAME = "binance"
MILLISECONDS_BELOW = 10**14
"""The year 5138 in milliseconds, March 1973 in microseconds."""
MICROSECONDS_BELOW = 10**17
AGGREGATE_TRADES_MAX = 1_000_000
"""More trades than one order ever filled in one match: a run of ids longer than this is an error."""

Id = Annotated[int, msgspec.Meta(ge=0, le=IDS_MAX)]


class TradeMessage(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    """One trade. `m`: the buyer was the maker."""

    s: str
    t: Id
    p: Decimal
    q: Decimal
    T: int
    m: bool


class AggregateMessage(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    """The trades with the ids `f` to `l` that one taker's order made at one price; `a` numbers aggregates."""

    s: str
    f: int
    l: int  # noqa: E741 - the exchange's name for it
    p: Decimal
    q: Decimal
    T: int
    m: bool


class Kline(msgspec.Struct):
    """A candle so far: the trades with the ids `f` to `L`, `n` of them; -1 while there are none."""

    t: int
    i: str
    f: int
    L: int
    n: int
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the exchange's name for it
    c: Decimal
    v: Decimal
    q: Decimal
    V: Decimal
    x: bool


class KlineMessage(msgspec.Struct, tag_field="e", tag="kline"):
    """An update of one candle, made at `E`."""

    E: int
    s: str
    k: Kline


def epoch_nanoseconds(time: int) -> int:
    """Nanoseconds since the epoch of a time in milliseconds or microseconds. Raises: ValueError."""
    if 0 < time < MILLISECONDS_BELOW:
        return time * 1_000_000
    if time < MICROSECONDS_BELOW and time > 0:
        return time * 1_000
    raise ValueError(f"not a time: {time}")


def read_trade(message: TradeMessage) -> Trade:
    """Raises: ValueError for numbers that no trade has."""
    price, size, time = message.p, message.q, message.T
    if not (LEAST < price < GREATEST and LEAST < size < GREATEST and 0 < time < MICROSECONDS_BELOW):
        raise ValueError("price, size or time out of bounds")
    time_ns = time * 1_000_000 if time < MILLISECONDS_BELOW else time * 1_000
    return Trade(message.s, message.t, time_ns, price, size, taker(message.m))


def read_aggregate(message: AggregateMessage) -> Trade:
    """The trades with the ids `f` to `l` as one. Raises: ValueError for numbers that no aggregate has."""
    price, size, first_id, last_id = message.p, message.q, message.f, message.l
    count = last_id - first_id + 1
    if not (LEAST < price < GREATEST and LEAST < size < GREATEST):
        raise ValueError("price or size out of bounds")
    if not (0 <= first_id <= last_id <= IDS_MAX and count <= AGGREGATE_TRADES_MAX):
        raise ValueError(f"ids {first_id} to {last_id}")
    return Trade(message.s, first_id, epoch_nanoseconds(message.T), price, size, taker(message.m), count)


def taker(buyer_is_maker: bool) -> Side:
    """The side of the taker: where the buyer's order rested in the book, the seller took."""
    return Side.SELL if buyer_is_maker else Side.BUY


def read_claim(symbol: str, kline: Kline, said_ns: int) -> Claim:
    """What a kline says of its minute. Raises: ValueError for what no minute is."""
    open_time_ns = epoch_nanoseconds(kline.t)
    if not 0 <= kline.f <= kline.L <= IDS_MAX or kline.n < 1 or M1.floor_ns(open_time_ns) != open_time_ns:
        raise ValueError(f"impossible kline: {kline.n} trades {kline.f} to {kline.L} of {kline.t}")
    check_candle(kline.o, kline.h, kline.l, kline.c, kline.v)
    check_candle(kline.o, kline.h, kline.l, kline.c, kline.q)
    check_candle(kline.o, kline.h, kline.l, kline.c, kline.V)
    return Claim(
        symbol=symbol,
        open_time_ns=open_time_ns,
        said_at_ns=said_ns,
        closed=kline.x,
        first_id=kline.f,
        last_id=kline.L,
        trades=kline.n,
        open=kline.o,
        high=kline.h,
        low=kline.l,
        close=kline.c,
        volume=kline.v,
        quote_volume=kline.q,
        taker_buy_volume=kline.V,
    )
