"""In which fields two candles of one bucket differ, as far as both say anything."""

from decimal import Decimal

from marketdata.model.candle import Candle

PRICES = ("open", "high", "low", "close")
AMOUNTS = ("volume", "quote_volume")
FIELDS = (*PRICES, *AMOUNTS, "trades")

# Exchanges add up in floating point: one says 15.114499480000001 where the trades say 15.11449948.
_RELATIVE = Decimal("1e-12")


def differing_fields(ours: Candle, theirs: Candle) -> tuple[str, ...]:
    """The names of the fields in which they differ; what one of them does not give is not compared."""
    return tuple(name for name in FIELDS if _differ(name, getattr(ours, name), getattr(theirs, name)))


def _differ(name: str, ours: Decimal | int | None, theirs: Decimal | int | None) -> bool:
    if ours is None or theirs is None:
        return False
    if name not in AMOUNTS:
        return ours != theirs
    one, other = Decimal(ours), Decimal(theirs)
    return abs(one - other) > _RELATIVE * max(abs(one), abs(other))
