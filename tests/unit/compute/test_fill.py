"""A regular grid out of candles with holes."""

from decimal import Decimal

from marketdata.compute.fill import fill_buckets
from marketdata.model.timeframe import M1

from tests.market import at, candle, minutes


def shown(start: str, end: str, *clocks: str, before: str | None = None) -> list[tuple[str, bool, str | None]]:
    """Of each bucket when it opens, whether it is held, and the price it stands at if not."""
    candles = [candle(at(clock), price=f"1{place}") for place, clock in enumerate(clocks)]
    slots = fill_buckets(candles, M1, at(start), at(end), Decimal(before) if before else None)
    return [(f"{opens:%H:%M}", held is not None, str(close) if close else None) for opens, held, close in slots]


def test_every_bucket_is_there_once_with_the_close_before_it() -> None:
    assert shown("10:00", "10:05", "10:01", "10:03", before="9") == [
        ("10:00", False, "9"),
        ("10:01", True, None),
        ("10:02", False, "10"),
        ("10:03", True, None),
        ("10:04", False, "11"),
    ]


def test_before_the_first_candle_of_all_there_is_no_price() -> None:
    assert shown("10:00", "10:02", "10:01")[0] == ("10:00", False, None)


def test_candles_after_the_grid_are_kept_and_what_is_between_them_is_not_filled() -> None:
    assert shown("10:00", "10:02", "10:00", "10:04") == [
        ("10:00", True, None),
        ("10:01", False, "10"),
        ("10:04", True, None),
    ]


def test_a_grid_without_buckets_is_its_candles() -> None:
    assert shown("10:00", "10:00", "10:00", "10:01") == [("10:00", True, None), ("10:01", True, None)]
    assert list(fill_buckets(minutes("10:00", "10:00"), M1, at("10:00"), at("09:00"), None)) == []
