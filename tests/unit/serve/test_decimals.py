"""Decimals as text and JSON: exact, and without any notation that a reader must know."""

import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.serve.decimals import as_number, as_string, plain

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=None)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("65000.10", "65000.1"),
        ("0.00001000", "0.00001"),
        ("1E-8", "0.00000001"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("0.000", "0"),
        ("0E-12", "0"),
        ("-0.0", "0"),
        ("-1.50", "-1.5"),
    ],
)
def test_a_number_is_all_its_digits_and_nothing_else(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


@given(numbers)
def test_plain_text_is_the_same_number(number: Decimal) -> None:
    assert Decimal(plain(number)) == number


@given(numbers)
def test_plain_text_has_no_exponent_and_no_trailing_zero(number: Decimal) -> None:
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", plain(number))


@given(st.decimals(min_value=0, max_value=10**30, allow_nan=False, places=18))
def test_json_holds_the_same_number_both_ways(number: Decimal) -> None:
    encoded = msgspec.json.encode([as_string(number), as_number(number)])
    assert msgspec.json.decode(encoded, type=tuple[str, Decimal]) == (plain(number), number)


def test_what_is_not_known_is_null() -> None:
    assert msgspec.json.encode([as_string(None), as_number(None)]) == b"[null,null]"
