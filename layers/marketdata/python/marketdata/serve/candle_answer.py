"""An answer of candles before it is written in any format: rows, what is known of them, how they are to be shown."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import EPOCH, rfc3339
from marketdata.serve.condition import Condition
from marketdata.serve.decimals import AsJson, as_string

_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)


class Fill(StrEnum):
    """What stands in an answer for a bucket without a candle."""

    NONE = "none"
    NULL = "null"
    """A record without prices."""
    PREVIOUS = "previous"
    """A record of no volume at the close before it."""


class TimeForm(StrEnum):
    """How times are written."""

    ISO = "iso"
    SECONDS = "s"
    MILLISECONDS = "ms"

    def write(self, time: datetime) -> str | int:
        """RFC 3339, or whole seconds or milliseconds since 1970."""
        if self is TimeForm.ISO:
            return rfc3339(time)
        return (time - EPOCH) // (_SECOND if self is TimeForm.SECONDS else _MILLISECOND)


@dataclass(frozen=True, slots=True)
class View:
    """How candles are shown: decimals, times, what stands for a hole, and the lengths of moving averages."""

    number: AsJson = as_string
    time: TimeForm = TimeForm.ISO
    fill: Fill = Fill.NONE
    averages: tuple[int, ...] = ()

    @property
    def spelling(self) -> str:
        """The same in one word: what a copy in a cache is told by."""
        return f"{self.number.__name__} {self.time} {self.fill} {self.averages}"


PLAIN_VIEW = View()


@dataclass(frozen=True, slots=True)
class CandleRow:
    """One bucket; without a candle it is filled: `close_before` is then the price it stands at, None for no price.

    `means` are of the view's averages, in their order.
    """

    open_time: datetime
    candle: Candle | None
    close_before: Decimal | None = None
    means: tuple[Decimal | None, ...] = ()


@dataclass(frozen=True, slots=True)
class CandleAnswer:
    """Rows of one instrument and timeframe, in the order they are served, as of `as_of` or later."""

    instrument: Instrument
    timeframe: Timeframe
    view: View
    rows: tuple[CandleRow, ...]
    condition: Condition
    next_cursor: str | None
    as_of: datetime
    version: str
