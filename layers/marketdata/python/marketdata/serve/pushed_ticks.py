"""Ticks and symbols as webhooks send them, in the shapes that senders have: the bodies of POST /v1/webhooks/. Pure.

A tick that has no id is known by what it says: symbol, time, price, size, side, and which of those alike in its request
it is. So what is sent again, whole or in other parts, never counts twice; and two alike of different requests are one.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import msgspec

from marketdata.errors import RequestInvalid, TooLarge
from marketdata.exchanges.symbols import parse_pair
from marketdata.model.instrument import PUSHED_EXCHANGES, Instrument
from marketdata.model.trade import Side, Trade
from marketdata.serve.decimals import plain
from marketdata.serve.pushed_trades import (
    BYTES_MAX,
    IDS_MAX,
    TRADES_MAX,
    Pushed,
    Rejected,
    read_amount,
    read_time,
)

SYMBOLS_MAX = 1_000
ID_BITS = 52
"""Of an id that is made here: every client reads so many exactly. It tells apart the ticks of one microsecond."""

_LISTS = ("items", "ticks", "symbols", "data")
_ALIASES = {
    "symbol": ("symbol", "ticker", "instrument", "pair"),
    "exchange": ("exchange", "broker", "venue"),
    "id": ("id", "trade_id", "tick_id", "tradeId"),
    "time": ("time", "timestamp", "ts", "t"),
    "price": ("price", "last", "p"),
    "size": ("size", "volume", "quantity", "qty", "amount", "v", "q"),
    "side": ("side",),
}
_SIDES = {"buy": Side.BUY, "b": Side.BUY, "bid": Side.BUY, "sell": Side.SELL, "s": Side.SELL, "ask": Side.SELL}
_SYMBOL = re.compile(r"[A-Za-z0-9._:/-]{1,40}", re.ASCII)
_NULL = b"null"

FindInstrument = Callable[[str, str | None], Instrument]
"""The instrument of a symbol, on an exchange if one is named. Raises: RequestInvalid."""
_Fields = Mapping[str, msgspec.Raw]


class _Symbol(msgspec.Struct, frozen=True):
    symbol: str
    base: str = ""
    quote: str = ""
    active: bool = True
    exchange: str = "webhook"


@dataclass(frozen=True, slots=True)
class PushedSymbol:
    """The symbol at `index` of the request, as an instrument."""

    index: int
    instrument: Instrument


_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_symbol = msgspec.json.Decoder(_Symbol)
_text = msgspec.json.Decoder(str)


def read_items(body: bytes, most: int = TRADES_MAX) -> list[msgspec.Raw]:
    """The items of a request: a list, `{"items": [...]}`, or one alone. Raises: TooLarge, RequestInvalid."""
    if len(body) > BYTES_MAX:
        raise TooLarge("body", f"has more than {BYTES_MAX:,} bytes")
    try:
        items = _list.decode(body) if body.lstrip()[:1] == b"[" else _listed(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestInvalid("body", f"cannot be read: {error}") from error
    if len(items) > most:
        raise TooLarge("items", f"are {len(items):,}; send at most {most:,} at once")
    return items


def _listed(body: bytes) -> list[msgspec.Raw]:
    fields = _objects.decode(body)
    named = [name for name in _LISTS if name in fields]
    return _list.decode(fields[named[0]]) if named else [msgspec.Raw(body)]


def read_ticks(
    items: Sequence[msgspec.Raw], find: FindInstrument, now: datetime, *, numbered: Callable[[str], bool]
) -> tuple[list[Pushed], list[Rejected]]:
    """The good ticks and the others, each with its place in the request.

    `numbered` says of an exchange whether it numbers its trades: there an id must be told.
    """
    reader = _Reader(find, now, numbered)
    good: list[Pushed] = []
    bad: list[Rejected] = []
    for index, item in enumerate(items):
        try:
            good.append(Pushed(index, *reader.read(_fields(item))))
        except RequestInvalid as error:
            bad.append(Rejected(index, error.field, error.reason))
    return good, bad


class _Reader:
    """Reads the ticks of one request; it counts those alike."""

    def __init__(self, find: FindInstrument, now: datetime, numbered: Callable[[str], bool]) -> None:
        self._find = find
        self._now = now
        self._numbered = numbered
        self._alike: Counter[bytes] = Counter()

    def read(self, fields: _Fields) -> tuple[Instrument, Trade]:
        """One tick, and whose it is."""
        exchange = _string("exchange", fields["exchange"]) if "exchange" in fields else None
        instrument = self._find(_string("symbol", _required(fields, "symbol")), exchange)
        time_ns = read_time(_scalar("time", _required(fields, "time")), self._now)
        price, size = (read_amount(name, _required(fields, name)) for name in ("price", "size"))
        tick = Trade(instrument.symbol, 0, time_ns, price, size, _side(fields))
        return instrument, msgspec.structs.replace(tick, id=self._id(instrument, tick, fields))

    def _id(self, instrument: Instrument, tick: Trade, fields: _Fields) -> int:
        if "id" in fields:
            return _told_id(_scalar("id", fields["id"]))
        if self._numbered(instrument.exchange):
            raise RequestInvalid("id", f"is required: {instrument.exchange} numbers its trades")
        facts = (*instrument.key, tick.time_ns, plain(tick.price), plain(tick.size), tick.side)
        said = "|".join(map(str, facts)).encode()
        self._alike[said] += 1
        return _digest(said + b"|%d" % self._alike[said])


def _fields(item: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """What is said, under our names; fields that nobody knows are the sender's own."""
    try:
        given = _objects.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestInvalid("item", f"is not an object: {error}") from error
    found: dict[str, msgspec.Raw] = {}
    for name, aliases in _ALIASES.items():
        told = [given[alias] for alias in aliases if alias in given and bytes(given[alias]) != _NULL]
        if len({bytes(one) for one in told}) > 1:
            raise RequestInvalid(name, f"is said twice, and differently: {', '.join(aliases)} are the same")
        if told:
            found[name] = told[0]
    return found


def _required(fields: _Fields, name: str) -> msgspec.Raw:
    if name not in fields:
        raise RequestInvalid(name, f"is required, as one of {', '.join(_ALIASES[name])}")
    return fields[name]


def _string(name: str, raw: msgspec.Raw) -> str:
    try:
        return _text.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestInvalid(name, "must be a string") from error


def _scalar(name: str, raw: msgspec.Raw) -> str:
    """The text of a string or of a whole number."""
    written = bytes(raw)
    if written[:1] == b'"':
        return _string(name, raw)
    if not written.lstrip(b"-").isdigit():
        raise RequestInvalid(name, "must be a string or a whole number")
    return written.decode()


def _side(fields: _Fields) -> Side:
    if "side" not in fields:
        return Side.UNKNOWN
    side = _SIDES.get(_string("side", fields["side"]).casefold())
    if side is None:
        raise RequestInvalid("side", "must be buy or sell, the taker's; or leave it out")
    return side


def _told_id(text: str) -> int:
    """A number as it is; any other name of a tick by its digest."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        if int(text) > IDS_MAX:
            raise RequestInvalid("id", f"must be from 0 to {IDS_MAX}")
        return int(text)
    if not 0 < len(text) <= 100 or text[:1] == "-":
        raise RequestInvalid("id", "must be a number from 0, or a name of at most 100 characters")
    return _digest(text.encode())


def _digest(said: bytes) -> int:
    return int.from_bytes(blake2b(said, digest_size=8).digest()) >> (64 - ID_BITS)


def read_symbols(items: Sequence[msgspec.Raw]) -> tuple[list[PushedSymbol], list[Rejected]]:
    """The good symbols and the others, each with its place in the request."""
    good: list[PushedSymbol] = []
    bad: list[Rejected] = []
    for index, item in enumerate(items):
        try:
            good.append(PushedSymbol(index, _instrument(item)))
        except RequestInvalid as error:
            bad.append(Rejected(index, error.field, error.reason))
    return good, bad


def _instrument(item: msgspec.Raw) -> Instrument:
    try:
        told = _symbol.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestInvalid("item", str(error)) from error
    if told.exchange not in PUSHED_EXCHANGES:
        here = " or ".join(sorted(PUSHED_EXCHANGES))
        raise RequestInvalid("exchange", f"{told.exchange[:64]!r} is not pushed; leave it out, or name {here}")
    if not _SYMBOL.fullmatch(told.symbol):
        raise RequestInvalid("symbol", "must have 1 to 40 letters, digits or . _ : / -")
    if not (told.base and told.quote):
        pair = parse_pair(told.symbol)
        return _of(told, told.base or pair.base, told.quote or pair.quote)
    return _of(told, told.base, told.quote)


def _of(told: _Symbol, base: str, quote: str) -> Instrument:
    for name, currency in (("base", base), ("quote", quote)):
        if not (currency.isascii() and currency.isalnum() and len(currency) <= 20):
            raise RequestInvalid(name, "must have at most 20 letters and digits")
    simulated = told.exchange != "webhook"
    currencies = (base.upper(), quote.upper())
    return Instrument(told.exchange, told.symbol, *currencies, active=told.active, simulated=simulated)
