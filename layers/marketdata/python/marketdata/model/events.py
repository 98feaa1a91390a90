"""What an exchange's live stream says, in one vocabulary for all exchanges. A Trade or a Quote is an event too."""

from decimal import Decimal

import msgspec

from marketdata.model.quote import Quote
from marketdata.model.trade import Trade


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """The exchange is alive; with `symbol`, also that `last_trade_id` was that symbol's newest trade at `time_ns`.

    `last_trade_id` is None where the exchange does not know (Coinbase says 0).
    """

    symbol: str | None
    last_trade_id: int | None
    time_ns: int


class Subscribed(msgspec.Struct, frozen=True):
    """The exchange confirmed that trades of exactly these symbols flow on this connection.

    What it repeats of the past when a symbol is subscribed is handed out before this, never after: from here on a trade
    that is newer than all before it has just happened.
    """

    symbols: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True):
    """The exchange refused something we asked on this connection."""

    reason: str


class Malformed(msgspec.Struct, frozen=True):
    """One item of an otherwise good frame could not be read; it is quarantined with its excerpt."""

    reason: str
    excerpt: str


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A well-formed frame of a kind that nothing here uses; counted by `kind`."""

    kind: str


class CutAnnounced(msgspec.Struct, frozen=True):
    """The exchange said that it is about to end this connection; the next one is to be made now."""

    reason: str


class Paused(msgspec.Struct, frozen=True):
    """The exchange said that it trades nothing for a while; its connection may be silent until it announces a cut."""

    reason: str


class Disconnected(msgspec.Struct, frozen=True):
    """The connection ended: from here on trades may be missing. A fact of the stream, not a log line.

    `symbols` are those that the connection carried; None means all.
    """

    reason: str
    symbols: frozenset[str] | None = None


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What the exchange says of one of its own minutes so far, to check ours by: compute/audit.

    The trades with the ids from `first_id` to `last_id` fold to these figures; `closed`: no more trades come.
    """

    symbol: str
    open_time_ns: int
    said_at_ns: int
    closed: bool
    first_id: int
    last_id: int
    trades: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    taker_buy_volume: Decimal


Event = (
    Trade
    | Quote
    | Heartbeat
    | Subscribed
    | Refused
    | Malformed
    | Ignored
    | CutAnnounced
    | Paused
    | Disconnected
    | Claim
)
