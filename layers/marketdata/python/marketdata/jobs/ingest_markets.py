"""Compute statistics now, for some markets or all, and answer as the ingestion pipeline does that others' scripts call.

Called by the ingest function (POST /v1/ingest, /api/ingest) and by the cron function (GET /api/cron).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from marketdata.clock import Clock
from marketdata.errors import TooLarge
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.roi_stats import roi_stats
from marketdata.jobs.run_job import Run, run_job
from marketdata.model.times import rfc3339
from marketdata.store.store import Store

SYMBOLS_MAX = 100


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    symbols: tuple[str, ...] | None = None


def wanted_markets(sent: bytes) -> tuple[bool, tuple[str, ...] | None]:
    """Whether a body asks for markets to be computed, `{}` or `{"symbols": [...]}`, and which; None for all.

    Raises: TooLarge.
    """
    try:
        wanted = msgspec.json.decode(sent, type=_Wanted)
    except msgspec.DecodeError:
        return False, None
    if wanted.symbols and len(wanted.symbols) > SYMBOLS_MAX:
        raise TooLarge("symbols", f"are more than {SYMBOLS_MAX}")
    return True, wanted.symbols or None


def ingest_markets(
    store: Store,
    instruments: KnownInstruments,
    clock: Clock,
    deadline: datetime,
    symbols: Sequence[str] | None,
    *,
    trigger: str,
) -> str:
    """Compute until `deadline`; what was written, as JSON. Raises: NotFound, Ambiguous, StoreError."""
    chosen = [instruments.find(symbol, None) for symbol in dict.fromkeys(symbols)] if symbols else None
    jobs = {"roi_stats": partial(roi_stats, chosen=chosen)}
    run = run_job("roi_stats", store, clock, deadline, trigger=trigger, jobs=jobs)
    return msgspec.json.encode(_document(run)).decode()


def _document(run: Run) -> dict[str, Any]:
    """`status` is partial if time ran out before `marketsLeft` markets; the next run goes on there."""
    counts = run.result
    return {
        "status": "partial" if counts.get("left") else run.status,
        "result": {
            "marketsIngested": counts.get("markets", 0),
            "snapshotsIngested": counts.get("snapshots", 0),
            "aggregatesIngested": counts.get("aggregates", 0),
            "comparisonsIngested": counts.get("comparisons", 0),
            "roiStatsIngested": counts.get("roi_stats", 0),
            "marketsLeft": counts.get("left", 0),
            "startedAt": rfc3339(run.started_at),
            "completedAt": rfc3339(run.completed_at),
            "trigger": run.trigger,
        },
    }
