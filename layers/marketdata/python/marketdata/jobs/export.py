"""Exports: order one, say how it is, and write those that wait. Called by the api and export functions.

The id of an order with an Idempotency-Key follows from the key, so the same order is the same export; a file's name
follows from the id, so an export that is written twice is one file. What breaks off goes on where it was: write_export.
"""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from marketdata.clock import Clock
from marketdata.errors import NotFound, RequestInvalid, Throttled, TooLarge
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.write_export import write_export
from marketdata.jobs.write_parts import remove_parts
from marketdata.model.export import Export, ExportQuestion
from marketdata.serve.params import CandleQuery
from marketdata.store.exports import WAITING_OF_CALLER_MAX
from marketdata.store.file_shelf import FileShelf
from marketdata.store.store import Store

BUCKETS_MAX = 1_000_000
"""Nearly two years of minutes."""
KEPT_FOR = timedelta(days=7)
LINK_SECONDS = 3_600
LEASE_MARGIN_SECONDS = 30.0


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
    """Write the exports that wait until `deadline`, and let go of those whose time is over; what was done.

    `unfinished` are those whose turn was over before they were whole: the next run goes on with them.
    """
    done = {"done": 0, "failed": 0, "unfinished": 0, "rows": 0, "expired": 0}
    if shelf is None:
        # Nobody could order one either.
        return {**done}
    done["expired"] = _forget_expired(store, shelf, clock.now())
    worker = worker or uuid4().hex
    while clock.now() < deadline:
        lease = (deadline - clock.now()).total_seconds() + LEASE_MARGIN_SECONDS
        found = store.claim_export(worker, now=clock.now(), lease_seconds=lease)
        if found is None:
            break
        ended, rows = write_export(store, clock, deadline, shelf, found)
        done[ended] += 1
        done["rows"] += rows
        if ended != "done":
            break
    return {**done}


def _forget_expired(store: Store, shelf: FileShelf, now: datetime) -> int:
    old = store.expired_exports(now=now)
    for id in old:
        found = store.find_export(id)
        if found is not None and found.progress is not None:
            remove_parts(shelf, id, found.progress)
        shelf.remove(f"{id}.parquet")
    if old:
        store.forget_exports(old, now=now)
    return len(old)


def file_name(export: Export) -> str:
    """The name under which its file lies."""
    return export.file_name
