"""Tell the hub what the feed knows. Used by follow_live, flush_live, announce_revisions and announce_news."""

from typing import Protocol

from marketdata.compute.bars import Change
from marketdata.jobs.live_documents import candle_document, status_document
from marketdata.model.instrument import Instrument
from marketdata.store.answers import FeedStatus


class Publish(Protocol):
    """How the hub is told; it never waits."""

    def __call__(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        """Publish one event of `kind` (candle, revise, gap, status, alert)."""
        ...


def announce_candle(publish: Publish, instrument: Instrument, change: Change) -> None:
    """Tell of a candle: of an open one only the newest state counts, a closed one must be told."""
    kind = "revise" if change.revised else "candle"
    key = None if change.closed else f"{instrument.exchange}:{instrument.symbol}:{change.candle.open_time}"
    document = candle_document(change, simulated=instrument.simulated)
    publish(kind, instrument.exchange, instrument.symbol, document, conflation_key=key)


def announce_status(publish: Publish, status: FeedStatus) -> None:
    """Tell how one exchange is followed."""
    publish("status", status.exchange, "", status_document(status))
