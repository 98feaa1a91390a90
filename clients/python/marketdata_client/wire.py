"""A page of candles off the wire: as Arrow where pyarrow is installed, else as JSON; exact in both."""

import json
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from marketdata_client.errors import MarketDataClientError

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"


def accepted(arrow: bool | None) -> str:
    """What to ask for, None being Arrow where pyarrow is installed; a service that has no Arrow answers in JSON."""
    wanted = find_spec("pyarrow") is not None if arrow is None else arrow
    return f"{ARROW}, {JSON};q=0.9" if wanted else JSON


def read_arrow(body: bytes) -> dict[str, Any]:
    """The same document as in JSON; times are aware, and amounts the text that keeps every digit."""
    arrow, ipc = import_module("pyarrow"), import_module("pyarrow.ipc")
    try:
        table = ipc.open_stream(body).read_all()
        told = {name.decode(): value.decode() for name, value in (table.schema.metadata or {}).items()}
        meta = json.loads(told["meta"])
    except (arrow.ArrowException, KeyError, ValueError) as error:
        raise MarketDataClientError(f"the answer is not the Arrow stream that it says: {error}") from error
    for place, name in enumerate(table.column_names):
        if arrow.types.is_timestamp(table.schema.types[place]):
            # As integers: pyarrow's own way to Python's times goes by a time zone of its choice, and slowly.
            table = table.set_column(place, name, table.column(name).cast(arrow.int64()))
    return {
        "data": [_timed(row) for row in table.to_pylist()],
        "meta": meta,
        "next_cursor": told["next_cursor"] or None,
    }


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: _moment(row[name]) for name in ("open_time", "close_time")}


def _moment(microseconds: int) -> datetime:
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
