"""What the system knows of itself: its feeds, its instruments, how old everything is. Called by the api function."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import msgspec

from marketdata.compute.continuity import Contiguity
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1
from marketdata.model.times import rfc3339
from marketdata.serve.decimals import plain
from marketdata.serve.json_types import Instant
from marketdata.store.answers import FeedStatus
from marketdata.store.store import Store

# A feed speaks every few seconds; one that has not for this long is not what it last said.
SILENCE_MAX = timedelta(seconds=30)
# Each instrument's newest candle is one question to the store.
NEWEST_MAX = 25

UNKNOWN = "unknown"
STOPPED = "stopped"


class ContiguityRecord(msgspec.Struct, frozen=True):
    """See compute/continuity; `missing` is how many trade ids are known to be missing now."""

    missing: int
    trades: int
    duplicates: int
    holes: int
    mended: int
    absent: int
    conflicting: int
    backwards: int
    violations: int


class TroubledInstrument(msgspec.Struct, frozen=True):
    symbol: str
    contiguity: ContiguityRecord


class FeedRecord(msgspec.Struct, frozen=True):
    """`state` is unknown when the feed has fallen silent; `age_seconds` is how long ago it spoke.

    `contiguity` sums over the instruments; `troubled` are those of them with most missing, violations and holes.
    """

    exchange: str
    feed_id: str
    state: str
    simulated: bool
    started_at: Instant
    updated_at: Instant
    age_seconds: float
    last_message_at: Instant | None
    last_trade_at: Instant | None
    trade_age_seconds: float | None
    symbols: int
    trades: int
    reconnects: int
    malformed: int
    spooled: int
    detail: str
    contiguity: ContiguityRecord
    troubled: list[TroubledInstrument]


class NewestCandle(msgspec.Struct, frozen=True):
    open_time: Instant
    close: str
    source: str
    age_seconds: float


class InstrumentRecord(msgspec.Struct, frozen=True):
    """`newest` is null where nothing is held, and left out for instruments beyond the first `newest_of_first`."""

    exchange: str
    symbol: str
    base: str
    quote: str
    canonical: str
    timeframes: list[str]
    active: bool
    simulated: bool
    calendar: str
    newest: NewestCandle | msgspec.UnsetType | None = msgspec.UNSET


class LimitedExchange(msgspec.Struct, frozen=True):
    """An exchange that asked everybody for silence; `reason` is what it said."""

    exchange: str
    limited_until: Instant
    reason: str


class Status(msgspec.Struct, frozen=True):
    as_of: Instant
    simulated: bool
    feeds: list[FeedRecord]
    limits: list[LimitedExchange]
    instruments: list[InstrumentRecord]
    newest_of_first: int


class Instruments(msgspec.Struct, frozen=True):
    data: list[InstrumentRecord]


def report_status(store: Store, now: datetime) -> str:
    """Feeds, and active instruments with the age of their newest 1m candle, as JSON. Raises: StoreError."""
    instruments = store.instruments(active_only=True)
    simulated = {instrument.exchange for instrument in instruments if instrument.simulated}
    status = Status(
        as_of=rfc3339(now),
        simulated=bool(simulated),
        feeds=[_feed(feed, feed.exchange in simulated, now) for feed in store.feed_statuses()],
        limits=[
            LimitedExchange(limit.exchange, rfc3339(limit.blocked_until), limit.reason)
            for limit in store.limited_exchanges()
        ],
        instruments=_with_newest(store, instruments, now),
        newest_of_first=NEWEST_MAX,
    )
    return msgspec.json.encode(status).decode()


def list_instruments(instruments: Sequence[Instrument]) -> str:
    """What is followed, active or not, as JSON."""
    return msgspec.json.encode(Instruments([_described(instrument) for instrument in instruments])).decode()


def _feed(feed: FeedStatus, simulated: bool, now: datetime) -> FeedRecord:
    silent = now - feed.updated_at > SILENCE_MAX and feed.state != STOPPED
    return FeedRecord(
        exchange=feed.exchange,
        feed_id=feed.feed_id,
        state=UNKNOWN if silent else feed.state,
        simulated=simulated,
        started_at=rfc3339(feed.started_at),
        updated_at=rfc3339(feed.updated_at),
        age_seconds=(now - feed.updated_at).total_seconds(),
        last_message_at=_time(feed.last_message_at),
        last_trade_at=_time(feed.last_trade_at),
        trade_age_seconds=(now - feed.last_trade_at).total_seconds() if feed.last_trade_at else None,
        symbols=feed.symbols,
        trades=feed.trades,
        reconnects=feed.reconnects,
        malformed=feed.malformed,
        spooled=feed.spooled,
        detail=feed.detail,
        contiguity=_contiguity(feed.contiguity, feed.missing),
        troubled=[TroubledInstrument(one.symbol, _contiguity(one.contiguity, one.missing)) for one in feed.troubled],
    )


def _contiguity(counts: Contiguity, missing: int) -> ContiguityRecord:
    return ContiguityRecord(missing=missing, violations=counts.violations, **asdict(counts))


def _with_newest(store: Store, instruments: Sequence[Instrument], now: datetime) -> list[InstrumentRecord]:
    asked = [_described(one, _newest(store, one, now)) for one in instruments[:NEWEST_MAX]]
    return asked + [_described(one) for one in instruments[NEWEST_MAX:]]


def _newest(store: Store, instrument: Instrument, now: datetime) -> NewestCandle | None:
    found: list[Candle] = store.candles(instrument, M1, start=None, end=None, limit=1, newest_first=True)
    if not found:
        return None
    candle = found[0]
    age_seconds = (now - candle.open_time).total_seconds()
    return NewestCandle(rfc3339(candle.open_time), plain(candle.close), candle.source.label, age_seconds)


def _described(
    instrument: Instrument, newest: NewestCandle | msgspec.UnsetType | None = msgspec.UNSET
) -> InstrumentRecord:
    return InstrumentRecord(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        canonical=instrument.canonical,
        timeframes=[timeframe.name for timeframe in instrument.timeframes],
        active=instrument.active,
        simulated=instrument.simulated,
        calendar=instrument.calendar.value,
        newest=newest,
    )


def _time(time: datetime | None) -> str | None:
    return rfc3339(time) if time else None
