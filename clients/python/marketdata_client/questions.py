"""What is asked and how answers are read, without asking: both clients drive these generators.

A generator yields a Question and is sent the Answer to it; what it returns is the result. So paging, refusals and
warnings are written once, for the client that waits and for the one that awaits.
"""

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from marketdata_client import wire
from marketdata_client.candles import AVAILABLE, Candle, Candles, candle_of, joined
from marketdata_client.errors import MarketDataClientError, error_of

PAGE_ROWS = 10_000
"""What the service gives at most in one answer; pages that would be too many bytes come shorter."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Question:
    """One request; a value that is None is left out."""

    path: str
    parameters: Mapping[str, str | int | None] = field(default_factory=dict)
    is_of_candles: bool = False
    """Whether the answer may come as Arrow."""

    @property
    def query(self) -> dict[str, str]:
        """The parameters that are there."""
        return {name: str(value) for name, value in self.parameters.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whichever client asked."""

    status: int
    body: bytes
    retry_after: float | None = None
    media: str = wire.JSON

    def page(self) -> Any:
        """The document of a page of candles, in whichever format it came. Raises: as `json`."""
        return wire.read_arrow(self.body) if self.status < 400 and self.media == wire.ARROW else self.json()

    def json(self) -> Any:
        """The document. Raises: ApiError if it tells of a problem; MarketDataClientError if it is none."""
        try:
            document = json.loads(self.body)
        except ValueError as error:
            if self.status < 400:
                raise MarketDataClientError(f"the answer is not JSON: {self.body[:80]!r}") from error
            document = None
        if self.status >= 400:
            raise error_of(self.status, document, self.retry_after)
        return document


Asking = Generator[Question, Answer, Result]


def candles(
    exchange: str | None,
    symbol: str,
    timeframe: str,
    *,
    start: datetime | str | None,
    end: datetime | str | None,
    rows_max: int | None,
) -> Asking[Candles]:
    """Every candle of the span, page by page; of `rows_max` the first."""
    asked: dict[str, str | int | None] = {
        "exchange": exchange,
        "symbol": symbol,
        "timeframe": timeframe,
        "start": written(start),
        "end": written(end),
    }
    rows: list[Candle] = []
    metas: list[Mapping[str, Any]] = []
    cursor = None
    while not metas or (cursor and (rows_max is None or len(rows) < rows_max)):
        left = PAGE_ROWS if rows_max is None else min(PAGE_ROWS, rows_max - len(rows))
        parameters = {**asked, "limit": left, "cursor": cursor}
        page = (yield Question("/v1/candles", parameters, is_of_candles=True)).page()
        rows += map(candle_of, page["data"])
        metas.append(page["meta"])
        cursor = page["next_cursor"]
    return joined(metas, rows)


def latest(exchange: str | None, symbol: str, timeframe: str, limit: int) -> Asking[Candles]:
    """The newest candles, oldest first."""
    asked: dict[str, str | int | None] = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe}
    page = (yield Question("/v1/candles/latest", {**asked, "limit": limit}, is_of_candles=True)).page()
    return joined([page["meta"]], [candle_of(record) for record in page["data"]])


def records(path: str, parameters: Mapping[str, str | int | None]) -> Asking[list[dict[str, Any]]]:
    """Every record of a paged list, as the service writes it."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = (yield Question(path, {**parameters, "cursor": cursor} if cursor else parameters)).json()
        found += page["data"]
        cursor = page.get("next_cursor")
        if not cursor:
            return found


def document(path: str) -> Asking[dict[str, Any]]:
    """One document."""
    told: dict[str, Any] = (yield Question(path)).json()
    return told


def written(time: datetime | str | None) -> str | None:
    """A time as it is asked for; one without a zone is UTC, as everywhere in the service."""
    if not isinstance(time, datetime):
        return time
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def warning_of(found: Candles) -> str | None:
    """What to warn of: anything but available."""
    if found.condition == AVAILABLE:
        return None
    told = _told(found.gaps)
    return f"the data is {found.condition}: coverage {found.coverage}, {found.gaps_total} gaps{told}; see .gaps"


def _told(gaps: Sequence[Any]) -> str:
    return f", the first from {gaps[0].start.isoformat()} to {gaps[0].end.isoformat()}" if gaps else ""
