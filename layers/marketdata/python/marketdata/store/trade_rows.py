"""Trades: rows in, columns out. The columns are those of migrations/."""

from decimal import Decimal

import msgspec

from marketdata.model.times import NANOSECONDS_A_MICROSECOND, rfc3339, utc
from marketdata.model.trade import Side, Trade
from marketdata.store.wire import Row, number, require_one_length

_SIDES = {True: Side.BUY, False: Side.SELL, None: Side.UNKNOWN}


class TradeColumns(msgspec.Struct):
    """The answer of `get_trades_v2`: one list a column, all of one length."""

    time: list[int]
    trade_id: list[int]
    price: list[Decimal]
    size: list[Decimal]
    taker_buy: list[bool | None]
    count: list[int]

    def __post_init__(self) -> None:
        require_one_length(self)

    def trades(self, symbol: str) -> list[Trade]:
        """The values that the columns stand for, in their order."""
        rows = zip(self.trade_id, self.time, self.price, self.size, self.taker_buy, self.count, strict=True)
        return [
            Trade(symbol, id_, time * NANOSECONDS_A_MICROSECOND, price, size, _SIDES[bought], count)
            for id_, time, price, size, bought, count in rows
        ]


def trade_row(trade: Trade, instrument_id: int) -> Row:
    """A row for `ticks`; its time is cut to the microsecond."""
    return {
        "instrument_id": instrument_id,
        "time": rfc3339(utc(trade.time_ns)),
        "trade_id": trade.id,
        "price": number(trade.price),
        "size": number(trade.size),
        "taker_buy": None if trade.side is Side.UNKNOWN else trade.side is Side.BUY,
        "count": trade.count,
    }
