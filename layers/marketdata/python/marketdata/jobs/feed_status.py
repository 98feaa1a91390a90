"""What a feed says of an exchange: how its stream is, and what its trade ids showed. Called by follow_live."""

from dataclasses import replace
from datetime import datetime

from marketdata.compute.continuity import Contiguity
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.model.times import utc
from marketdata.store.answers import FeedStatus, TroubledInstrument
from marketdata.store.limits import TROUBLED_MAX


def feed_status(
    followed: FollowedExchange,
    *,
    feed_id: str,
    started_at: datetime,
    now: datetime,
    spooled: int,
    spool_max: int,
    failing: str,
) -> FeedStatus:
    """As of now; `spooled` candles, of at most `spool_max`, wait for the store.

    It is `failing` with that reason, or not at all.
    """
    stream = followed.stream.status
    every = [_instrument(followed, symbol) for symbol in followed.bars]
    total = Contiguity()
    for one in every:
        total.add(one.contiguity)
    return FeedStatus(
        exchange=followed.name,
        feed_id=feed_id,
        state=stream.state,
        started_at=started_at,
        updated_at=now,
        last_message_at=stream.last_message_at,
        last_trade_at=None if followed.last_trade_ns is None else utc(followed.last_trade_ns),
        symbols=len(stream.subscribed),
        trades=followed.trades_seen,
        reconnects=max(0, stream.connects - 1 - stream.cuts),
        malformed=stream.malformed,
        spooled=spooled,
        detail=failing or stream.detail or stream.refused,
        contiguity=total,
        missing=sum(one.missing for one in every),
        troubled=_worst(every),
        spool_max=spool_max,
    )


def _instrument(followed: FollowedExchange, symbol: str) -> TroubledInstrument:
    missing = sum(last - first + 1 for first, last in followed.holes(symbol))
    return TroubledInstrument(symbol, missing, replace(followed.bars[symbol].contiguity))


def _worst(every: list[TroubledInstrument]) -> tuple[TroubledInstrument, ...]:
    """Those with most missing, then most violations, then most holes; an instrument without any has no trouble."""
    troubled = [one for one in every if any(_trouble(one))]
    return tuple(sorted(troubled, key=_trouble, reverse=True)[:TROUBLED_MAX])


def _trouble(one: TroubledInstrument) -> tuple[int, int, int]:
    return one.missing, one.contiguity.violations, one.contiguity.holes
