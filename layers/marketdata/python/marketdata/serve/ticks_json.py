"""Ticks and their history as clients hear them: the records of /v1/ticks/{symbol} and /v1/ticks/{symbol}/history."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.times import rfc3339, utc
from marketdata.model.trade import Side, Trade
from marketdata.serve.decimals import AsJson
from marketdata.serve.json_types import Instant


class TicksMeta(msgspec.Struct, frozen=True):
    as_of: Instant
    simulated: bool


def ticks_body(
    ticks: Sequence[Trade], instrument: Instrument, number: AsJson, next_cursor: str | None, as_of: datetime
) -> str:
    """The answer of /v1/ticks/{symbol}: `side` is the taker's, null where nobody said."""
    rows = [_tick(one, instrument, number) for one in ticks]
    return _body(rows, instrument, as_of, {"next_cursor": next_cursor})


def history_body(
    candles: Sequence[Candle],
    averages: Sequence[Decimal | None],
    instrument: Instrument,
    number: AsJson,
    as_of: datetime,
) -> str:
    """The answer of /v1/ticks/{symbol}/history: candles with the mean of ten closes, oldest first."""
    rows = [_candle(one, mean, number) for one, mean in zip(candles, averages, strict=True)]
    return _body(rows, instrument, as_of, {"symbol": instrument.symbol, "exchange": instrument.exchange})


def _body(rows: list[dict[str, object]], instrument: Instrument, as_of: datetime, more: dict[str, object]) -> str:
    meta = TicksMeta(rfc3339(as_of), instrument.simulated)
    return msgspec.json.encode({"data": rows, **more, "meta": meta}).decode()


def _tick(tick: Trade, instrument: Instrument, number: AsJson) -> dict[str, object]:
    return {
        "exchange": instrument.exchange,
        "symbol": tick.symbol,
        "id": tick.id,
        "time": rfc3339(utc(tick.time_ns)),
        "price": number(tick.price),
        "size": number(tick.size),
        "side": None if tick.side is Side.UNKNOWN else tick.side.value,
        "trades": tick.count,
        "simulated": instrument.simulated,
    }


def _candle(candle: Candle, mean: Decimal | None, number: AsJson) -> dict[str, object]:
    return {
        "time": rfc3339(candle.open_time),
        "open": number(candle.open),
        "high": number(candle.high),
        "low": number(candle.low),
        "close": number(candle.close),
        "volume": number(candle.volume),
        "trades": candle.trades,
        "sma10": number(mean),
        "complete": candle.complete,
        "source": candle.source.label,
    }
