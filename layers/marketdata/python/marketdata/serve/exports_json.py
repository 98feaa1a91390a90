"""An export as JSON shows it."""

from datetime import datetime
from typing import Any

import msgspec

from marketdata.compute.export_parts import export_parts
from marketdata.model.export import Export, ExportState
from marketdata.model.span import Span
from marketdata.model.timeframe import timeframe_named
from marketdata.model.times import rfc3339

_SHARES = 10_000


class ExportedCandles(msgspec.Struct, frozen=True):
    """What was asked for; `end` is excluded."""

    exchange: str
    symbol: str
    timeframe: str
    start: str
    end: str


class ExportedPart(msgspec.Struct, frozen=True):
    """`rows` candles are written, all that open before `until`: this `share` of the time that was asked for."""

    rows: int
    until: str
    share: float


class ExportDocument(msgspec.Struct, frozen=True):
    """`state`: queued, running, done or failed. `url` is where the file is when it is done; ask again for a new link.

    `progress` is how far it has come; what breaks off goes on there. `rows`, `bytes`, `condition`, `coverage`, `gaps`
    (the first twenty of `gaps_total`) are of the file.
    """

    id: str
    state: str
    format: str
    candles: ExportedCandles
    created_at: str
    finished_at: str | None
    expires_at: str
    url: str | None
    error: str | None
    progress: ExportedPart
    rows: int | None = None
    bytes: int | None = None
    numbers: str | None = None
    condition: str | None = None
    coverage: float | None = None
    gaps: list[dict[str, Any]] = []
    gaps_total: int = 0


def export_body(export: Export, url: str | None) -> str:
    """The whole document."""
    question = export.question
    asked = ExportedCandles(
        question.exchange, question.symbol, question.timeframe, rfc3339(question.start), rfc3339(question.end)
    )
    document = ExportDocument(
        export.id,
        export.state.value,
        "parquet",
        asked,
        rfc3339(export.created_at),
        _time(export.finished_at),
        rfc3339(export.expires_at),
        url if export.state is ExportState.DONE else None,
        export.error or None,
        _progress(export),
        **{name: value for name, value in export.result.items() if name != "progress"},
    )
    return msgspec.json.encode(document).decode()


def _progress(export: Export) -> ExportedPart:
    question = export.question
    if export.state is ExportState.DONE:
        return ExportedPart(export.result["rows"], rfc3339(question.end), 1.0)
    rows = export.progress.rows if export.progress else ()
    parts = export_parts(Span(question.start, question.end), timeframe_named(question.timeframe))
    until = parts[len(rows) - 1].end if rows else question.start
    share = (until - question.start) / (question.end - question.start)
    return ExportedPart(sum(rows), rfc3339(until), int(share * _SHARES) / _SHARES)


def _time(time: datetime | None) -> str | None:
    return rfc3339(time) if time else None
