"""Closes on consecutive buckets: known, repeated, or missing."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from marketdata.compute.calendar import closed
from marketdata.compute.close_series import CloseSeries, close_series
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Calendar
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named

from tests.market import MINUTE, at, candle

H1 = timeframe_named("1h")


def closing(minute: str, price: str, source: Source = Source.PROVEN) -> Candle:
    """The candle of the minute that ends then."""
    return candle(at(minute) - MINUTE, source=source, price=price)


def series(*candles: Candle, empty: tuple[Span, ...] = (), before: str | None = None) -> CloseSeries:
    """From 10:00 to 10:05."""
    known = Decimal(before) if before else None
    return close_series(M1, Span(at("10:00"), at("10:05")), candles, empty, before=known)


def closes(of: CloseSeries) -> list[str | None]:
    return [str(bucket.close) if bucket.close is not None else None for bucket in of.buckets]


def test_a_close_is_known_at_the_end_of_its_bucket() -> None:
    told = series(closing("10:00", "1"), closing("10:05", "2"))
    assert closes(told) == ["1", None, None, None, None, "2"]
    assert (told.close_at(at("10:00")), told.close_at(at("10:05"))) == (Decimal(1), Decimal(2))
    assert told.close_at(at("10:01")) is None


def test_a_bucket_without_trades_repeats_the_close_and_a_missing_one_breaks_the_chain() -> None:
    quiet = (Span(at("10:00"), at("10:02")), Span(at("10:03"), at("10:04")))
    told = series(closing("10:00", "1"), closing("10:05", "3"), empty=quiet)
    # 10:03 is missing, so nobody knows what the quiet minute after it repeats.
    assert closes(told) == ["1", "1", "1", None, None, "3"]
    assert [len(chain) for chain in told.chains()] == [3, 1]


def test_quiet_buckets_at_the_beginning_repeat_the_close_before_if_it_is_known() -> None:
    quiet = (Span(at("09:50"), at("10:03")),)
    assert closes(series(closing("10:04", "2"), empty=quiet, before="7")) == ["7", "7", "7", "7", "2", None]
    assert closes(series(closing("10:04", "2"), empty=quiet)) == [None, None, None, None, "2", None]


def test_a_candle_that_is_held_in_part_is_not_final() -> None:
    told = series(closing("10:00", "1"), closing("10:01", "2", Source.PARTIAL), closing("10:02", "3", Source.LIVE))
    assert closes(told)[:3] == ["1", None, "3"]


def test_closed_time_is_not_there_at_all() -> None:
    friday, monday = datetime.fromisoformat("2026-08-07T18:00Z"), datetime.fromisoformat("2026-08-10T00:00Z")
    week = Span(friday, monday)
    opens = [friday - H1.duration + number * H1.duration for number in range(4)]
    after = datetime.fromisoformat("2026-08-09T21:00Z")
    held = [
        candle(open_time, timeframe=H1, price="1.1")
        for open_time in [*opens, *(after + timedelta(hours=n) for n in range(3))]
    ]
    told = close_series(H1, week, held, (), shut=closed(Calendar.FX, week))
    assert len(told.buckets) == 7
    assert [len(chain) for chain in told.chains()] == [7]
    # In the night from Saturday to Sunday the price is Friday's.
    assert told.close_at(datetime.fromisoformat("2026-08-08T23:00Z")) == Decimal("1.1")


def test_a_window_has_its_base_and_what_ends_inside() -> None:
    told = series(*(closing(f"10:0{number}", str(number + 1)) for number in range(6)))
    part = told.window(at("10:02"), at("10:04"))
    assert closes(part) == ["3", "4", "5"]
    assert [bucket.end for bucket in part.inside] == [at("10:03"), at("10:04")]
    assert replace(part, buckets=()).close_at(at("10:02")) is None
