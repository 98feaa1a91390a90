"""Exports: order one, say how it is, and write those that wait. Called by the api and export functions.

The id of an order with an Idempotency-Key follows from the key, so the same order is the same export; a file's name
follows from the id, so an export that is written twice is one file. What breaks off begins again, three times at most.
"""

import secrets
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from marketdata.clock import Clock
from marketdata.errors import MarketDataError, NotFound, RequestInvalid, StoreError, Throttled, TooLarge
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.walk_candles import completeness_of, walk_months
from marketdata.jobs.write_candles import write_parquet
from marketdata.model.export import Export, ExportQuestion, ExportState
from marketdata.model.span import Span
from marketdata.model.timeframe import timeframe_named
from marketdata.model.times import rfc3339
from marketdata.serve.params import CandleQuery
from marketdata.store.exports import ATTEMPTS_MAX, WAITING_OF_CALLER_MAX
from marketdata.store.file_shelf import FileShelf
from marketdata.store.store import Store

BUCKETS_MAX = 1_000_000
"""Nearly two years of minutes: what one run writes in its time, at 20,000 rows a second."""
KEPT_FOR = timedelta(days=7)
LINK_SECONDS = 3_600
LEASE_MARGIN_SECONDS = 30.0
_GAPS_TOLD = 20


def order_export(
    store: Store, instruments: KnownInstruments, now: datetime, query: CandleQuery, *, caller: str, key: str | None
) -> Export:
    """Put an export into the queue, or find the one that `caller` ordered under `key`.

    Raises: RequestInvalid, TooLarge; Throttled while too many of the caller's, or of all, wait; StoreError.
    """
    instrument = instruments.find(query.symbol, query.exchange)
    if query.timeframe not in instrument.timeframes:
        kept = tuple(timeframe.name for timeframe in instrument.timeframes)
        raise RequestInvalid("timeframe", f"{query.timeframe} is not kept; there are {', '.join(kept)}", kept)
    if query.start is None:
        raise RequestInvalid("start", "is required for an export")
    end = min(query.end or now, now)
    if query.start >= end:
        raise RequestInvalid("start", "must be before end, and in the past")
    if (end - query.start) / query.timeframe.duration > BUCKETS_MAX:
        raise TooLarge("end", f"is more than {BUCKETS_MAX:,} buckets after start; export in parts")
    question = ExportQuestion(instrument.exchange, instrument.symbol, query.timeframe.name, query.start, end)
    ordered = store.order_export(_id(caller, key), caller, question, now=now, expires_at=now + KEPT_FOR)
    if ordered is None:
        raise Throttled(60, WAITING_OF_CALLER_MAX, 60, {})
    return ordered


def _id(caller: str, key: str | None) -> str:
    return secrets.token_hex(16) if key is None else sha256(f"{caller}\n{key}".encode()).hexdigest()[:32]


def find_export(store: Store, id: str, now: datetime) -> Export:
    """The export of that id. Raises: NotFound if there is none, or its time is over."""
    found = store.find_export(id) if len(id) == 32 else None
    if found is None or found.expires_at <= now:
        raise NotFound("export", "none of that id is here; they are kept for a week")
    return found


def export(
    store: Store, clock: Clock, deadline: datetime, *, shelf: FileShelf | None = None, worker: str | None = None
) -> dict[str, object]:
    """Write the exports that wait until `deadline`, and let go of those whose time is over; what was done."""
    if shelf is None:
        # Nobody could order one either.
        return {"done": 0, "failed": 0, "rows": 0, "expired": 0}
    done = failed = rows = 0
    expired = _forget_expired(store, shelf, clock.now())
    worker = worker or uuid4().hex
    while clock.now() < deadline:
        lease = (deadline - clock.now()).total_seconds() + LEASE_MARGIN_SECONDS
        found = store.claim_export(worker, now=clock.now(), lease_seconds=lease)
        if found is None:
            break
        written = _write_one(store, clock, deadline, shelf, found)
        done, failed, rows = done + (written is not None), failed + (written is None), rows + (written or 0)
        if written is None:
            break
    return {"done": done, "failed": failed, "rows": rows, "expired": expired}


def _write_one(store: Store, clock: Clock, deadline: datetime, shelf: FileShelf, found: Export) -> int | None:
    """Write one export; its rows, or None if that failed, which its row then says."""
    try:
        result = _write(store, clock, deadline, shelf, found)
    except MarketDataError as error:
        # What the store or the shelf could not do now they may do later; what is asked wrong stays wrong.
        again = isinstance(error, StoreError) and found.attempts < ATTEMPTS_MAX
        state = ExportState.QUEUED if again else ExportState.FAILED
        store.finish_export(found, now=clock.now(), state=state, result={}, error=str(error))
        return None
    store.finish_export(found, now=clock.now(), state=ExportState.DONE, result=result)
    rows = result["rows"]
    assert isinstance(rows, int)
    return rows


def _write(store: Store, clock: Clock, deadline: datetime, shelf: FileShelf, found: Export) -> dict[str, object]:
    question, timeframe = found.question, timeframe_named(found.question.timeframe)
    instrument = KnownInstruments(store, clock).find(question.symbol, question.exchange)
    span = Span(question.start, question.end)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file_name(found)
        rows, numbers, completeness = write_parquet(
            path,
            lambda: walk_months(store, instrument, timeframe, span, read=_in_time(clock, deadline)),
            lambda: completeness_of(store, instrument, timeframe, span, clock.now()),
        )
        shelf.put(path.name, path)
        size = path.stat().st_size
    gaps = [
        {"start": rfc3339(one.span.start), "end": rfc3339(one.span.end), "state": one.state, "reason": one.reason}
        for one in completeness.gaps[:_GAPS_TOLD]
    ]
    return {
        "rows": rows,
        "bytes": size,
        "numbers": numbers,
        "condition": completeness.condition,
        "coverage": completeness.coverage,
        "gaps": gaps,
        "gaps_total": completeness.gaps_total,
    }


def _in_time(clock: Clock, deadline: datetime) -> Callable[[int], None]:
    def check(_: int) -> None:
        if clock.now() >= deadline:
            raise TooLarge("end", "there is more than one run writes in its time; export in parts")

    return check


def _forget_expired(store: Store, shelf: FileShelf, now: datetime) -> int:
    old = store.expired_exports(now=now)
    for id in old:
        shelf.remove(f"{id}.parquet")
    if old:
        store.forget_exports(old, now=now)
    return len(old)


def file_name(export: Export) -> str:
    """The name of its file: nobody guesses it, and writing it again replaces it."""
    return f"{export.id}.parquet"
