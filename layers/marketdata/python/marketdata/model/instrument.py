"""What is followed: one symbol of one exchange, and the timeframes kept of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from marketdata.model.quote import PriceSide
from marketdata.model.timeframe import TIMEFRAMES, Timeframe

_PRICES = frozenset(PriceSide)


class Calendar(StrEnum):
    """When a market trades; compute/calendar.py knows the hours."""

    ALWAYS = "always"
    """Around the clock, every day."""
    FX = "fx"
    """From Sunday 17:00 to Friday 17:00 New York."""


INVENTED_EXCHANGES = frozenset({"synthetic", "synthetic_quotes"})
"""Exchanges of markets that are nobody's; their instruments, and those of simulators, are `simulated`."""
PUSHED_EXCHANGES = frozenset({"webhook", "webhook-simulated"})
"""Where ticks are filed that arrive at the webhook without the name of an exchange that is followed."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol, spelled as its exchange spells it.

    `exchange` is the venue's name in data ("coinbase", or "coinbase-simulated" for the built-in simulator, whose
    instruments are also `simulated`). `base` and `quote` are the canonical currencies.
    """

    exchange: str
    symbol: str
    base: str
    quote: str
    timeframes: tuple[Timeframe, ...] = field(default=TIMEFRAMES)
    active: bool = True
    simulated: bool = False
    calendar: Calendar = Calendar.ALWAYS

    @property
    def canonical(self) -> str:
        """`BASE-QUOTE`, and the price where that is not the exchange's usual one: `EUR-USD:bid`."""
        _, _, label = self.symbol.rpartition(":")
        return f"{self.base}-{self.quote}" + (f":{label}" if label in _PRICES else "")

    @property
    def pushed(self) -> bool:
        """Whether what others push is all there is of it: nobody can be asked about what is missing."""
        return self.exchange in PUSHED_EXCHANGES

    @property
    def key(self) -> tuple[str, str]:
        """What candles and trades of this instrument are filed under."""
        return (self.exchange, self.symbol)
