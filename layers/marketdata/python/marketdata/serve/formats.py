"""The formats that an answer of candles comes in: what each is called, and who writes it."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from marketdata.errors import NotAcceptable
from marketdata.serve import candles_arrow, candles_csv, candles_json
from marketdata.serve.candle_answer import CandleAnswer
from marketdata.serve.negotiation import accepted

JSON = "application/json"


class Format(Struct, frozen=True):
    """A media type and its writer; `text` may go through a gateway as it is."""

    name: str
    content_type: str
    write: Callable[[CandleAnswer], bytes]
    text: bool = True

    @property
    def media_type(self) -> str:
        """Without parameters."""
        return self.content_type.partition(";")[0]


RECORDS = Format("json", JSON, candles_json.records_body)
COLUMNS = Format("columns", "application/vnd.marketdata.columns+json", candles_json.columns_body)
CSV = Format("csv", candles_csv.CONTENT_TYPE, candles_csv.csv_body)
ARROW = Format("arrow", candles_arrow.CONTENT_TYPE, candles_arrow.arrow_body, text=False)
PLAIN = Format("plain", JSON, candles_json.plain_body)
UNIX = Format("unix", JSON, candles_json.unix_body)

FORMATS: Mapping[str, Format] = {one.name: one for one in (RECORDS, COLUMNS, CSV, ARROW)}


def choose_format(named: Format | None, accept: str | None) -> Format:
    """The format that was named, else the one that the Accept header likes best.

    Raises: NotAcceptable if it takes none of ours.
    """
    if named is not None:
        return named
    by_type = {one.media_type: one for one in FORMATS.values()}
    liked = accepted(accept, tuple(by_type))
    if liked is None:
        raise NotAcceptable("Accept", f"there are {', '.join(by_type)}; or name a format", tuple(FORMATS))
    return by_type[liked]
