"""Take trades that someone pushes: keep them, and make the candles of their minutes anew. Called by functions/ingest.

The candles come from every trade that the store holds of those minutes, read after the new ones were written, so that a
retry, a duplicate, another order or a second pusher at the same time ends in the same candles.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from marketdata.clock import Clock
from marketdata.compute.bars import Bars
from marketdata.compute.coverage import Spans, union
from marketdata.compute.fold_pushed import fold_pushed
from marketdata.errors import StoreError, TooLarge
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import utc
from marketdata.model.trade import Trade
from marketdata.serve.pushed_trades import Pushed, Rejected, read_batch, read_trades
from marketdata.store.pushed_ticks import Kept
from marketdata.store.store import Store

MINUTES_MAX = 120
"""Distinct minutes of one request: each may be a question to the store."""

TRADES_A_READ = 10_000
READS_MAX = 100
# A minute is proven by the trades before and after it, and proves its neighbours: those two minutes away are read too.
PROOF_MARGIN = timedelta(minutes=2)

Changed = Callable[[Collection[tuple[str, str]]], None]
"""Hears of (exchange, symbol)."""

_Key = tuple[int, int]
_Fates = tuple[int, int, list[Rejected]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the trades of one request."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...]

    def document(self) -> str:
        """As JSON."""
        return msgspec.json.encode(self).decode()


def take_ticks(
    store: Store,
    instruments: KnownInstruments,
    clock: Clock,
    body: bytes,
    *,
    ids_contiguous: Callable[[str], bool],
    changed: Changed = lambda _: None,
) -> Taken:
    """Keep the good trades of `body` even if others are rejected.

    `ids_contiguous` says of an exchange whether a run of its trade ids proves a candle; elsewhere pushed trades make
    partial candles, because nothing shows that none is missing. `changed` hears whose candles changed, or may have.
    Raises: RequestInvalid if `body` as a whole cannot be taken; StoreError, after which the same request may be sent
    again.
    """
    batch = read_batch(body)
    exchange = instruments.exchange(batch.exchange)
    pushed, rejected = read_trades(batch.trades, lambda symbol: instruments.find(symbol, exchange), clock.now())
    return keep_pushed(store, pushed, rejected, ids_contiguous=ids_contiguous, changed=changed)


def keep_pushed(
    store: Store,
    pushed: Sequence[Pushed],
    rejected: Sequence[Rejected],
    *,
    ids_contiguous: Callable[[str], bool],
    changed: Changed = lambda _: None,
) -> Taken:
    """Keep what is new of `pushed`, of any exchanges, and make its candles anew. Raises: TooLarge, StoreError."""
    _check_minutes(pushed)
    alone = [one for one in pushed if one.instrument.pushed]
    others = [one for one in pushed if not one.instrument.pushed]
    try:
        parts = (_keep_alone(store, alone), _keep_traded(store, others, ids_contiguous))
    finally:
        # After a failure too: a part of it may have been written.
        changed({one.instrument.key for one in pushed})
    conflicts = [one for _, _, conflicts in parts for one in conflicts]
    in_order = sorted([*rejected, *conflicts], key=lambda one: one.index)
    return Taken(sum(fresh for fresh, _, _ in parts), sum(repeated for _, repeated, _ in parts), tuple(in_order))


def _keep_alone(store: Store, pushed: Sequence[Pushed]) -> _Fates:
    """Ticks of markets that are only pushed: the store counts and folds them, in one step each."""
    fates: list[tuple[Pushed, Kept]] = []
    for exchange in sorted({one.instrument.exchange for one in pushed}):
        here = [one for one in pushed if one.instrument.exchange == exchange]
        fates += zip(here, store.keep_ticks(exchange, [one.trade for one in here]), strict=True)
    for instrument, touched in _spans(pushed, lambda _: False).items():
        store.fold_ticks(instrument, touched)
    conflicts = [_conflict(one) for one, kept in fates if kept is Kept.CONFLICT]
    counts = Counter(kept for _, kept in fates)
    return counts[Kept.ADDED], counts[Kept.DUPLICATE], conflicts


def _keep_traded(store: Store, pushed: Sequence[Pushed], ids_contiguous: Callable[[str], bool]) -> _Fates:
    """Trades of exchanges that others are asked about too."""
    spans = _spans(pushed, ids_contiguous)
    held = {instrument: _read_all(store, instrument, touched) for instrument, touched in spans.items()}
    fresh, repeated, conflicts = _sort_out(pushed, held)
    for exchange in sorted({one.instrument.exchange for one in fresh}):
        store.put_trades(exchange, [one.trade for one in fresh if one.instrument.exchange == exchange])
    for instrument, touched in spans.items():
        trades = _read_all(store, instrument, touched)
        store.put_candles(_candles(instrument, trades, contiguous=ids_contiguous(instrument.exchange)))
    return len(fresh), repeated, conflicts


def _check_minutes(pushed: Sequence[Pushed]) -> None:
    minutes = {(one.instrument.key, M1.floor_ns(one.trade.time_ns)) for one in pushed}
    if len(minutes) > MINUTES_MAX:
        raise TooLarge("trades", f"are of {len(minutes)} minutes; send those of at most {MINUTES_MAX} at once")


def _spans(pushed: Sequence[Pushed], ids_contiguous: Callable[[str], bool]) -> dict[Instrument, Spans]:
    """The time to read of each instrument: the touched minutes, and what is around them where ids prove something."""
    by_key = {one.instrument.key: one.instrument for one in pushed}
    touched: defaultdict[Instrument, list[Span]] = defaultdict(list)
    for key, start_ns in sorted({(one.instrument.key, M1.floor_ns(one.trade.time_ns)) for one in pushed}):
        margin = PROOF_MARGIN if ids_contiguous(by_key[key].exchange) else timedelta(0)
        start = utc(start_ns)
        touched[by_key[key]].append(Span(start - margin, start + M1.duration + margin))
    return {instrument: union(spans) for instrument, spans in touched.items()}


def _read_all(store: Store, instrument: Instrument, spans: Spans) -> list[Trade]:
    return [trade for span in spans for trade in _read_span(store, instrument, span)]


def _read_span(store: Store, instrument: Instrument, span: Span) -> list[Trade]:
    """Every trade of `span`, in pages that begin at the last time seen."""
    found: dict[_Key, Trade] = {}
    for _ in range(READS_MAX):
        page = store.trades(instrument, span, limit=TRADES_A_READ)
        found.update({_key(trade): trade for trade in page})
        if len(page) < TRADES_A_READ:
            return list(found.values())
        span = Span(utc(page[-1].time_ns), span.end)
    raise StoreError("trades", f"{instrument.symbol} has more than {len(found)} trades in {span}")


def _sort_out(
    pushed: Iterable[Pushed], held: dict[Instrument, list[Trade]]
) -> tuple[list[Pushed], int, list[Rejected]]:
    """The trades not held yet, how many are held already, and those that contradict one that is."""
    known = {(instrument.key, *_key(trade)): trade for instrument, trades in held.items() for trade in trades}
    fresh: list[Pushed] = []
    conflicts: list[Rejected] = []
    repeated = 0
    for one in pushed:
        before = known.setdefault((one.instrument.key, *_key(one.trade)), one.trade)
        if before is one.trade:
            fresh.append(one)
        elif _same(before, one.trade):
            repeated += 1
        else:
            conflicts.append(_conflict(one))
    return fresh, repeated, conflicts


def _candles(instrument: Instrument, trades: Sequence[Trade], *, contiguous: bool) -> list[Candle]:
    if not contiguous:
        return fold_pushed(instrument, trades)
    bars = Bars(instrument.exchange, instrument.symbol, ids_contiguous=True)
    for trade in trades:
        bars.add(trade)
    return [change.candle for change in bars.take()]


def _conflict(one: Pushed) -> Rejected:
    return Rejected(one.index, "id", f"{one.trade.id} is held with another price, size or side")


def _key(trade: Trade) -> _Key:
    return (trade.time_ns, trade.id)


def _same(one: Trade, other: Trade) -> bool:
    return (one.price, one.size, one.side) == (other.price, other.size, other.side)
