"""One exchange being followed: its stream, and the bars of its symbols. Made by follow_live; never waits."""

import logging
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from marketdata.compute.bars import Bars, Change
from marketdata.jobs.audit_minutes import MinuteAudit
from marketdata.jobs.followed_quotes import FollowedQuotes
from marketdata.model.candle import Candle, Source
from marketdata.model.events import Claim, Disconnected, Event, Heartbeat, Malformed, Subscribed
from marketdata.model.quote import Quote
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Trade
from marketdata.net.streams import LiveStream

logger = logging.getLogger(__name__)

PENDING_TRADES_MAX = 1_000
BUCKETS_KEPT = 180
QUARANTINE_MAX = 100
MALFORMED_LOGGED_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something malformed, kept as evidence."""

    reason: str
    excerpt: str


class FollowedExchange:
    """Takes the events of one stream, on the event loop's thread."""

    def __init__(
        self, stream: LiveStream, *, keep_trades: bool, trades_max: int, quotes: FollowedQuotes | None = None
    ) -> None:
        self.stream = stream
        self.name = stream.exchange.name
        self.quotes = quotes
        """What takes quotes, where the exchange streams those instead of trades."""
        self.bars: dict[str, Bars] = {}
        self.audit = MinuteAudit(self.name)
        self.trades: list[Trade] = []
        """Trades to keep, until the store has them; over `trades_max` the oldest go, as candles do not need them."""
        self.trades_seen = 0
        self.trades_dropped = 0
        self.last_trade_ns: int | None = None
        self.told: dict[str, int] = {}
        """The newest trade id that the exchange named, by symbol."""
        self.words: dict[str, int] = {}
        """How many heartbeats named one."""
        self.quarantine: deque[Quarantined] = deque(maxlen=QUARANTINE_MAX)
        self._dropped_in_flight = 0
        self._tidy_at = PENDING_TRADES_MAX
        self._keep_trades = keep_trades
        self._trades_max = trades_max
        self._symbols: frozenset[str] = frozenset()
        self._flowing: set[str] = set()
        self._ending: set[str] = set()

    @property
    def symbols(self) -> frozenset[str]:
        """Which symbols are ours."""
        return self._symbols

    def know(self, symbols: Sequence[str]) -> None:
        """These symbols are ours, whether subscribed yet or not; of others, trades are missed from now on."""
        self._end(self._symbols.difference(symbols))
        self._symbols = frozenset(symbols)

    def follow(self, symbols: Sequence[str]) -> None:
        """Follow exactly these symbols from now on."""
        self.know(symbols)
        self.stream.follow(self.quotes.know(symbols) if self.quotes is not None else symbols)

    def resubscribe(self, symbol: str) -> None:
        """Ask anew for the trades of a symbol that has fallen mute; meanwhile trades are missed."""
        self._end([symbol])
        self.stream.resubscribe(symbol)

    def resume(self, symbol: str, stored: Sequence[Candle]) -> None:
        """Go on beside the proven ones of these candles of the store, if this symbol has no bars yet."""
        if symbol not in self.bars and any(map(is_whole_run, stored)) and self._open(symbol) is not None:
            self._go_on_beside(symbol, stored)

    def repaired(self, symbol: str, stored: Iterable[Candle]) -> None:
        """The store has these candles: what the proven ones of them were made of is missing no more.

        Of what is older than all that was seen here, nothing is missing here.
        """
        lowest = self.bars[symbol].seen.lowest if symbol in self.bars else None
        if lowest is not None:
            self._go_on_beside(symbol, [one for one in stored if one.last_id is not None and one.last_id >= lowest])

    def _go_on_beside(self, symbol: str, stored: Iterable[Candle]) -> None:
        for candle in filter(is_whole_run, stored):
            assert candle.first_id is not None
            assert candle.last_id is not None
            self.bars[symbol].resume(candle.first_id, candle.last_id, nanoseconds(candle.close_time))

    def holes(self, symbol: str) -> list[tuple[int, int]]:
        """The runs of ids that are known to exist and were not seen, as closed pairs; none where ids prove nothing."""
        bars = self.bars[symbol]
        bars.fold()
        holes = bars.seen.holes
        told, highest = self.told.get(symbol), bars.seen.highest
        if told is not None and highest is not None and told > highest:
            holes.append((highest + 1, told))
        return holes

    def signs(self, symbol: str) -> int:
        """How many trades the stream brought of a symbol, repeated ones too; not those that were fetched."""
        bars = self.bars.get(symbol)
        if bars is None:
            return 0
        bars.fold()
        return bars.counts.trades + bars.counts.duplicates - bars.counts.mended

    def newest_id(self, symbol: str) -> int:
        """The highest trade id seen of a symbol; 0 when there is none."""
        bars = self.bars.get(symbol)
        return 0 if bars is None else bars.seen.highest or 0

    def take_word(self, newest: Trade) -> None:
        """The exchange says that this is a symbol's newest trade; the mender fetches it and what is before it."""
        self.told[newest.symbol] = max(newest.last_id, self.told.get(newest.symbol, 0))
        if newest.symbol not in self.bars and (bars := self._open(newest.symbol)) is not None:
            # Nothing is seen yet that a hole could begin after.
            bars.counts.mended += newest.count
            self.take_trade(bars, newest)

    def handle(self, events: Sequence[Event]) -> None:
        """Take the events of one frame; what the exchange says of symbols that we do not follow is passed over."""
        for event in events:
            if type(event) is Trade:
                bars = self.bars.get(event.symbol) or self._open(event.symbol)
                if bars is not None:
                    # Nearly every event is a trade, so one is taken here, without another call: docs/performance.md.
                    bars.add(event)
                    self.trades_seen += 1
                    self.last_trade_ns = event.time_ns
                    if self._keep_trades:
                        self.trades.append(event)
                    if self.trades_seen >= self._tidy_at:
                        self._tidy()
            elif isinstance(event, Quote):
                if self.quotes is not None:
                    self.quotes.add(event)
                    self.last_trade_ns = event.time_ns
            else:
                self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, Heartbeat):
            self._beat(event)
        elif isinstance(event, Claim):
            if event.symbol in self._symbols:
                self.audit.hear(event)
        elif isinstance(event, Malformed):
            self._quarantine_it(event)
        elif isinstance(event, Subscribed):
            self._acknowledge(event)
        elif isinstance(event, Disconnected):
            lost = self._flowing | self.bars.keys() if event.symbols is None else event.symbols
            self._ending.difference_update(lost)
            if self.quotes is not None:
                self.quotes.disconnected()
            self._break(lost)

    def _open(self, symbol: str) -> Bars | None:
        if symbol not in self._symbols:
            return None
        contiguous = self.stream.exchange.ids_contiguous
        bars = self.bars[symbol] = Bars(self.name, symbol, ids_contiguous=contiguous, buckets_max=BUCKETS_KEPT)
        if symbol in self._flowing:
            bars.acknowledged()
        return bars

    def _acknowledge(self, subscribed: Subscribed) -> None:
        """An older answer may still name what has been unsubscribed since: only one without it ends that."""
        if self.quotes is not None:
            self.quotes.acknowledged(subscribed.symbols)
        self._ending.intersection_update(subscribed.symbols)
        for symbol in set(subscribed.symbols).difference(self._ending):
            self._flowing.add(symbol)
            if symbol in self.bars:
                self.bars[symbol].acknowledged()

    def _end(self, symbols: Collection[str]) -> None:
        self._ending.update(symbols)
        self._break(symbols)

    def _break(self, symbols: Collection[str]) -> None:
        self._flowing.difference_update(symbols)
        for symbol in symbols:
            if symbol in self.bars:
                self.bars[symbol].disconnected()

    def take_quoted(self) -> list[tuple[str, Sequence[Change]]]:
        """The candles of quotes that are not as they were, by symbol."""
        bars = self.quotes.bars if self.quotes is not None else {}
        return [(symbol, one.take()) for symbol, one in bars.items()]

    def take_trade(self, bars: Bars, trade: Trade) -> None:
        """Take a trade, wherever it came from."""
        self.handle((trade,))

    def _tidy(self) -> None:
        """Hold what waits within its bounds, once in PENDING_TRADES_MAX trades, whatever their symbols."""
        self._tidy_at = self.trades_seen + PENDING_TRADES_MAX
        for bars in self.bars.values():
            bars.fold()
        if len(self.trades) > self._trades_max:
            dropped = len(self.trades) // 10
            del self.trades[:dropped]
            self.trades_dropped += dropped
            self._dropped_in_flight += dropped

    def take_trades(self, most: int) -> list[Trade]:
        """The first `most` of the trades to keep; they stay until `forget_trades`."""
        self._dropped_in_flight = 0
        return self.trades[:most]

    def forget_trades(self, count: int) -> None:
        """The store has the `count` trades that were taken."""
        del self.trades[: max(0, count - self._dropped_in_flight)]

    def _beat(self, heartbeat: Heartbeat) -> None:
        if self.quotes is not None:
            self.quotes.beat(heartbeat)
        if heartbeat.symbol is not None and heartbeat.last_trade_id is not None:
            self.told[heartbeat.symbol] = max(heartbeat.last_trade_id, self.told.get(heartbeat.symbol, 0))
            self.words[heartbeat.symbol] = self.words.get(heartbeat.symbol, 0) + 1
        if heartbeat.symbol is None:
            for bars in self.bars.values():
                bars.heartbeat(heartbeat)
        elif heartbeat.symbol in self.bars:
            self.bars[heartbeat.symbol].heartbeat(heartbeat)

    def _quarantine_it(self, malformed: Malformed) -> None:
        self.quarantine.append(Quarantined(malformed.reason, malformed.excerpt))
        if self.stream.status.malformed % MALFORMED_LOGGED_EVERY <= 1:
            logger.warning(
                "malformed frame quarantined",
                extra={"exchange": self.name, "reason": malformed.reason, "excerpt": malformed.excerpt},
            )


def is_whole_run(candle: Candle) -> bool:
    """Whether a candle is proven and holds every id from its first to its last: at an edge ids may interleave."""
    if candle.source is not Source.PROVEN or candle.first_id is None or candle.last_id is None:
        return False
    return candle.trades == candle.last_id - candle.first_id + 1
