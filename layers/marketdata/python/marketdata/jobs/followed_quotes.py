"""The quotes of one exchange being followed: bars for every instrument, one for each price that is followed."""

from collections.abc import Collection, Sequence

from marketdata.compute.live_quote_bars import LiveQuoteBars
from marketdata.exchanges.places import SIMULATED_SUFFIX
from marketdata.exchanges.registry import ADAPTERS
from marketdata.model.events import Heartbeat
from marketdata.model.quote import PriceSide, Quote, side_of


class FollowedQuotes:
    """`usual`: the price of instruments that are named by the plain symbol."""

    def __init__(self, exchange: str, usual: PriceSide) -> None:
        self.bars: dict[str, LiveQuoteBars] = {}
        self.quotes_seen = 0
        self.last_quote_ns: int | None = None
        self._exchange = exchange
        self._usual = usual
        self._of: dict[str, list[LiveQuoteBars]] = {}
        self._flowing: set[str] = set()

    def know(self, symbols: Sequence[str]) -> list[str]:
        """These instruments are ours; returns what to subscribe to: one symbol for all prices of an instrument."""
        for gone in self.bars.keys() - set(symbols):
            del self.bars[gone]
        self._of = {}
        for symbol in symbols:
            plain, side = side_of(symbol, self._usual)
            bars = self.bars.setdefault(symbol, LiveQuoteBars(self._exchange, symbol, side))
            self._of.setdefault(plain, []).append(bars)
        self._flowing.intersection_update(self._of)
        return sorted(self._of)

    def add(self, quote: Quote) -> None:
        """Take one quote; of what we do not follow it is passed over."""
        for bars in self._of.get(quote.symbol, ()):
            bars.add(quote)
        self.quotes_seen += 1
        self.last_quote_ns = quote.time_ns

    def acknowledged(self, symbols: Collection[str]) -> None:
        """The quotes of these, and of no others, flow from here on."""
        self._flowing = set(symbols)

    def beat(self, heartbeat: Heartbeat) -> None:
        """The exchange is alive, and it is this time there; that vouches for what flows, and for nothing else."""
        for symbol in self._flowing.intersection(self._of):
            for bars in self._of[symbol]:
                bars.pass_time(heartbeat.time_ns)

    def disconnected(self) -> None:
        """Quotes may be missing from here on."""
        self._flowing.clear()
        for bars in self.bars.values():
            bars.disconnected()


def quotes_of(exchange: str) -> FollowedQuotes | None:
    """What takes the quotes of an exchange; None where it streams trades, or is not known."""
    adapter = ADAPTERS.get(exchange.removesuffix(SIMULATED_SUFFIX))
    return FollowedQuotes(exchange, adapter.usual_side) if adapter is not None and adapter.usual_side else None
