"""How Bitfinex v2 writes things, the same over WebSocket and REST. Source: docs/add-an-exchange.md#bitfinex."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from zlib import crc32

import msgspec
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

from local.exchanges.products import Product

Row = list[int | Decimal]

_MILLISECOND_NS = 1_000_000
# Ids are global: those of one pair grow, and most of the numbers between them are of other pairs.
_ID_STEP, _ID_BASE = 97, 400_000_000

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(document: object) -> str:
    """Compact JSON; a Decimal becomes a JSON number."""
    return _encoder.encode(document).decode()


def symbol_of(product: Product) -> str:
    """`tBTCUSD`, or `tDOGE:USD` where a currency has more than three letters."""
    colon = ":" if max(len(product.base), len(product.quote)) > 3 else ""
    return f"t{product.base}{colon}{product.quote}"


def symbols(products: Iterable[Product]) -> dict[str, str]:
    """What Bitfinex calls each product, and the tape's name of it."""
    return {symbol_of(product): product.symbol for product in products}


def trade_id(product: str, number: int) -> int:
    """The id of a product's trade of that number on the tape."""
    return _ID_BASE + number * _ID_STEP + crc32(product.encode()) % _ID_STEP


def trade_row(trade: Trade) -> Row:
    """`[ID, MTS, AMOUNT, PRICE]`: what the taker sold has an amount below zero."""
    amount = trade.size if trade.side is Side.BUY else -trade.size
    return [trade_id(trade.symbol, trade.id), trade.time_ns // _MILLISECOND_NS, _plain(amount), _plain(trade.price)]


def milliseconds(time: datetime) -> int:
    """Milliseconds since the epoch."""
    return nanoseconds(time) // _MILLISECOND_NS


def _plain(number: Decimal) -> Decimal:
    """Without trailing zeros, as the exchange writes numbers."""
    return number.normalize()


def candle_row(opens_ms: int, outline: tuple[Decimal, Decimal, Decimal, Decimal, Decimal]) -> Row:
    """`[MTS, OPEN, CLOSE, HIGH, LOW, VOLUME]` of an (open, high, low, close, volume)."""
    open_, high, low, close, volume = map(_plain, outline)
    return [opens_ms, open_, close, high, low, volume]
