"""The plain way to write it, which ours is measured against: json, a pydantic model, Decimal sums.

Written as one would write it well without measuring: a model of the message as documented, an accumulator per open
candle with the columns that ours have, the standard decimal context. It knows nothing of late trades, repeats, holes.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from marketdata.model.times import nanoseconds
from pydantic import BaseModel

from benchmarks.candles import Key, PlainCandle
from benchmarks.tape import Tape


class Match(BaseModel):
    """A trade of the Exchange feed, as its documentation shows it."""

    type: Literal["match", "last_match"]
    trade_id: int
    maker_order_id: str
    taker_order_id: str
    side: Literal["buy", "sell"]
    size: Decimal
    price: Decimal
    product_id: str
    sequence: int
    time: datetime


@dataclass
class OpenCandle:
    """A minute being built."""

    symbol: str
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    taker_buy_volume: Decimal
    trades: int
    first_id: int
    last_id: int

    def add(self, match: Match) -> None:
        """Take one more trade."""
        self.high = max(self.high, match.price)
        self.low = min(self.low, match.price)
        self.close = match.price
        self.volume += match.size
        self.quote_volume += match.price * match.size
        if match.side == "sell":
            self.taker_buy_volume += match.size
        self.trades += 1
        self.last_id = match.trade_id


class PlainPort:
    """Frames to candles; a trade of a new minute closes the old one."""

    def __init__(self, name: str, tape: Tape, *, portion_frames: int) -> None:
        self.name = name
        self._frames = tape.matches
        self._portion_frames = portion_frames
        self._open: dict[str, OpenCandle] = {}
        self._closed: list[OpenCandle] = []

    def work(self, portion: int) -> None:
        """Portion `portion` of the tape."""
        first = portion * self._portion_frames
        for frame in self._frames[first : first + self._portion_frames]:
            message = json.loads(frame)
            if message["type"] in ("match", "last_match"):
                self._take(Match.model_validate(message))

    def _take(self, match: Match) -> None:
        open_time = match.time.replace(second=0, microsecond=0)
        candle = self._open.get(match.product_id)
        if candle is not None and candle.open_time == open_time:
            candle.add(match)
            return
        if candle is not None:
            self._closed.append(candle)
        self._open[match.product_id] = OpenCandle(
            symbol=match.product_id,
            open_time=open_time,
            open=match.price,
            high=match.price,
            low=match.price,
            close=match.price,
            volume=match.size,
            quote_volume=match.price * match.size,
            # The side on the wire is the maker's.
            taker_buy_volume=match.size if match.side == "sell" else Decimal(0),
            trades=1,
            first_id=match.trade_id,
            last_id=match.trade_id,
        )

    def candles(self) -> dict[Key, PlainCandle]:
        """What it made so far."""
        return {
            (candle.symbol, nanoseconds(candle.open_time)): PlainCandle(
                candle.open,
                candle.high,
                candle.low,
                candle.close,
                candle.volume,
                candle.quote_volume,
                trades=candle.trades,
                taker_buy_volume=candle.taker_buy_volume,
                first_id=candle.first_id,
                last_id=candle.last_id,
            )
            for candle in [*self._closed, *self._open.values()]
        }

    def close(self) -> None:
        """Nothing to end."""


class BareJson:
    """Only `json.loads` of every frame: what a machine's speed is told by."""

    def __init__(self, name: str, tape: Tape, *, portion_frames: int) -> None:
        self.name = name
        self._frames = tape.matches
        self._portion_frames = portion_frames

    def work(self, portion: int) -> None:
        """Portion `portion` of the tape."""
        first = portion * self._portion_frames
        for frame in self._frames[first : first + self._portion_frames]:
            json.loads(frame)

    def candles(self) -> None:
        """It makes none."""

    def close(self) -> None:
        """Nothing to end."""
