"""How Coinbase writes things, the same on its feeds and over REST.

Prices and sizes lose their trailing zeros on the feeds. The side is the MAKER's everywhere: `sell` means that a
resting offer was bought. Source: docs/add-an-exchange.md#coinbase.
"""

from collections.abc import Container
from datetime import UTC, datetime
from decimal import Decimal
from zlib import crc32

import msgspec
from marketdata.model.times import utc
from marketdata.model.trade import Side, Trade

from local.exchanges.noise import mix

# Order-book changes a trade stands for, so that `sequence` grows with trades but is not contiguous on `matches`.
_SEQUENCE_STEP = 11


PRODUCTS_A_REQUEST_MAX = 100


class Refusal(Exception):
    """The exchange will not do what a client asked; the text is the reason it gives."""


def encode(document: object) -> str:
    """Compact JSON; a Decimal becomes a JSON number."""
    return _encoder.encode(document).decode()


_encoder = msgspec.json.Encoder(decimal_format="number")


def parse_request(text: str) -> dict[str, object]:
    """The JSON object that a client sent, of type `subscribe` or `unsubscribe`. Raises: Refusal."""
    try:
        request = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Refusal("Malformed JSON") from error
    if not isinstance(request, dict):
        raise Refusal("Malformed JSON")
    if request.get("type") not in ("subscribe", "unsubscribe"):
        raise Refusal(f"{request.get('type')} is not a valid message type")
    return request


def requested_products(products: object, listed: Container[str]) -> list[str]:
    """The `product_ids` of a request, each one `listed`. Raises: Refusal."""
    if not isinstance(products, list) or not products:
        raise Refusal(" is not a valid product")
    if len(products) > PRODUCTS_A_REQUEST_MAX:
        raise Refusal(f"more than {PRODUCTS_A_REQUEST_MAX} products in one request")
    for symbol in products:
        if not isinstance(symbol, str) or symbol not in listed:
            raise Refusal(f"{symbol} is not a valid product")
    return products


def plain(number: Decimal) -> str:
    """Digits without exponent and without trailing zeros."""
    return f"{number.normalize():f}"


def microseconds(time: datetime) -> str:
    """`2025-08-22T20:11:30.012637Z`, always six digits: the Exchange feed and Exchange REST."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def trimmed(time: datetime) -> str:
    """`2026-08-09T21:05:38.50436Z`, trailing zeros cut: Advanced Trade."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z"


def maker_side(trade: Trade) -> str:
    """`buy` or `sell`, of the order that rested in the book."""
    return "sell" if trade.side is Side.BUY else "buy"


def sequence(trade_id: int) -> int:
    """The order-book sequence number of a trade."""
    return trade_id * _SEQUENCE_STEP


def match(kind: str, trade: Trade) -> dict[str, object]:
    """A `match` or `last_match` of the Exchange feed. Trades of one time share their taker's order."""
    product = crc32(trade.symbol.encode())
    return {
        "type": kind,
        "trade_id": trade.id,
        "maker_order_id": _order_id(product, trade.id),
        "taker_order_id": _order_id(~product, trade.time_ns),
        "side": maker_side(trade),
        "size": plain(trade.size),
        "price": plain(trade.price),
        "product_id": trade.symbol,
        "sequence": sequence(trade.id),
        "time": microseconds(utc(trade.time_ns)),
    }


def market_trade(trade: Trade) -> dict[str, object]:
    """A trade of Advanced Trade's `market_trades`."""
    return {
        "product_id": trade.symbol,
        "trade_id": str(trade.id),
        "price": plain(trade.price),
        "size": plain(trade.size),
        "time": trimmed(utc(trade.time_ns)),
        "side": maker_side(trade).upper(),
    }


def _order_id(kind: int, number: int) -> str:
    digits = f"{mix(kind, number, 1):016x}{mix(kind, number, 2):016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
