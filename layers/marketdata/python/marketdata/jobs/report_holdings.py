"""What is held of each instrument, from when to when, in our words and in those of other services.

Called by the api function: /v1/metadata, /api/metadata, /symbols, /status.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from marketdata.errors import TooLarge
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.instrument import Instrument
from marketdata.model.times import EPOCH, rfc3339
from marketdata.serve.json_types import Instant
from marketdata.serve.params import MetadataQuery
from marketdata.store.figures import Holding
from marketdata.store.limits import HELD_MAX
from marketdata.store.store import Store

# A candle is expected this long after its bucket closed: settled, scanned and rolled up.
LATENESS = timedelta(minutes=5)

_SECOND = timedelta(seconds=1)


class TimeframeRecord(msgspec.Struct, frozen=True):
    """Candles are held that open from `earliest` on; the newest one opens at `latest`."""

    timeframe: str
    earliest: Instant
    latest: Instant


class MetadataRecord(msgspec.Struct, frozen=True):
    """`earliest` and `latest` of the finest timeframe; null where nothing is held.

    `tick_count`: how many trades (quotes where the market is quoted) went into the candles, as far as they count them.
    """

    exchange: str
    symbol: str
    canonical: str
    active: bool
    simulated: bool
    earliest: Instant | None
    latest: Instant | None
    tick_count: int | None
    timeframes: list[TimeframeRecord]


class MetadataMeta(msgspec.Struct, frozen=True):
    """`as_of` is when it was looked up."""

    as_of: Instant


class Metadata(msgspec.Struct, frozen=True):
    """The whole answer of /v1/metadata."""

    data: list[MetadataRecord]
    meta: MetadataMeta


class UnixMetadata(msgspec.Struct, frozen=True):
    """From when to when there is data, in Unix seconds; `latest` is the last second of the newest minute."""

    symbol: str
    exchange: str
    earliest: int | None
    latest: int | None
    tick_count: int
    timeframes: list[str]


UnixMetadataAnswer = UnixMetadata | list[UnixMetadata]
SymbolsByExchange = dict[str, list[str]]


class IngestionStatus(msgspec.Struct, frozen=True):
    """One timeframe of one symbol. `status`: current, behind if a candle is overdue, or empty."""

    exchange: str
    symbol: str
    timeframe: str
    status: str
    earliest: Instant | None
    latest: Instant | None
    age_seconds: float | None
    simulated: bool


IngestionStatuses = list[IngestionStatus]


def report_metadata(store: Store, instruments: KnownInstruments, now: datetime, query: MetadataQuery) -> str:
    """/v1/metadata as JSON. Raises: RequestInvalid, TooLarge, StoreError."""
    chosen = _chosen(instruments, query)
    held = _held(store, chosen)
    records = [_record(one, held[one.key]) for one in chosen]
    return msgspec.json.encode(Metadata(records, MetadataMeta(rfc3339(now)))).decode()


def report_unix_metadata(store: Store, instruments: KnownInstruments, now: datetime, query: MetadataQuery) -> str:
    """/api/metadata as JSON: one object for one symbol, a list for all. Raises: as report_metadata."""
    chosen = _chosen(instruments, query)
    held = _held(store, chosen)
    records = [_unix(one, held[one.key], now) for one in chosen]
    return msgspec.json.encode(records if query.symbol is None else records[0]).decode()


def list_symbols(instruments: Iterable[Instrument]) -> str:
    """/symbols as JSON: the symbols that are followed, by exchange."""
    symbols: defaultdict[str, list[str]] = defaultdict(list)
    for one in instruments:
        if one.active:
            symbols[one.exchange].append(one.symbol)
    return msgspec.json.encode(symbols).decode()


def report_ingestion(store: Store, instruments: KnownInstruments, now: datetime) -> str:
    """/status as JSON: each timeframe of each active symbol. Raises: TooLarge, StoreError."""
    active = _at_most([one for one in instruments.all() if one.active])
    held = _held(store, active)
    return msgspec.json.encode([record for one in active for record in _statuses(one, held[one.key], now)]).decode()


def _chosen(instruments: KnownInstruments, query: MetadataQuery) -> list[Instrument]:
    if query.symbol is not None:
        return [instruments.find(query.symbol, query.exchange)]
    exchange = instruments.exchange(query.exchange) if query.exchange is not None else None
    return _at_most([one for one in instruments.all() if exchange in {None, one.exchange}])


def _at_most(chosen: list[Instrument]) -> list[Instrument]:
    if len(chosen) > HELD_MAX:
        raise TooLarge(
            "symbol", f"there are {len(chosen):,} instruments, more than {HELD_MAX:,}; name one, or an exchange"
        )
    return chosen


def _held(store: Store, chosen: Sequence[Instrument]) -> defaultdict[tuple[str, str], list[Holding]]:
    """The holdings of each instrument, finest first; one question."""
    held: defaultdict[tuple[str, str], list[Holding]] = defaultdict(list)
    for holding in store.holdings(chosen) if chosen else ():
        held[holding.instrument.key].append(holding)
    return held


def _ticks(held: Sequence[Holding]) -> int | None:
    return next((one.trades for one in held if one.trades is not None), None)


def _record(instrument: Instrument, held: Sequence[Holding]) -> MetadataRecord:
    return MetadataRecord(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        canonical=instrument.canonical,
        active=instrument.active,
        simulated=instrument.simulated,
        earliest=rfc3339(held[0].oldest) if held else None,
        latest=rfc3339(held[0].newest) if held else None,
        tick_count=_ticks(held),
        timeframes=[TimeframeRecord(one.timeframe.name, rfc3339(one.oldest), rfc3339(one.newest)) for one in held],
    )


def _unix(instrument: Instrument, held: Sequence[Holding], now: datetime) -> UnixMetadata:
    finest = held[0] if held else None
    last = min(now, finest.newest + finest.timeframe.duration - _SECOND) if finest else None
    return UnixMetadata(
        symbol=instrument.symbol,
        exchange=instrument.exchange,
        earliest=(finest.oldest - EPOCH) // _SECOND if finest else None,
        latest=(last - EPOCH) // _SECOND if last else None,
        tick_count=_ticks(held) or 0,
        timeframes=[one.timeframe.name for one in held],
    )


def _statuses(instrument: Instrument, held: Sequence[Holding], now: datetime) -> Iterable[IngestionStatus]:
    by_timeframe = {one.timeframe: one for one in held}
    for timeframe in sorted(instrument.timeframes, key=lambda one: one.minutes):
        one = by_timeframe.get(timeframe)
        # The newest one is made anew with every minute: it is overdue when the one after it should have been begun.
        due = one.newest + 2 * timeframe.duration + LATENESS if one else now
        yield IngestionStatus(
            exchange=instrument.exchange,
            symbol=instrument.symbol,
            timeframe=timeframe.name,
            status="empty" if one is None else "current" if now < due else "behind",
            earliest=rfc3339(one.oldest) if one else None,
            latest=rfc3339(one.newest) if one else None,
            age_seconds=(now - one.newest).total_seconds() if one else None,
            simulated=instrument.simulated,
        )
