"""How OANDA words what the tape holds."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web
from marketdata.model.span import Span
from marketdata.model.times import NANOSECONDS_A_SECOND, rfc3339, utc
from marketdata.model.trade import Trade

from local.exchanges.products import Product
from local.exchanges.tape import Market

TOKEN, ACCOUNT = "a-token", "101-001-1-1"
WINDOW = timedelta(milliseconds=250)
"""At most the last price of each is told."""
_WINDOW_NS = 250_000_000
_LIQUIDITY = 10_000_000


def instrument(product: Product) -> str:
    """How OANDA spells a product."""
    return f"{product.base}_{product.quote}"


def instruments(products: Iterable[Product]) -> dict[str, str]:
    """Our symbol of each of OANDA's."""
    return {instrument(product): product.symbol for product in products}


def spread(product: Product) -> Decimal:
    """How far the bid is below a trade, and the ask above it."""
    return product.quote_increment


def sample(tape: Market, product: str, start: datetime, end: datetime) -> list[Trade]:
    """The last trade of each quarter of a second from one to another, oldest first."""
    trades = tape.trades_by_id(product, tape.next_id(product, start), tape.next_id(product, end))
    return list({trade.time_ns // _WINDOW_NS: trade for trade in trades}.values())


def newest(tape: Market, product: str, end: datetime) -> list[Trade]:
    """The last trade before that moment; none if nothing was traded yet."""
    number = tape.newest_id(product, end)
    return tape.trades_by_id(product, number, number + 1)


def window_start(time: datetime) -> datetime:
    """When the quarter of a second of that moment began."""
    return time - (time - time.replace(microsecond=0)) % WINDOW


def price(name: str, trade: Trade, product: Product) -> dict[str, Any]:
    """A line of the pricing stream."""
    bid, ask = (f"{trade.price + step:f}" for step in (-spread(product), spread(product)))
    return {
        "type": "PRICE",
        "time": _nine_places(trade.time_ns),
        "bids": [{"price": bid, "liquidity": _LIQUIDITY}],
        "asks": [{"price": ask, "liquidity": _LIQUIDITY}],
        "closeoutBid": bid,
        "closeoutAsk": ask,
        "status": "tradeable",
        "tradeable": True,
        "instrument": name,
    }


def prices_of(tape: Market, product: str, span: Span) -> int:
    """How many prices a span has."""
    return tape.next_id(product, span.end) - tape.next_id(product, span.start)


def is_known(request: web.Request) -> bool:
    """Whether a request has the token."""
    return request.headers.get("Authorization") == f"Bearer {TOKEN}"


def refusal(status: int, message: str) -> web.Response:
    """What is answered instead."""
    return web.json_response({"errorMessage": message}, status=status)


def encode(document: dict[str, Any]) -> str:
    """One line, without its end."""
    return json.dumps(document, separators=(",", ":"))


def _nine_places(time_ns: int) -> str:
    whole = rfc3339(utc(time_ns // NANOSECONDS_A_SECOND * NANOSECONDS_A_SECOND))
    return whole.replace("Z", f".{time_ns % NANOSECONDS_A_SECOND:09}Z")
