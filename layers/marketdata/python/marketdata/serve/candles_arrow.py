"""Candles as an Apache Arrow IPC stream: one schema, one record batch.

nanoarrow makes it (docs/decisions), which is imported at the first question for Arrow: other answers do not pay for it.
Source: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
"""

import io
from collections.abc import Sequence
from typing import Any

import msgspec

from marketdata.model.times import nanoseconds
from marketdata.serve.candle_answer import CandleAnswer
from marketdata.serve.candles_json import columns, meta
from marketdata.serve.decimals import as_string

CONTENT_TYPE = "application/vnd.apache.arrow.stream"

_TEXT = {"exchange", "symbol", "timeframe", "source"}
_WHOLE = {"trades", "first_id", "last_id", "revision"}
_TRUTH = {"complete", "simulated", "filled"}
_TIMES = ("open_time", "close_time")


def arrow_body(answer: CandleAnswer) -> bytes:
    """The records of /v1/candles as columns, whatever `time` says with timestamps in microseconds, UTC.

    Decimals are text, which keeps every digit; as numbers they are 64-bit floats, which keep 15 to 17. The schema's
    metadata has `meta` (JSON, as in the other formats) and `next_cursor` (empty if there is no more).
    """
    import nanoarrow  # noqa: PLC0415
    from nanoarrow.ipc import StreamWriter  # noqa: PLC0415

    arrays = {name: _array(nanoarrow, name, values, answer) for name, values in _values(answer).items()}
    said = {"meta": msgspec.json.encode(meta(answer)), "next_cursor": (answer.next_cursor or "").encode()}
    fields = {name: nanoarrow.Schema(array.schema) for name, array in arrays.items()}
    schema = nanoarrow.Schema(nanoarrow.Type.STRUCT, fields=fields, metadata=said, nullable=False)
    batch = nanoarrow.c_array_from_buffers(schema, len(answer.rows), [None], children=list(arrays.values()))
    stream = io.BytesIO()
    with StreamWriter.from_writable(stream) as writer:
        writer.write_array(nanoarrow.Array(batch))
    return stream.getvalue()


def _values(answer: CandleAnswer) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = columns(answer)
    opens = [nanoseconds(row.open_time) // 1_000 for row in answer.rows]
    length = answer.timeframe.duration_ns // 1_000
    return values | {"open_time": opens, "close_time": [one + length for one in opens]}


def _array(nanoarrow: Any, name: str, values: Sequence[Any], answer: CandleAnswer) -> Any:
    if name in _TIMES:
        return nanoarrow.c_array(values, nanoarrow.timestamp("us", "UTC"))
    if name in _TEXT:
        return nanoarrow.c_array(values, nanoarrow.string())
    if name in _WHOLE:
        return nanoarrow.c_array(values, nanoarrow.int64())
    if name in _TRUTH:
        return nanoarrow.c_array(values, nanoarrow.bool_())
    if answer.view.number is as_string:
        return nanoarrow.c_array(values, nanoarrow.string())
    floats = [None if value is None else float(bytes(value)) for value in values]
    return nanoarrow.c_array(floats, nanoarrow.float64())
