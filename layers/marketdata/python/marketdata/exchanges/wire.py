"""What every adapter needs to read a wire: the bounds of sane numbers, readable evidence, a span cut into requests."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

# Beyond these a number is an error or an attack, not a price or a size.
LEAST = Decimal("1e-30")
GREATEST = Decimal("1e30")
IDS_MAX = 2**63 - 1

EXCERPT_CHARACTERS = 300


def excerpt(frame: str | bytes) -> str:
    """The beginning of a frame or body as readable evidence."""
    text = frame[:EXCERPT_CHARACTERS]
    return text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")


def steps(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    """`start`, and every `step` after it that is before `end`."""
    while start < end:
        yield start
        start += step


def check_candle(open_: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal) -> None:
    """Raises: ValueError for prices out of bounds or out of order, and for a negative volume."""
    if not (LEAST < low <= min(open_, close) and max(open_, close) <= high < GREATEST and 0 <= volume < GREATEST):
        raise ValueError(f"impossible candle: open {open_} high {high} low {low} close {close} volume {volume}")


def check_trade(price: Decimal, size: Decimal, trade_id: int) -> None:
    """Raises: ValueError for a price, size or id out of bounds."""
    if not (LEAST < price < GREATEST and LEAST < size < GREATEST and 0 < trade_id <= IDS_MAX):
        raise ValueError("price, size or id out of bounds")
