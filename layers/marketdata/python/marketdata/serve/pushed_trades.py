"""Trades as someone pushes them, to Trades: the body of POST /v1/ingest. Pure; numbers are never floats.

What a time and an amount may be holds for the webhook's ticks too: pushed_ticks.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from marketdata.errors import RequestInvalid, TooLarge
from marketdata.model.instrument import Instrument
from marketdata.model.times import NANOSECONDS_A_MICROSECOND, nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.serve.request_times import time_ns

TRADES_MAX = 1_000
BYTES_MAX = 1_000_000
# What was traded longer ago is history, which is imported and not pushed; clocks may differ by a minute.
AGE_MAX = timedelta(days=366)
AHEAD_MAX = timedelta(minutes=1)

IDS_MAX = 2**63 - 1
_AMOUNT = re.compile(rb'"?(\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?)"?')
_FIELD = re.compile(r"\$\.(\w+)|field `(\w+)`")

FindInstrument = Callable[[str], Instrument]
"""The instrument of a symbol. Raises: RequestInvalid."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The trade at `index` of the request was not taken; the caller must change `field`."""

    index: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """The trade at `index` of the request, in our words; `instrument` is whose it is."""

    index: int
    instrument: Instrument
    trade: Trade


class Batch(msgspec.Struct, frozen=True):
    """A request before its trades are read: each may be good or bad on its own."""

    exchange: str
    trades: list[msgspec.Raw]


class _Trade(msgspec.Struct, frozen=True):
    symbol: str
    id: int
    time: str | int
    price: msgspec.Raw
    size: msgspec.Raw
    side: Literal["buy", "sell"]


_batch = msgspec.json.Decoder(Batch)
_trade = msgspec.json.Decoder(_Trade)


def read_batch(body: bytes) -> Batch:
    """The request. Raises: TooLarge; RequestInvalid if it is not one."""
    if len(body) > BYTES_MAX:
        raise TooLarge("body", f"has more than {BYTES_MAX:,} bytes")
    try:
        batch = _batch.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestInvalid(_field(str(error)) or "body", f"cannot be read: {error}") from error
    if len(batch.trades) > TRADES_MAX:
        raise TooLarge("trades", f"are {len(batch.trades):,}; send at most {TRADES_MAX:,} at once")
    return batch


def read_trades(
    raws: Sequence[msgspec.Raw], find: FindInstrument, now: datetime
) -> tuple[list[Pushed], list[Rejected]]:
    """The good trades and the others, each with its place in the request."""
    good: list[Pushed] = []
    bad: list[Rejected] = []
    for index, raw in enumerate(raws):
        try:
            good.append(_read(index, raw, find, now))
        except RequestInvalid as error:
            bad.append(Rejected(index, error.field, error.reason))
    return good, bad


def _read(index: int, raw: msgspec.Raw, find: FindInstrument, now: datetime) -> Pushed:
    written = _written(raw)
    instrument = find(written.symbol)
    if not 0 <= written.id <= IDS_MAX:
        raise RequestInvalid("id", f"must be from 0 to {IDS_MAX}")
    trade = Trade(
        symbol=instrument.symbol,
        id=written.id,
        time_ns=read_time(str(written.time), now),
        price=read_amount("price", written.price),
        size=read_amount("size", written.size),
        side=Side(written.side),
    )
    return Pushed(index, instrument, trade)


def _written(raw: msgspec.Raw) -> _Trade:
    try:
        return _trade.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestInvalid(_field(str(error)) or "trade", str(error)) from error


def read_time(written: str, now: datetime) -> int:
    """Cut to the microsecond, as the store keeps times. Raises: RequestInvalid."""
    found = time_ns(written, "time")
    if not nanoseconds(now - AGE_MAX) <= found <= nanoseconds(now + AHEAD_MAX):
        raise RequestInvalid("time", f"must be within {AGE_MAX.days} days and not in the future; import older trades")
    return found - found % NANOSECONDS_A_MICROSECOND


def read_amount(name: str, raw: msgspec.Raw) -> Decimal:
    """The exact number, from a JSON string or a JSON number. Raises: RequestInvalid naming the field."""
    written = _AMOUNT.fullmatch(bytes(raw))
    amount = Decimal(written[1].decode()) if written else Decimal(0)
    if amount <= 0:
        raise RequestInvalid(name, "must be a decimal above zero, as a string or a number")
    return amount


def _field(message: str) -> str | None:
    """The field that msgspec complains of, as in: Expected `int`, got `str` - at `$.id`."""
    found = _FIELD.search(message)
    return (found[1] or found[2]) if found else None
