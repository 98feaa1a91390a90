"""Candles as comma-separated values: RFC 4180, a header line, empty where a value is not known."""

import csv
import io

import msgspec

from marketdata.serve.candle_answer import CandleAnswer
from marketdata.serve.candles_json import field_names, records

CONTENT_TYPE = "text/csv; charset=utf-8"


def csv_body(answer: CandleAnswer) -> bytes:
    """The records of /v1/candles, a line each; condition and cursor go in the answer's headers."""
    names = field_names(answer)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(record[name]) for name in names] for record in records(answer))
    return text.getvalue().encode()


def _cell(value: object) -> object:
    match value:
        case bool():
            return "true" if value else "false"
        case msgspec.Raw():
            return bytes(value).decode()
        case _:
            return value
