"""Binance over REST: candles, single trades by id, and aggregates by the trade ids they stand for. Pure.

The keyless host (data-api.binance.vision) gives candles, aggregates and the newest thousand trades; older single trades
only the main one (api.binance.com). Aggregates are asked for by their own number, which is not a trade's id: it is
searched for. Source: docs/add-an-exchange.md#binance.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.binance_wire import NAME, AggregateMessage, epoch_nanoseconds, read_aggregate, taker
from marketdata.exchanges.exchange import Request, TradePage
from marketdata.exchanges.places import PLACES
from marketdata.exchanges.venue_candle import venue_candle
from marketdata.exchanges.wire import IDS_MAX, check_trade, excerpt, steps
from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Trade

REST_URL = PLACES["binance"].rest_url
"""Market data only, without a key; not blocked where api.binance.com is."""
MAIN_REST_URL = "https://api.binance.com"
ROWS_A_REQUEST = 1000
CANDLES_WEIGHT, TRADES_WEIGHT = 2, 25
WEIGHT_A_MINUTE = 6_000
WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"

_UNREADABLE = (msgspec.DecodeError, ValueError, InvalidOperation, OverflowError, RecursionError)


class _TradeRow(msgspec.Struct):
    id: int
    price: Decimal
    qty: Decimal
    time: int
    isBuyerMaker: bool  # noqa: N815 - the exchange's name for it


class BinanceRest:
    """Candles of every timeframe, and single trades by id (`historicalTrades`, on the main host only)."""

    candles_a_request = ROWS_A_REQUEST

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._decode_rows = msgspec.json.Decoder(list[list[int | str]]).decode
        self._decode_trades = msgspec.json.Decoder(list[_TradeRow]).decode

    def candle_requests(self, symbol: str, timeframe: Timeframe, span: Span) -> list[Request]:
        """Requests that together cover `span`, oldest first; both times are of a candle's opening, and included."""
        step, end = timeframe.duration * ROWS_A_REQUEST, timeframe.ceil(span.end)
        return [
            Request(
                "/api/v3/klines",
                (
                    ("symbol", symbol),
                    ("interval", timeframe.name),
                    ("startTime", _milliseconds(start)),
                    ("endTime", _milliseconds(min(start + step, end) - timeframe.duration)),
                    ("limit", str(ROWS_A_REQUEST)),
                ),
                weight=CANDLES_WEIGHT,
            )
            for start in steps(timeframe.floor(span.start), end, step)
        ]

    def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: datetime) -> list[Candle]:
        """Rows `[opens, open, high, low, close, volume, closes, quote volume, trades, taker buys, ...]`, oldest first.

        A minute in which nobody traded is a row of nothing but the close before: it is no candle. Raises:
        RemoteMalformed.
        """
        try:
            rows = [read_kline(row, self.name, symbol, timeframe, observed_at) for row in self._decode_rows(body)]
        except _UNREADABLE as error:
            raise RemoteMalformed(self.name, f"klines: {error}", excerpt(body)) from error
        return sorted((one for one in rows if one is not None), key=_opens)

    def trades_request(self, symbol: str, before: int | None, limit: int) -> Request:
        """The newest `limit` (at most 1,000) trades below id `before`: Binance counts up from `fromId`."""
        first = 0 if before is None else max(0, before - min(limit, ROWS_A_REQUEST))
        count = min(limit, ROWS_A_REQUEST) if before is None else max(1, before - first)
        query = (("symbol", symbol), ("limit", str(count)))
        since = () if before is None else (("fromId", str(first)),)
        return Request("/api/v3/historicalTrades", query + since, weight=TRADES_WEIGHT)

    def recent_trades_request(self, symbol: str) -> Request:
        """The newest trades of all, on both hosts."""
        return Request("/api/v3/trades", (("symbol", symbol), ("limit", str(ROWS_A_REQUEST))), weight=TRADES_WEIGHT)

    def parse_trades(self, body: bytes, symbol: str) -> TradePage:
        """One page of either, ordered by id; the first trade of a symbol has the id 0. Raises: RemoteMalformed."""
        try:
            trades = sorted((_read_trade(row, symbol) for row in self._decode_trades(body)), key=_id)
        except _UNREADABLE as error:
            raise RemoteMalformed(self.name, f"trades: {error}", excerpt(body)) from error
        return TradePage(tuple(trades), trades[0].id if trades and trades[0].id > 0 else None)


class AggregateRow(msgspec.Struct):
    """An aggregate over REST, numbered `a`; -1 to -1 are the trades of one that was taken back."""

    a: int
    f: int
    l: int  # noqa: E741 - the exchange's name for it
    p: Decimal
    q: Decimal
    T: int
    m: bool

    def trade(self, symbol: str) -> Trade:
        """Raises: ValueError."""
        return read_aggregate(AggregateMessage(symbol, self.f, self.l, self.p, self.q, self.T, self.m))


def read_kline(
    row: list[int | str], exchange: str, symbol: str, timeframe: Timeframe, observed_at: datetime
) -> Candle | None:
    """One row, as REST and the archive write it; None if nobody traded. Raises: ValueError, InvalidOperation."""
    if len(row) < 11:
        raise ValueError(f"a row of {len(row)} columns")
    open_, high, low, close, volume = (Decimal(row[at]) for at in range(1, 6))
    quote_volume, trades, taker_buys = Decimal(row[7]), int(row[8]), Decimal(row[9])
    if not 0 <= trades <= IDS_MAX or bool(trades) is not bool(volume):
        raise ValueError(f"{trades} trades of together {volume}")
    made = venue_candle(
        exchange,
        symbol,
        timeframe,
        open_ns=epoch_nanoseconds(int(row[0])),
        prices=(open_, high, low, close),
        volume=volume,
        observed_at=observed_at,
        quote_volume=quote_volume,
        trades=trades,
        taker_buy_volume=taker_buys,
    )
    return made if trades else None


def _read_trade(row: _TradeRow, symbol: str) -> Trade:
    check_trade(row.price, row.qty, row.id + 1)
    return Trade(symbol, row.id, epoch_nanoseconds(row.time), row.price, row.qty, taker(row.isBuyerMaker))


def _milliseconds(time: datetime) -> str:
    return str(nanoseconds(time) // 1_000_000)


def _opens(candle: Candle) -> datetime:
    return candle.open_time


def _id(trade: Trade) -> int:
    return trade.id
