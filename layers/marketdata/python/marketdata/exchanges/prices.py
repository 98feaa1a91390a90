"""Which price a market's candles are of, and when it trades, where an exchange quotes instead of telling trades. Pure.

`EUR_USD:bid` is an instrument of its own; the plain symbol is of the exchange's usual price (docs/data-semantics.md,
"Quoted markets").
"""

from marketdata.errors import RequestInvalid
from marketdata.exchanges.archives import ARCHIVES
from marketdata.exchanges.places import SIMULATED_SUFFIX
from marketdata.exchanges.registry import ADAPTERS
from marketdata.exchanges.symbols import FX, Pair
from marketdata.model.instrument import Calendar
from marketdata.model.quote import PriceSide


def usual_side(exchange: str) -> PriceSide | None:
    """The price of candles that go by the plain symbol; None where there are trades, which have one price."""
    venue = exchange.removesuffix(SIMULATED_SUFFIX)
    if venue in ARCHIVES:
        return next(iter(ARCHIVES[venue].values())).make(venue).usual_side
    adapter = ADAPTERS.get(venue)
    return adapter.usual_side if adapter is not None else None


def split_price(exchange: str, symbol: str) -> tuple[str, str]:
    """`EUR_USD:bid` as `EUR_USD` and what an instrument's symbol ends with, which is nothing for the usual price.

    Raises: RequestInvalid for a price of an exchange that tells trades.
    """
    plain, _, label = symbol.strip().rpartition(":")
    if label.lower() not in set(PriceSide) or not plain:
        return symbol, ""
    usual = usual_side(exchange)
    if usual is None:
        raise RequestInvalid("symbol", f"{exchange} tells trades, which have one price: {plain}")
    side = PriceSide(label.lower())
    return plain, "" if side is usual else f":{side}"


def usual_calendar(exchange: str, pair: Pair) -> Calendar:
    """When that market certainly does not trade; of what is no pair of currencies or metals nothing is said."""
    quoted = usual_side(exchange) is not None
    return Calendar.FX if quoted and {pair.base, pair.quote} <= FX else Calendar.ALWAYS
