"""Coinbase's Exchange REST. Pure: spans in, requests out; bodies in, candles and trades out.

Source: docs/add-an-exchange.md#coinbase.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.coinbase_wire import NAME, TAKER, by_id
from marketdata.exchanges.exchange import Request, TradePage
from marketdata.exchanges.iso_times import iso_nanoseconds
from marketdata.exchanges.places import PLACES
from marketdata.exchanges.venue_candle import venue_candle
from marketdata.exchanges.wire import check_trade, excerpt, steps
from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import NANOSECONDS_A_SECOND, rfc3339
from marketdata.model.trade import Trade

REST_URL = PLACES["coinbase"].rest_url
CANDLES_A_REQUEST = 300
TRADES_A_REQUEST = 1000

_GRANULARITIES = {1: 60, 5: 300, 15: 900, 60: 3600, 1440: 86_400}


class _RestTrade(msgspec.Struct):
    trade_id: int
    side: Literal["buy", "sell"]
    size: Decimal
    price: Decimal
    time: str


class CoinbaseRest:
    """Exchange REST: candles (300 a request) and trades (1,000 a request, by id)."""

    candles_a_request = CANDLES_A_REQUEST

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._decode_rows = msgspec.json.Decoder(list[tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]]).decode
        self._decode_trades = msgspec.json.Decoder(list[_RestTrade]).decode

    def candle_requests(self, symbol: str, timeframe: Timeframe, span: Span) -> list[Request]:
        """Requests that together cover `span`, oldest first; each names both ends, or Coinbase ignores both.

        Raises: RequestInvalid for a timeframe that Coinbase does not offer (4h, 12h and 1w are rolled up).
        """
        granularity = self._granularity(timeframe)
        return [
            Request(
                f"/products/{symbol}/candles",
                (
                    ("granularity", str(granularity)),
                    ("start", rfc3339(start)),
                    # The end is included by Coinbase; the last bucket we want opens one step before ours.
                    (
                        "end",
                        rfc3339(min(start + timeframe.duration * CANDLES_A_REQUEST, span.end) - timeframe.duration),
                    ),
                ),
            )
            for start in steps(timeframe.floor(span.start), span.end, timeframe.duration * CANDLES_A_REQUEST)
        ]

    def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: datetime) -> list[Candle]:
        """Rows `[time_s, low, high, open, close, volume]`, newest first on the wire; oldest first here.

        Coinbase gives no quote volume, no trade count and no ids: they are None. It may also answer with candles before
        the span that was asked for; callers drop those.
        """
        try:
            rows = self._decode_rows(body)
            candles = [self._candle(row, symbol, timeframe, observed_at) for row in rows]
        except (msgspec.DecodeError, ValueError, InvalidOperation, OverflowError, RecursionError) as error:
            raise RemoteMalformed(self.name, f"candles: {error}", excerpt(body)) from error
        return sorted(candles, key=lambda candle: candle.open_time)

    def _candle(
        self,
        row: tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal],
        symbol: str,
        timeframe: Timeframe,
        observed_at: datetime,
    ) -> Candle:
        time_s, low, high, open_, close, volume = row
        return venue_candle(
            self.name,
            symbol,
            timeframe,
            open_ns=time_s * NANOSECONDS_A_SECOND,
            prices=(open_, high, low, close),
            volume=volume,
            observed_at=observed_at,
        )

    def _granularity(self, timeframe: Timeframe) -> int:
        if timeframe.minutes not in _GRANULARITIES:
            raise RequestInvalid("timeframe", f"Coinbase has no {timeframe} candles")
        return _GRANULARITIES[timeframe.minutes]

    def trades_request(self, symbol: str, before: int | None, limit: int) -> Request:
        """The newest `limit` (at most 1,000) trades below id `before`; Coinbase's cursor `after` means older."""
        query = [("limit", str(min(limit, TRADES_A_REQUEST)))]
        if before is not None:
            query.append(("after", str(before)))
        return Request(f"/products/{symbol}/trades", tuple(query))

    def parse_trades(self, body: bytes, symbol: str) -> TradePage:
        """One page, ordered by id; the side on the wire is the maker's."""
        try:
            trades = by_id([self._trade(message, symbol) for message in self._decode_trades(body)])
        except (msgspec.DecodeError, ValueError, InvalidOperation, RecursionError) as error:
            raise RemoteMalformed(self.name, f"trades: {error}", excerpt(body)) from error
        return TradePage(tuple(trades), trades[0].id if trades and trades[0].id > 1 else None)

    def _trade(self, message: _RestTrade, symbol: str) -> Trade:
        check_trade(message.price, message.size, message.trade_id)
        time_ns, side = iso_nanoseconds(message.time), TAKER[message.side]
        return Trade(symbol, message.trade_id, time_ns, message.price, message.size, side)
