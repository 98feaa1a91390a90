"""Check our candles by what the exchange says of its own: the same trade ids must fold to the same figures.

Called by followed_exchange for closed minutes as they are followed, and by replay for every update of a recording.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from marketdata.compute.bars import Bars
from marketdata.model.candle import Candle
from marketdata.model.events import Claim
from marketdata.model.trade import Trade

FIGURES = (
    "first_id",
    "last_id",
    "trades",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "taker_buy_volume",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a claim. `covered`: we have every trade that it speaks of; `differing` names the figures."""

    claim: Claim
    covered: bool
    differing: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether it could be checked, and holds."""
        return self.covered and not self.differing


def compare(claim: Claim, candle: Candle) -> tuple[str, ...]:
    """The figures in which they differ."""
    return tuple(name for name in FIGURES if getattr(claim, name) != getattr(candle, name))


class Auditor:
    """Checks every claim on one symbol, also those on a minute that goes on, by folding the trades it speaks of.

    Holds the trades from the oldest minute that a claim may still speak of; `take` judges what is beyond that.
    """

    def __init__(self, exchange: str, symbol: str) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._trades: list[Trade] = []
        self._claims: list[Claim] = []

    def add(self, trade: Trade) -> None:
        """Remember a trade."""
        self._trades.append(trade)

    def claim(self, claim: Claim) -> None:
        """Remember what was claimed."""
        self._claims.append(claim)

    def take(self, settled_before_ns: int | None) -> list[Verdict]:
        """Judge the claims on minutes that opened before that (None: all); their trades are forgotten."""
        due = [one for one in self._claims if settled_before_ns is None or one.open_time_ns < settled_before_ns]
        verdicts = [self._judge(one) for one in due]
        self._claims = [] if settled_before_ns is None else [one for one in self._claims if one not in due]
        self._trades = (
            [] if settled_before_ns is None else [one for one in self._trades if one.time_ns >= settled_before_ns]
        )
        return verdicts

    def _judge(self, claim: Claim) -> Verdict:
        bars = Bars(self._exchange, self._symbol, ids_contiguous=True)
        for trade in _within(self._trades, claim):
            bars.add(trade)
        candles = [change.candle for change in bars.take()]
        if not bars.seen.covers(claim.first_id, claim.last_id):
            return Verdict(claim, covered=False)
        if len(candles) != 1:
            # The exchange counts trades to this minute that happened in another by its own time.
            return Verdict(claim, covered=True, differing=("open_time",))
        return Verdict(claim, covered=True, differing=compare(claim, candles[0]))


def _within(trades: Iterable[Trade], claim: Claim) -> list[Trade]:
    return [trade for trade in trades if claim.first_id <= trade.id and trade.last_id <= claim.last_id]
