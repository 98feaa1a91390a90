"""The synthetic exchange's past: trades by id, and candles of trades or of one price. Pure: bodies in, values out.

Source: docs/add-an-exchange.md#synthetic.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import Request, TradePage
from marketdata.exchanges.synthetic import QUOTES_NAME, TRADES_NAME, USUAL_SIDE
from marketdata.exchanges.venue_candle import venue_candle
from marketdata.exchanges.wire import check_trade, excerpt, steps
from marketdata.model.candle import Candle
from marketdata.model.quote import side_of
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import EPOCH, NANOSECONDS_A_SECOND
from marketdata.model.trade import Side, Trade

CANDLES_A_REQUEST = 1_000
TRADES_A_REQUEST = 1_000
_ERRORS = (msgspec.DecodeError, ValueError, InvalidOperation, OverflowError, RecursionError)
_Row = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal, int]


class SyntheticCandles:
    """Its own candles: `[opening second, open, high, low, close, volume, trades]`, of every timeframe we keep."""

    candles_a_request = CANDLES_A_REQUEST

    def __init__(self, name: str = TRADES_NAME) -> None:
        self.name = name
        self._decode_rows = msgspec.json.Decoder(list[_Row]).decode

    def candle_requests(self, symbol: str, timeframe: Timeframe, span: Span) -> list[Request]:
        """Requests of at most 1,000 candles, oldest first."""
        step = timeframe.duration * CANDLES_A_REQUEST
        return [
            Request(
                "/history/candles",
                (
                    *self._of(symbol),
                    ("minutes", str(timeframe.minutes)),
                    ("start", _seconds(start)),
                    ("end", _seconds(min(start + step, span.end))),
                ),
            )
            for start in steps(timeframe.floor(span.start), span.end, step)
        ]

    def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: datetime) -> list[Candle]:
        """The candles in one answer, oldest first, ranked `venue`. Raises: RemoteMalformed."""
        try:
            candles = [self._candle(row, symbol, timeframe, observed_at) for row in self._decode_rows(body)]
        except _ERRORS as error:
            raise RemoteMalformed(self.name, f"candles: {error}", excerpt(body)) from error
        return sorted(candles, key=lambda candle: candle.open_time)

    def _of(self, symbol: str) -> tuple[tuple[str, str], ...]:
        return (("symbol", symbol),)

    def _candle(self, row: _Row, symbol: str, timeframe: Timeframe, observed_at: datetime) -> Candle:
        time_s, open_, high, low, close, volume, trades = row
        if trades < 0:
            raise ValueError(f"{trades} trades")
        return venue_candle(
            self.name,
            symbol,
            timeframe,
            open_ns=time_s * NANOSECONDS_A_SECOND,
            prices=(open_, high, low, close),
            volume=volume,
            observed_at=observed_at,
            trades=trades,
        )


class SyntheticRest(SyntheticCandles):
    """Trades by id too: `[id, nanoseconds, price, size, taker's side]`, oldest first."""

    def __init__(self, name: str = TRADES_NAME) -> None:
        super().__init__(name)
        self._decode_trades = msgspec.json.Decoder(list[tuple[int, int, Decimal, Decimal, Side]]).decode

    def trades_request(self, symbol: str, before: int | None, limit: int) -> Request:
        """The newest `limit` (at most 1,000) trades below id `before`, or of all."""
        query = [("symbol", symbol), ("limit", str(min(limit, TRADES_A_REQUEST)))]
        return Request("/history/trades", tuple(query if before is None else [*query, ("before", str(before))]))

    def parse_trades(self, body: bytes, symbol: str) -> TradePage:
        """One page, ordered by id. Raises: RemoteMalformed."""
        try:
            trades = sorted((self._trade(row, symbol) for row in self._decode_trades(body)), key=lambda one: one.id)
        except _ERRORS as error:
            raise RemoteMalformed(self.name, f"trades: {error}", excerpt(body)) from error
        return TradePage(tuple(trades), trades[0].id if trades and trades[0].id > 1 else None)

    def _trade(self, row: tuple[int, int, Decimal, Decimal, Side], symbol: str) -> Trade:
        id_, time_ns, price, size, side = row
        check_trade(price, size, id_)
        if time_ns <= 0 or side is Side.UNKNOWN:
            raise ValueError(f"trade {id_} at {time_ns}, taker {side}")
        return Trade(symbol, id_, time_ns, price, size, side)


class SyntheticQuoteRest(SyntheticCandles):
    """Candles of bid, ask or middle: which one, the symbol says (`BTC-USD:bid`; plain: the middle).

    `volume` and `trades` are the number of quotes.
    """

    def __init__(self, name: str = QUOTES_NAME) -> None:
        super().__init__(name)

    def _of(self, symbol: str) -> tuple[tuple[str, str], ...]:
        plain, side = side_of(symbol, USUAL_SIDE)
        return (("symbol", plain), ("price", side.value))


def _seconds(time: datetime) -> str:
    return str(int((time - EPOCH).total_seconds()))
