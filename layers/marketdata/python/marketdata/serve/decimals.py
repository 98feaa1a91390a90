"""Exact decimals as people and programs read them. Everything that leaves the system as text or JSON passes here."""

from decimal import Decimal

import msgspec


def plain(number: Decimal) -> str:
    """All digits of a finite number: no exponent, no trailing zeros, no minus before zero."""
    text = str(number)
    if "E" in text:
        text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def as_string(number: Decimal | None) -> str | None:
    """For JSON: a string, which every client reads exactly."""
    return None if number is None else plain(number)


def as_number(number: Decimal | None) -> msgspec.Raw | None:
    """For JSON: a number with all its digits; a client that reads numbers as floats loses some."""
    return None if number is None else msgspec.Raw(plain(number).encode())
