"""The parameters that only questions for candles have: how the answer is to be shown, and how much of it."""

from typing import Any

from marketdata.errors import RequestInvalid, TooLarge
from marketdata.serve.candle_answer import Fill, TimeForm
from marketdata.serve.formats import FORMATS, Format
from marketdata.serve.parameter import Choice, Given, Parameter, Whole
from marketdata.serve.parameters import LIMIT, LIMIT_DEFAULT, LIMIT_MAX

AVERAGES_MAX = 5
LENGTH_MAX = 500

_WAYS_ROUND = (
    "follow the cursor (`next_cursor`, or the Link header with rel=next), ask for less time, or have it all written to"
    " a file with POST /v1/exports"
)


class Rows(Whole, frozen=True, kw_only=True):
    """A number of rows; above what one answer carries the refusal says how to come by more."""

    def of(self, given: Given) -> int:
        """The number. Raises: RequestInvalid naming the bounds; TooLarge above them."""
        text = given.get(self.name, "")
        if text.isdecimal() and int(text[:20]) > self.most:
            raise TooLarge(self.name, f"one answer carries at most {self.most:,} candles; {_WAYS_ROUND}")
        return super().of(given)


class Averages(Parameter, frozen=True):
    """Moving averages, `sma10,sma50`: as many buckets each, with commas between them."""

    def schema(self) -> dict[str, Any]:
        """As JSON Schema: an array that is written with commas."""
        name = {"type": "string", "pattern": "^sma([2-9]|[1-9][0-9]|[1-4][0-9]{2}|500)$"}
        return {"type": "array", "items": name, "minItems": 1, "maxItems": AVERAGES_MAX}

    def of(self, given: Given) -> tuple[int, ...]:
        """Their lengths, each once, as asked for. Raises: RequestInvalid naming the bounds."""
        names = [one.strip().lower() for one in given.get(self.name, "").split(",") if one.strip()]
        lengths = tuple(dict.fromkeys(_length(one, self.name) for one in names))
        if len(lengths) > AVERAGES_MAX:
            raise RequestInvalid(self.name, f"at most {AVERAGES_MAX} at once")
        return lengths


def _length(name: str, field: str) -> int:
    digits = name.removeprefix("sma")
    if digits == name or not digits.isdecimal() or not digits.isascii() or not 2 <= int(digits[:9]) <= LENGTH_MAX:
        raise RequestInvalid(field, f"{name[:64]!r} is not one of sma2 to sma{LENGTH_MAX}, as sma10")
    return int(digits)


def too_large(rows: int) -> TooLarge:
    """The refusal of an answer that must be whole and cannot be."""
    reason = f"this question has more candles than one answer carries ({rows:,} were read)"
    return TooLarge("limit", f"{reason}: name a limit of at most {LIMIT_MAX:,} and {_WAYS_ROUND}")


CANDLE_LIMIT = Rows(LIMIT.name, LIMIT.description, default=LIMIT_DEFAULT, most=LIMIT_MAX)
FILL: Choice[Fill] = Choice(
    "fill",
    "What stands for a bucket without a candle: nothing, a record without prices, or one of no volume at the close"
    " before it. Such records have `filled: true`; `limit` then counts buckets. Nothing filled is ever stored.",
    values={one.value: one for one in Fill},
    default=Fill.NONE.value,
)
INDICATORS = Averages(
    "indicators",
    "Means of as many closes, `sma2` to `sma500`, at most five, as fields of that name; null until so many buckets have"
    " followed each other without one missing.",
    aliases=("indicator",),
    example="sma10",
)
TIMES: Choice[TimeForm] = Choice(
    "time",
    "How `open_time` and `close_time` are written: RFC 3339, or whole seconds or milliseconds since 1970.",
    values={one.value: one for one in TimeForm},
    default=TimeForm.ISO.value,
)
FORMAT: Choice[Format | None] = Choice(
    "format",
    "The format of the answer, whatever the Accept header says.",
    values=dict(FORMATS),
)
