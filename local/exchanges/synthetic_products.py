"""Markets to order: whatever symbols are wanted, as busy as is wanted. The tape makes of them one market a seed.

Used by the synthetic exchange and by the feeder of ticks, so that both tell the same with the same seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

from marketdata.errors import RequestInvalid, SettingsInvalid
from marketdata.exchanges.symbols import Pair, parse_pair

from local.exchanges.products import PRODUCTS, Product

SYMBOLS, RATE = "BTC-USD,ETH-USD,SOL-USD", 10.0
RATE_MAX = 10_000.0
SYMBOLS_MAX = 50
_DOLLARS = frozenset({"USD", "USDT", "USDC"})
_NOTIONAL = Decimal(500)
"""What a trade is worth on average, in quote currency."""
_PLACES_OF_PRICE = 6
_KNOWN = {product.base: product for product in PRODUCTS if product.quote == "USD"}


@dataclass(frozen=True, slots=True)
class SyntheticOrder:
    """Which synthetic market is wanted; `rate` is trades a second of all symbols together."""

    symbols: tuple[str, ...]
    rate: float
    seed: int


def synthetic_order(environment: Mapping[str, str], seed: int) -> SyntheticOrder:
    """SYNTHETIC_SYMBOLS, SYNTHETIC_RATE and SYNTHETIC_SEED, which is `seed` if not set. Raises: SettingsInvalid."""
    symbols = environment.get("SYNTHETIC_SYMBOLS", "").strip() or SYMBOLS
    rate = environment.get("SYNTHETIC_RATE", "").strip() or str(RATE)
    own_seed = environment.get("SYNTHETIC_SEED", "").strip() or str(seed)
    wrong = "is wrong: at most 50 symbols, up to 10,000 trades a second of all together, and a whole number as seed"
    try:
        order = SyntheticOrder(
            tuple(one.strip() for one in symbols.split(",") if one.strip()), float(rate), int(own_seed)
        )
        synthetic_products(order.symbols, order.rate)
    except (ValueError, RequestInvalid) as error:
        raise SettingsInvalid({"SYNTHETIC_SYMBOLS, SYNTHETIC_RATE or SYNTHETIC_SEED": f"{wrong} ({error})"}) from error
    return order


def synthetic_products(symbols: Sequence[str], rate: float) -> tuple[Product, ...]:
    """A market for each symbol, in any spelling, that together trade `rate` times a second on average.

    Raises: RequestInvalid for a rate that cannot be, for too many symbols, and for two that are the same.
    """
    if not 0 < rate <= RATE_MAX:
        raise RequestInvalid("rate", f"must be above 0 and at most {RATE_MAX:,.0f} trades a second")
    pairs = [parse_pair(symbol) for symbol in symbols]
    if not 0 < len(pairs) <= SYMBOLS_MAX or len(set(pairs)) < len(pairs):
        raise RequestInvalid("symbols", f"must be 1 to {SYMBOLS_MAX} different markets")
    a_minute = max(1, round(rate * 60 / len(pairs)))
    return tuple(_product(pair, a_minute) for pair in pairs)


def _product(pair: Pair, trades_a_minute: int) -> Product:
    known = _KNOWN.get(pair.base)
    dollars = known is not None and pair.quote in _DOLLARS
    price = known.price if known is not None and dollars else _price_of(pair)
    return Product(
        pair.base,
        pair.quote,
        price,
        known.quote_decimals if known is not None and dollars else max(2, _PLACES_OF_PRICE - price.adjusted()),
        (_NOTIONAL / price).quantize(Decimal("1e-8")),
        trades_a_minute=trades_a_minute,
        volatility=known.volatility if known is not None else 1.0,
    )


def _price_of(pair: Pair) -> Decimal:
    """Some price between 1 and 1,000 that is always this pair's."""
    drawn = int.from_bytes(blake2b(str(pair).encode(), digest_size=4).digest())
    return Decimal(1 + drawn % 999)
