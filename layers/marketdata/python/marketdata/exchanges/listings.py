"""What an exchange lists: one request, and the markets in its answer. Pure; called by jobs/sync_instruments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.exchange import Request
from marketdata.exchanges.symbols import canonical_currency
from marketdata.exchanges.wire import excerpt


@dataclass(frozen=True, slots=True)
class Listing:
    """One market, spelled as the exchange spells it; `trading` is whether it is open now."""

    symbol: str
    base: str
    quote: str
    trading: bool


class _CoinbaseProduct(msgspec.Struct):
    id: str
    base_currency: str
    quote_currency: str
    status: str
    trading_disabled: bool = False


class _BinanceSymbol(msgspec.Struct):
    symbol: str
    status: str
    baseAsset: str  # noqa: N815 - the exchange's name for it
    quoteAsset: str  # noqa: N815


class _BinanceInfo(msgspec.Struct):
    symbols: list[_BinanceSymbol]


@dataclass(frozen=True, slots=True)
class ListingSource:
    """The request for all listings of an exchange, and how its answer is read."""

    request: Request
    read: Callable[[bytes], list[Listing]]


def _coinbase(body: bytes) -> list[Listing]:
    products = msgspec.json.decode(body, type=list[_CoinbaseProduct])
    return [
        Listing(one.id, one.base_currency, one.quote_currency, one.status == "online" and not one.trading_disabled)
        for one in products
    ]


def _binance(body: bytes) -> list[Listing]:
    symbols = msgspec.json.decode(body, type=_BinanceInfo).symbols
    return [Listing(one.symbol, one.baseAsset, one.quoteAsset, one.status == "TRADING") for one in symbols]


def _bitfinex(body: bytes) -> list[Listing]:
    """`[["BTCUSD", "DOGE:USD", ...]]`: what is not there is not traded."""
    (pairs,) = msgspec.json.decode(body, type=list[list[str]])
    found = []
    for pair in pairs:
        base, _, quote = pair.partition(":") if ":" in pair else (pair[:-3], "", pair[-3:])
        names = (canonical_currency("bitfinex", base), canonical_currency("bitfinex", quote))
        found.append(Listing(f"t{pair}", *names, trading=True))
    return found


LISTINGS: Mapping[str, ListingSource] = MappingProxyType(
    {
        "coinbase": ListingSource(Request("/products"), _coinbase),
        "binance": ListingSource(Request("/api/v3/exchangeInfo", weight=20), _binance),
        "bitfinex": ListingSource(Request("/v2/conf/pub:list:pair:exchange"), _bitfinex),
    }
)


def listing_source(exchange: str) -> ListingSource:
    """That of an exchange or of its simulator. Raises: RequestInvalid naming those that there are."""
    source = LISTINGS.get(exchange.partition("-")[0])
    if source is None:
        raise RequestInvalid("exchange", f"{exchange!r} has no list; {', '.join(LISTINGS)} have", tuple(LISTINGS))
    return source


def read_listings(exchange: str, body: bytes) -> list[Listing]:
    """The markets in an answer, by symbol. Raises: RemoteMalformed, for an empty list too: nobody lists nothing."""
    try:
        listings = sorted(listing_source(exchange).read(body), key=lambda one: one.symbol)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RemoteMalformed(exchange, f"listings: {error}", excerpt(body)) from error
    if not listings or not all(one.symbol and one.base and one.quote for one in listings):
        raise RemoteMalformed(exchange, "listings: none, or one without a name", excerpt(body))
    return listings
