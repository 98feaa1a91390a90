"""The Exchange feed, as wss://ws-feed.exchange.coinbase.com speaks it: `matches` and `heartbeat`.

Source: docs/add-an-exchange.md#coinbase. A refused request is ignored whole and leaves earlier subscriptions alone.
"""

from datetime import datetime, timedelta

from local.exchanges.coinbase_wire import (
    Refusal,
    encode,
    match,
    microseconds,
    parse_request,
    requested_products,
    sequence,
)
from local.exchanges.faults import Faults
from local.exchanges.session import Every, TradeLine
from local.exchanges.tape import Market

_MATCHES, _HEARTBEAT = "matches", "heartbeat"
_AUTHENTICATED = frozenset({"level2", "level3", "full"})


class FeedSession:
    """One client's subscriptions and what it has yet to be told."""

    def __init__(
        self, tape: Market, faults: Faults, connection: int, now: datetime, *, beat: timedelta = timedelta(seconds=1)
    ) -> None:
        self.subscribed = False
        self._tape = tape
        self._faults = faults
        self._connection = connection
        self._matches: dict[str, TradeLine] = {}
        self._heartbeats: dict[str, None] = {}
        self._beat = Every(beat, now)

    def receive(self, text: str, now: datetime) -> list[str]:
        """The answer to a request: `last_match` for each product newly followed, then `subscriptions`; or `error`."""
        try:
            request = parse_request(text)
            channels = _channels(request, self._tape)
        except Refusal as refusal:
            return [self._frame({"type": "error", "message": "Failed to subscribe", "reason": str(refusal)})]
        if request["type"] == "subscribe":
            return self._subscribe(channels, now)
        return self._unsubscribe(channels)

    def tick(self, now: datetime) -> list[str]:
        """Matches since the last tick, and with every beat a heartbeat for each product. Raises: FellBehind."""
        trades = [trade for line in self._matches.values() for trade in line.due(now)]
        frames = [self._frame(match("match", trade)) for trade in trades]
        if self._beat.is_due(now):
            frames.extend(self._heartbeat_frames(now))
        return frames

    def _subscribe(self, channels: dict[str, list[str]], now: datetime) -> list[str]:
        self.subscribed = True
        frames = []
        for symbol in channels.get(_MATCHES, []):
            if symbol not in self._matches:
                self._matches[symbol] = TradeLine(self._tape, symbol, self._faults, self._connection, now)
                frames.extend(self._last_match(symbol, now))
        self._heartbeats.update(dict.fromkeys(channels.get(_HEARTBEAT, [])))
        return [*frames, self._subscriptions()]

    def _unsubscribe(self, channels: dict[str, list[str]]) -> list[str]:
        for symbol in channels.get(_MATCHES, []):
            self._matches.pop(symbol, None)
        for symbol in channels.get(_HEARTBEAT, []):
            self._heartbeats.pop(symbol, None)
        return [self._subscriptions()]

    def _subscriptions(self) -> str:
        """Everything this connection is subscribed to, not only what it just asked for."""
        state = {_MATCHES: list(self._matches), _HEARTBEAT: list(self._heartbeats)}
        channels = [
            {"name": name, "product_ids": symbols, "account_ids": None} for name, symbols in state.items() if symbols
        ]
        return self._frame({"type": "subscriptions", "channels": channels})

    def _last_match(self, symbol: str, now: datetime) -> list[str]:
        newest_id = self._tape.newest_id(symbol, now)
        trades = self._tape.trades_by_id(symbol, newest_id, newest_id + 1)
        return [self._frame(match("last_match", trade)) for trade in trades]

    def _heartbeat_frames(self, now: datetime) -> list[str]:
        symbols = [symbol for symbol in self._heartbeats if not self._faults.mutes_heartbeats(symbol)]
        frames = [self._heartbeat(symbol, now) for symbol in symbols]
        if self._faults.unknowns:
            frames.append(self._frame({"type": "auction_indicative", "product_ids": symbols}))
        return frames

    def _heartbeat(self, symbol: str, now: datetime) -> str:
        newest_id = self._tape.newest_id(symbol, now)
        document = {"type": "heartbeat", "last_trade_id": newest_id, "product_id": symbol}
        return self._frame({**document, "sequence": sequence(newest_id), "time": microseconds(now)})

    def _frame(self, document: dict[str, object]) -> str:
        return encode({**document, "unheard_of": {"since": 2031}} if self._faults.unknowns else document)


def _channels(request: dict[str, object], tape: Market) -> dict[str, list[str]]:
    """The products asked for by channel. Raises: Refusal."""
    channels = request.get("channels")
    if not isinstance(channels, list) or not channels:
        raise Refusal("No channels provided")
    asked: dict[str, list[str]] = {}
    for channel in channels:
        name, products = _channel(channel, request.get("product_ids"))
        asked.setdefault(name, []).extend(requested_products(products, tape.products))
    return asked


def _channel(channel: object, products: object) -> tuple[str, object]:
    """A channel is a name, or an object with products of its own."""
    if isinstance(channel, dict):
        name, products = channel.get("name"), channel.get("product_ids", products)
    else:
        name = channel
    if isinstance(name, str) and name in _AUTHENTICATED:
        raise Refusal("level2, level3, and full channels now require authentication.")
    if not isinstance(name, str) or name not in (_MATCHES, _HEARTBEAT):
        raise Refusal(f"{name} is not a valid channel")
    return name, products
