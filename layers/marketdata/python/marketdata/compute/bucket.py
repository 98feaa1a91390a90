"""One bucket of one instrument while it is in memory: what its trades add up to, exactly. Used by compute/bars."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation, Overflow

from marketdata.compute.continuity import DISORDER_NS_MAX
from marketdata.model.candle import Candle, Source
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import utc
from marketdata.model.trade import Side, Trade

# libmpdec allocates only the digits that a result has, so unlimited precision costs nothing; a rounding would raise.
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation, Overflow])

_ZERO = Decimal(0)
_Key = tuple[int, int]


@dataclass(slots=True)
class Bucket:
    """The sums over the trades of `[start_ns, end_ns)`; `open_key` and `close_key` are (time, id) of first and last."""

    open_time: datetime
    start_ns: int
    end_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    open_key: _Key
    close_key: _Key
    first_id: int
    last_id: int
    volume: Decimal = _ZERO
    quote_volume: Decimal = _ZERO
    taker_buy_volume: Decimal = _ZERO
    trades: int = 0
    ids: set[int] = field(default_factory=set)
    """Where ids do not count up by one, which were seen."""
    changed: bool = True
    """Not as it was at the last take."""
    joined: bool = False
    """The time between the bucket before and this one is accounted for."""
    closed: bool = False
    source: Source = Source.PARTIAL

    @classmethod
    def opened_by(cls, trade: Trade, start_ns: int, end_ns: int) -> "Bucket":
        """The bucket of this trade, which is yet to be joined."""
        key, price = (trade.time_ns, trade.id), trade.price
        return cls(utc(start_ns), start_ns, end_ns, price, price, price, price, key, key, trade.id, trade.last_id)

    def join(self, trade: Trade) -> None:
        """Count a trade in that was not counted before."""
        key = (trade.time_ns, trade.id)
        if key < self.open_key:
            self.open_key, self.open = key, trade.price
        if key > self.close_key:
            self.close_key, self.close = key, trade.price
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.first_id = min(self.first_id, trade.id)
        self.last_id = max(self.last_id, trade.last_id)
        self.volume = EXACT.add(self.volume, trade.size)
        self.quote_volume = EXACT.fma(trade.price, trade.size, self.quote_volume)
        if trade.side is Side.BUY:
            self.taker_buy_volume = EXACT.add(self.taker_buy_volume, trade.size)
        self.trades += trade.count

    def is_overtaken_by(self, trade: Trade) -> bool:
        """Whether a trade has a higher id than the last here and is clearly older, or a lower one and is younger."""
        (open_ns, open_id), (close_ns, close_id) = self.open_key, self.close_key
        if trade.id > close_id:
            return trade.time_ns < close_ns - DISORDER_NS_MAX
        return trade.id < open_id and trade.time_ns > open_ns + DISORDER_NS_MAX

    def touches(self, first_id: int, last_id: int) -> bool:
        """Whether trades of this bucket have these ids, or the ones next to them."""
        return self.first_id <= last_id + 1 and self.last_id >= first_id - 1

    def candle(self, exchange: str, symbol: str, timeframe: Timeframe) -> Candle:
        """As a value."""
        return Candle(
            exchange=exchange,
            symbol=symbol,
            timeframe=timeframe,
            open_time=self.open_time,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            quote_volume=self.quote_volume,
            trades=self.trades,
            taker_buy_volume=self.taker_buy_volume,
            first_id=self.first_id,
            last_id=self.last_id,
            source=self.source,
        )
