"""What is followed: one symbol of one exchange, and the timeframes kept of it."""

from dataclasses import dataclass, field

from marketdata.model.timeframe import TIMEFRAMES, Timeframe


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

    @property
    def canonical(self) -> str:
        """`BASE-QUOTE`."""
        return f"{self.base}-{self.quote}"

    @property
    def key(self) -> tuple[str, str]:
        """What candles and trades of this instrument are filed under."""
        return (self.exchange, self.symbol)
