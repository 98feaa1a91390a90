"""Exact decimals as people and programs read them. Everything that leaves the system as text or JSON passes here."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

AsJson = Callable[[Decimal | None], str | msgspec.Raw | None]
"""What writes a number into JSON."""


def plain(number: Decimal) -> str:
    """All digits of a finite number: no exponent, no trailing zeros, no minus before zero."""
    text = str(number)
    # Most numbers need no more, and an answer of candles has thousands.
    return text if text[-1] != "0" and "E" not in text else _tidied(number, text)


def as_string(number: Decimal | None) -> str | None:
    """For JSON: a string, which every client reads exactly."""
    if number is None:
        return None
    # As in plain, without the call: this runs eight times a candle.
    text = str(number)
    return text if text[-1] != "0" and "E" not in text else _tidied(number, text)


def as_number(number: Decimal | None) -> msgspec.Raw | None:
    """For JSON: a number with all its digits; a client that reads numbers as floats loses some."""
    return None if number is None else msgspec.Raw(plain(number).encode())


def _tidied(number: Decimal, text: str) -> str:
    digits = f"{number:f}" if "E" in text else text
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits
