"""Instruments as rows. The columns are those of migrations/."""

import msgspec

from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.timeframe import timeframe_of_minutes
from marketdata.store.wire import Row


class InstrumentRow(msgspec.Struct):
    """A row of `instruments`."""

    id: int
    exchange: str
    symbol: str
    base: str
    quote: str
    timeframes: list[int]
    active: bool
    simulated: bool
    calendar: Calendar

    @property
    def instrument(self) -> Instrument:
        """The value that the row stands for."""
        timeframes = tuple(timeframe_of_minutes(minutes) for minutes in self.timeframes)
        return Instrument(
            self.exchange,
            self.symbol,
            self.base,
            self.quote,
            timeframes,
            active=self.active,
            simulated=self.simulated,
            calendar=self.calendar,
        )


def instrument_row(instrument: Instrument) -> Row:
    """A row for `instruments`; the database numbers it."""
    return {
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "base": instrument.base,
        "quote": instrument.quote,
        "timeframes": [timeframe.minutes for timeframe in instrument.timeframes],
        "active": instrument.active,
        "simulated": instrument.simulated,
        "calendar": instrument.calendar.value,
    }
