"""The parameters that several routes have: one name, one meaning, one set of aliases wherever it is asked."""

from marketdata.serve.decimals import AsJson, as_number, as_string
from marketdata.serve.parameter import Choice, Length, Text, Time, Whole

LIMIT_DEFAULT = 1_000
LIMIT_MAX = 10_000
SHORT_LIMIT_DEFAULT = 100
SHORT_LIMIT_MAX = 1_000

_SPELLED = (
    "As the exchange spells it, or canonical, in any usual spelling: BTC-USD, btc/usd, BTCUSD and tBTCUSD are the same"
)
_ROWS = "How many records at most; where there are more, the answer has a cursor to the next"

SYMBOL = Text("symbol", f"{_SPELLED}.", example="BTC-USD", characters_max=64)
SYMBOL_REQUIRED = Text("symbol", f"{_SPELLED}.", required=True, example="BTC-USD", characters_max=64)
SYMBOL_IN_PATH = Text("symbol", f"{_SPELLED}.", required=True, place="path", example="BTC-USD", characters_max=64)
EXCHANGE = Text(
    "exchange", "Needed only where a symbol names more than one instrument.", aliases=("broker",), example="coinbase"
)
TIMEFRAME = Length(
    "timeframe",
    "The length of a candle; also in whole seconds, as 3600.",
    aliases=("tf", "interval", "granularity"),
    example="1m",
)
START = Time("start", "The first moment asked for.", aliases=("from", "startTime"), example="2026-08-09T21:05:00Z")
END = Time("end", "The moment after the last one asked for: it is excluded.", aliases=("to", "endTime"))
LIMIT = Whole("limit", f"{_ROWS}.", default=LIMIT_DEFAULT, most=LIMIT_MAX)
SHORT_LIMIT = Whole("limit", f"{_ROWS}.", default=SHORT_LIMIT_DEFAULT, most=SHORT_LIMIT_MAX)
CURSOR = Text("cursor", "`next_cursor` of the page before, with the same question.", characters_max=512)
ORDERS = {"asc": False, "desc": True}
ORDER = Choice("order", "By time: oldest first, or newest first.", values=ORDERS, default="asc")
NEWEST_FIRST = Choice("order", "By time: oldest first, or newest first.", values=ORDERS, default="desc")
DECIMALS: Choice[AsJson] = Choice(
    "decimals",
    "Exact decimals as JSON strings, or as JSON numbers with all their digits, of which most clients keep 15 to 17.",
    values={"string": as_string, "number": as_number},
    default="string",
)
REPLAYED = "Idempotent-Replayed"
"""The header of an answer that was given before, to the same request under the same key."""
PREFER = Text(
    "Prefer",
    "`respond-async`: do not wait; the answer is 202, and its Location says how it goes.",
    place="header",
    characters_max=255,
)
IDEMPOTENCY_KEY = Text(
    "Idempotency-Key",
    "Whoever sends a request again under the same key is answered as the first time, and nothing is done twice.",
    place="header",
    characters_max=255,
)
