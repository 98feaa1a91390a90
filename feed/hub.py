"""The live hub: what the feed publishes goes to every client that wants it, and no client can slow the feed.

A line publishes (feed/line.py); the gateway subscribes, once for each client. Publishing appends to a ring, and a
client is a place in that ring: a slow one costs no memory. What it has not read yet is handed over as one write.
"""

import asyncio

from marketdata.errors import MarketDataError
from marketdata.serve import sse

from feed.audience import Audience, Interest
from feed.ring import Event, Ring
from feed.subscription import Subscription

KINDS = ("trade", "candle", "revise", "gap", "status", "alert")


class HubUnavailable(MarketDataError):
    """No more clients now: the hub is full or has closed."""


class Hub:
    """The stream of events `epoch-1`, `epoch-2` and so on, and its clients; a new process needs a new `epoch`.

    `ring_events_max` is the window that a client can resume over; `client_events_max` is what it may leave unread
    before it is dropped. A burst is handed over every `hold_seconds`, an event after a quiet time at once.
    """

    def __init__(
        self,
        epoch: str,
        *,
        ring_events_max: int = 32_768,
        client_events_max: int = 4_096,
        clients_max: int = 1_000,
        hold_seconds: float = 0.05,
    ) -> None:
        self._ring = Ring(epoch, ring_events_max)
        self._client_events_max = client_events_max
        self._clients_max = clients_max
        self._hold_seconds = hold_seconds
        self._audiences: dict[Interest, Audience] = {}
        self._listeners: dict[tuple[str, str, str], list[Audience]] = {}
        self._stirred: set[Audience] = set()
        self._wake_timer: asyncio.TimerHandle | None = None
        self._woke_at = 0.0
        self._closed = False

    @property
    def epoch(self) -> str:
        """Whose numbers these are."""
        return self._ring.epoch

    @property
    def head(self) -> int:
        """The newest event's number."""
        return self._ring.head

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return sum(len(audience.members) for audience in self._audiences.values())

    @property
    def events_kept(self) -> int:
        """How many events a client could still resume over."""
        return len(self._ring)

    def publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        """Append an event to the stream; called on the event loop, waits for nobody.

        `document` is encoded JSON; `symbol` is empty for what concerns the whole exchange. `conflation_key` names the
        thing whose newest state this is, an open candle for example: a client that has not read an older state
        never will. What must be told, as a closed candle must, has none.
        """
        self.put(self._ring.head + 1, kind, exchange, symbol, document, conflation_key=conflation_key)

    def put(
        self,
        sequence: int,
        kind: str,
        exchange: str,
        symbol: str,
        document: bytes,
        *,
        conflation_key: str | None = None,
    ) -> None:
        """As `publish`, of an event that has its place already: the one after the newest."""
        assert kind in KINDS, kind
        encoded = sse.event(kind, document, self._ring.event_id(sequence))
        lost = self._ring.append(Event(sequence, kind, exchange, symbol, encoded, conflation_key))
        if lost is not None:
            for audience in self._listening(lost.kind, lost.exchange, lost.symbol):
                audience.lost = lost.sequence
        for audience in self._listening(kind, exchange, symbol):
            audience.newest = sequence
            self._stir(audience)

    def begin(self, epoch: str, head: int) -> None:
        """Go on after `head` of `epoch`: what lies between is lost, which every client is told (`reset`)."""
        self._ring.begin(epoch, head)
        for audience in self._audiences.values():
            audience.begin()
            self._stir(audience)

    def is_ahead(self, event_id: str) -> bool:
        """Whether an event of this stream is meant that has not come here yet."""
        sequence = self._ring.sequence_ahead(event_id)
        return sequence is not None and sequence > self._ring.head

    def subscribe(
        self,
        exchange: str | None = None,
        symbols: frozenset[str] | None = None,
        kinds: frozenset[str] | None = None,
        last_event_id: str | None = None,
    ) -> Subscription:
        """A new client, from now on or from just after `last_event_id`. Close the subscription when it has gone.

        Raises: HubUnavailable.
        """
        if self._closed or self.clients >= self._clients_max:
            raise HubUnavailable("the stream has ended" if self._closed else "the stream has as many clients as it can")
        audience = self._audience(Interest(exchange, symbols, kinds))
        subscription = Subscription(
            self._ring,
            audience,
            self._ring.head if last_event_id is None else self._resumable(last_event_id, audience),
            events_max=self._client_events_max,
            leave=lambda leaving: self._release(leaving, audience),
        )
        audience.members.add(subscription)
        return subscription

    def close(self) -> None:
        """End all streams and take no new client."""
        self._closed = True
        for audience in list(self._audiences.values()):
            for subscription in list(audience.members):
                subscription.close()

    def _audience(self, interest: Interest) -> Audience:
        if interest not in self._audiences:
            self._audiences[interest] = Audience(interest, self._ring)
            self._listeners.clear()
        return self._audiences[interest]

    def _release(self, subscription: Subscription, audience: Audience) -> None:
        audience.members.remove(subscription)
        if not audience.members:
            del self._audiences[audience.interest]
            self._listeners.clear()

    def _resumable(self, event_id: str, audience: Audience) -> int | None:
        position = self._ring.sequence_of(event_id)
        return position if position is not None and position >= audience.lost else None

    def _listening(self, kind: str, exchange: str, symbol: str) -> list[Audience]:
        about = (kind, exchange, symbol)
        listeners = self._listeners.get(about)
        if listeners is None:
            listeners = [audience for audience in self._audiences.values() if audience.interest.covers(*about)]
            self._listeners[about] = listeners
        return listeners

    def _stir(self, audience: Audience) -> None:
        self._stirred.add(audience)
        if self._wake_timer is None:
            loop = asyncio.get_running_loop()
            wait_seconds = max(0.0, self._woke_at + self._hold_seconds - loop.time())
            self._wake_timer = loop.call_later(wait_seconds, self._wake)

    def _wake(self) -> None:
        self._wake_timer = None
        self._woke_at = asyncio.get_running_loop().time()
        stirred, self._stirred = self._stirred, set()
        for audience in stirred:
            audience.announce()
