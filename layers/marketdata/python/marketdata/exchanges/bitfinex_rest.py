"""Bitfinex REST v2: its own candles, and trades by time. Pure: requests out, bodies in.

The live feed is in bitfinex.py. Source: docs/add-an-exchange.md#bitfinex.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation

import msgspec

from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.exchange import Refusal, Request, TradePage
from marketdata.exchanges.places import PLACES
from marketdata.exchanges.venue_candle import venue_candle
from marketdata.exchanges.wire import check_trade, excerpt, steps
from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

NAME = "bitfinex"
REST_URL = PLACES["bitfinex"].rest_url
CANDLES_A_REQUEST = TRADES_A_REQUEST = 10_000
BLOCKED_SECONDS = 60.0
RATE_LIMIT = 11_010
LEAST_TIME_MS = 10**12
"""A sequence number never gets there, and time was there in 2001."""
PARAMETERS = range(10_000, 10_100)
"""Codes of errors in what was asked."""
NANOSECONDS_A_MILLISECOND = 1_000_000

# 4h is not among them (it is rolled up), and 1W begins on another day than ours.
_TIMEFRAMES = {1: "1m", 5: "5m", 15: "15m", 60: "1h", 720: "12h", 1440: "1D"}


class _Row(msgspec.Struct, array_like=True, gc=False):
    """`[MTS, OPEN, CLOSE, HIGH, LOW, VOLUME]`: close comes second. Rows may grow, so what follows is passed over."""

    time_ms: int
    open: Decimal
    close: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal


class TradeRow(msgspec.Struct, array_like=True, gc=False):
    """`[ID, MTS, AMOUNT, PRICE]`: an amount above zero is bought by the taker. Rows may grow."""

    id: int
    time_ms: int
    amount: Decimal
    price: Decimal


class _Error(msgspec.Struct, array_like=True):
    kind: str
    code: int
    reason: str


class BitfinexRest:
    """REST v2: candles and trades, 10,000 a request."""

    candles_a_request = CANDLES_A_REQUEST
    trades_a_request = TRADES_A_REQUEST

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._decode_rows = msgspec.json.Decoder(list[_Row]).decode
        self._decode_trades = msgspec.json.Decoder(list[TradeRow]).decode

    def candle_requests(self, symbol: str, timeframe: Timeframe, span: Span) -> list[Request]:
        """Requests that together cover `span`, oldest first; the rows of each come oldest first.

        Raises: RequestInvalid for a timeframe that Bitfinex does not offer, or aligns otherwise.
        """
        if timeframe.minutes not in _TIMEFRAMES:
            raise RequestInvalid("timeframe", f"Bitfinex has no {timeframe} candles that begin where ours do")
        path = f"/v2/candles/trade:{_TIMEFRAMES[timeframe.minutes]}:{symbol}/hist"
        step = timeframe.duration * CANDLES_A_REQUEST
        starts = steps(timeframe.floor(span.start), span.end, step)
        return [Request(path, _query(start, min(start + step, span.end))) for start in starts]

    def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: datetime) -> list[Candle]:
        """The rows of one answer, oldest first. A bucket without trades has no row; `[]` is an answer without any.

        Bitfinex gives no quote volume, no trade count and no ids: they are None.
        """
        try:
            rows = self._decode_rows(body)
            candles = [self._candle(row, symbol, timeframe, observed_at) for row in rows]
        except (msgspec.DecodeError, ValueError, InvalidOperation, OverflowError, RecursionError) as error:
            raise RemoteMalformed(self.name, f"candles: {error}", excerpt(body)) from error
        return sorted(candles, key=_opens)

    def trades_from(self, symbol: str, span: Span) -> Request:
        """The oldest 10,000 trades in `span`."""
        return Request(f"/v2/trades/{symbol}/hist", _query(span.start, span.end))

    def parse_trades(self, body: bytes, symbol: str) -> TradePage:
        """One page, ordered by (time, id). Ids are of all pairs together, so there is no paging by them."""
        try:
            trades = sorted((trade_of(row, symbol) for row in self._decode_trades(body)), key=in_time)
        except (msgspec.DecodeError, ValueError, InvalidOperation, OverflowError, RecursionError) as error:
            raise RemoteMalformed(self.name, f"trades: {error}", excerpt(body)) from error
        return TradePage(tuple(trades), None)

    def _candle(self, row: _Row, symbol: str, timeframe: Timeframe, observed_at: datetime) -> Candle:
        return venue_candle(
            self.name,
            symbol,
            timeframe,
            open_ns=row.time_ms * NANOSECONDS_A_MILLISECOND,
            prices=(row.open, row.high, row.low, row.close),
            volume=row.volume,
            observed_at=observed_at,
        )


def trade_of(row: TradeRow, symbol: str) -> Trade:
    """Raises: ValueError, InvalidOperation or OverflowError for what cannot be a trade."""
    # Not abs(): that would round to the precision of the context.
    size = row.amount.copy_abs()
    check_trade(row.price, size, row.id)
    if not 0 < row.time_ms < 10 * LEAST_TIME_MS:
        raise ValueError(f"time {row.time_ms} out of bounds")
    side = Side.BUY if row.amount > 0 else Side.SELL
    return Trade(symbol, row.id, row.time_ms * NANOSECONDS_A_MILLISECOND, row.price, size, side)


def in_time(trade: Trade) -> tuple[int, int]:
    """What trades are ordered by: those of one millisecond come newest first."""
    return trade.time_ns, trade.id


def read_refusal(status: int, body: bytes) -> Refusal | None:
    """What Bitfinex refuses: it answers 500 to a request that cannot be, as to one that it cannot serve.

    Wire: `["error", CODE, "reason"]`, or `{"error": "ERR_RATE_LIMIT"}` and a minute in which nothing is answered.
    """
    if b"ERR_RATE_LIMIT" in body or status == 429:
        return Refusal("asked too often", BLOCKED_SECONDS)
    try:
        error = msgspec.json.decode(body, type=_Error)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if error.code == RATE_LIMIT:
        return Refusal(error.reason, BLOCKED_SECONDS)
    return Refusal(error.reason) if error.kind == "error" and error.code in PARAMETERS else None


def _query(start: datetime, end: datetime) -> tuple[tuple[str, str], ...]:
    """Both ends are included by Bitfinex, so the last millisecond before ours is named."""
    return (
        ("start", str(_milliseconds(start))),
        ("end", str(_milliseconds(end) - 1)),
        ("limit", str(CANDLES_A_REQUEST)),
        ("sort", "1"),
    )


def _milliseconds(time: datetime) -> int:
    return nanoseconds(time) // NANOSECONDS_A_MILLISECOND


def _opens(candle: Candle) -> datetime:
    return candle.open_time
