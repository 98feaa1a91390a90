"""Two reports of one asset and minute become one: the rule of the store, in Python; the database has its twin.

Commutative, associative and idempotent, so that a run that is repeated, or two at once, write the same rows.
"""

from dataclasses import replace
from decimal import Decimal

from marketdata.model.snapshot import Snapshot


def merge_snapshots(one: Snapshot, other: Snapshot) -> Snapshot:
    """The one observed later; of one moment, field by field: the greater, and any value before none."""
    assert one.key == other.key, (one, other)
    if one.observed_at != other.observed_at:
        return max(one, other, key=lambda snapshot: snapshot.observed_at)
    return replace(
        one,
        price=max(one.price, other.price),
        volume_24h=_greater(one.volume_24h, other.volume_24h),
        market_cap=_greater(one.market_cap, other.market_cap),
        change_percent_24h=_greater(one.change_percent_24h, other.change_percent_24h),
    )


def _greater(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return max((value for value in (one, other) if value is not None), default=None)
