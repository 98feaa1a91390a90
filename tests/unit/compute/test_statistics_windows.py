"""Rows made of closes: with figures, or with reasons why there are none."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.compute import statistics_windows as windows
from marketdata.compute.close_series import CloseSeries, close_series
from marketdata.model.candle import Candle
from marketdata.model.instrument import Calendar
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.model.windows import AGGREGATED, WINDOWS, Window

from tests.market import BTC, MINUTE, at, candle

HOUR = next(window for window in WINDOWS if window.name == "1h")
RISK = {"volatility", "sharpe", "sortino", "max_drawdown", "best", "worst"}
M5 = timeframe_named("5m")


def closing(minute: datetime, price: str) -> Candle:
    """The candle of the minute that ends then."""
    return candle(minute - MINUTE, price=price)


def an_hour(*, without: range = range(0), steady: bool = False) -> CloseSeries:
    """The 61 closes from 10:00 to 11:00, up and down by turns; some of them missing."""
    ends = [at("10:00") + number * MINUTE for number in range(61) if number not in without]
    prices = ["100" if steady or number % 2 else "101" for number in range(61) if number not in without]
    candles = [closing(end, price) for end, price in zip(ends, prices, strict=True)]
    return close_series(M1, Span(at("10:00"), at("11:00")), candles, ())


def test_a_whole_window_has_every_figure_and_no_reason() -> None:
    row = windows.roi_statistic(BTC, HOUR, at("11:00"), an_hour())
    assert (row.n, row.coverage, row.absent, row.formula_version) == (60, 1.0, {}, 1)
    assert (row.roi, row.best) == (0.0, 0.01)
    assert row.worst == pytest.approx(-1 / 101, rel=1e-15)
    assert row.max_drawdown == pytest.approx(-1 / 101, rel=1e-15)
    assert (row.period, row.as_of, row.timeframe) == ("1h", at("11:00"), M1)


def test_a_missing_minute_breaks_two_returns_and_lowers_coverage() -> None:
    row = windows.roi_statistic(BTC, HOUR, at("11:00"), an_hour(without=range(30, 31)))
    assert (row.n, row.coverage) == (58, 0.983333)
    assert row.volatility is not None


def test_a_missing_end_leaves_no_return_on_investment_and_says_why() -> None:
    first = windows.roi_statistic(BTC, HOUR, at("11:00"), an_hour(without=range(1)))
    last = windows.roi_statistic(BTC, HOUR, at("11:00"), an_hour(without=range(60, 61)))
    assert (first.roi, dict(first.absent)) == (None, {"roi": windows.NO_START})
    assert (last.roi, dict(last.absent)) == (None, {"roi": windows.NO_END})


def test_of_less_than_half_only_the_ends_are_spoken_of() -> None:
    row = windows.roi_statistic(BTC, HOUR, at("11:00"), an_hour(without=range(20, 51)))
    assert (row.coverage, row.roi) == (0.483333, 0.0)
    assert {row.absent[name] for name in RISK} == {windows.THIN}
    assert all(getattr(row, name) is None for name in RISK)


def test_of_one_return_no_risk_is_told() -> None:
    row = windows.roi_statistic(BTC, HOUR, at("11:00"), an_hour(without=range(1, 60)))
    assert {row.absent[name] for name in RISK} == {windows.FEW}
    assert row.n == 0


def test_what_never_moves_has_no_ratio_and_says_so() -> None:
    row = windows.roi_statistic(BTC, HOUR, at("11:00"), an_hour(steady=True))
    assert (row.volatility, row.sharpe, row.sortino) == (0.0, None, None)
    assert dict(row.absent) == {"sharpe": windows.FLAT, "sortino": windows.NO_LOSS}


def test_prices_beyond_floats_have_a_reason_and_no_figure() -> None:
    series = close_series(
        M1, Span(at("10:00"), at("10:02")), [closing(at(f"10:0{n}"), f"{n + 1}e200") for n in range(3)], ()
    )
    two = Window("2m", timedelta(minutes=2), M1)
    row = windows.roi_statistic(BTC, two, at("10:02"), series)
    assert (row.roi, row.volatility, row.absent["volatility"]) == (2.0, None, windows.BEYOND)


@pytest.mark.parametrize(("calendar", "days"), [(Calendar.ALWAYS, 365), (Calendar.FX, 252)])
def test_a_year_has_as_many_buckets_as_its_market_is_open(calendar: Calendar, days: int) -> None:
    assert windows.periods_per_year(calendar, M1) == days * 1440
    assert windows.periods_per_year(calendar, timeframe_named("1d")) == days
    one, other = (
        windows.roi_statistic(replace(BTC, calendar=of), HOUR, at("11:00"), an_hour())
        for of in (calendar, Calendar.ALWAYS)
    )
    assert one.volatility is not None
    assert other.volatility is not None
    assert one.volatility**2 / other.volatility**2 == pytest.approx(days / 365)


def day_of(prices: dict[int, str], *, quiet: bool = True, timeframe_minutes: int = 5) -> CloseSeries:
    """24 hours of 5m up to noon: at those buckets a candle, elsewhere nobody traded or nobody knows."""
    start = at("12:00") - timedelta(days=1)
    candles = [candle(start + (place - 1) * M5.duration, timeframe=M5, price=price) for place, price in prices.items()]
    span = Span(start, at("12:00"))
    whole = Span(start - timedelta(hours=1), at("12:00"))
    return close_series(M5, span, candles, (whole,) if quiet else ())


def test_a_snapshot_has_price_volume_and_returns_with_reasons_beside() -> None:
    rois = {"1h": (0.1, ""), "24h": (0.2, ""), "7d": (None, windows.NO_START), "30d": (None, windows.NO_START)}
    row = windows.market_snapshot(BTC, at("12:00"), rois, day_of({0: "100", 288: "110", 20: "105"}))
    assert (row.price, row.volume_24h, row.quote_volume_24h) == (Decimal(110), Decimal("0.20"), Decimal("21.50"))
    assert (row.roi_1h, row.roi_7d, row.n, row.coverage) == (0.1, None, 288, 1.0)
    assert dict(row.absent) == {"roi_7d": windows.NO_START, "roi_30d": windows.NO_START}


def test_a_volume_of_a_day_with_a_hole_is_not_a_number() -> None:
    row = windows.market_snapshot(
        BTC,
        at("12:00"),
        dict.fromkeys(("1h", "24h", "7d", "30d"), (None, "")),
        day_of({0: "100", 288: "110"}, quiet=False),
    )
    assert (row.volume_24h, row.absent["volume_24h"]) == (None, windows.HOLES)
    assert row.price == Decimal(110)


def test_an_hour_is_the_fold_of_its_buckets_with_average_and_change() -> None:
    series = day_of({0: "100", 1: "120", 12: "90", 13: "95"})
    first, second = list(windows.aggregates(BTC, "hourly", series))[:2]
    assert first.as_of == at("13:00") - timedelta(days=1)
    assert (first.open, first.high, first.low, first.close) == tuple(map(Decimal, (120, 120, 90, 90)))
    assert first.average == Decimal("117.5")
    assert (first.volume, first.change, first.n, first.coverage) == (Decimal("0.20"), -0.1, 12, 1.0)
    assert (second.open, second.close) == (Decimal(95), Decimal(95))


def test_an_hour_without_a_trade_repeats_the_close_and_moved_nothing() -> None:
    hours = list(windows.aggregates(BTC, "hourly", day_of({0: "100"})))
    assert len(hours) == 24
    assert {(hour.open, hour.close, hour.volume, hour.change) for hour in hours} == {
        (Decimal(100), Decimal(100), Decimal(0), 0.0)
    }


def test_an_hour_with_a_hole_has_only_what_is_sure() -> None:
    hours = list(windows.aggregates(BTC, "hourly", day_of({0: "100", 12: "110"}, quiet=False)))
    (hour,) = hours
    assert (hour.open, hour.high, hour.low, hour.average, hour.volume) == (None,) * 5
    assert (hour.close, hour.change, hour.n, hour.coverage) == (Decimal(110), 0.1, 1, 0.083333)
    assert hour.absent["open"] == windows.HOLES


def test_every_window_and_aggregate_is_on_edges_of_what_it_is_made_of() -> None:
    assert all(window.duration % window.timeframe.duration == timedelta(0) for window in WINDOWS)
    assert all(60 <= window.buckets <= 720 for window in WINDOWS)
    assert set(AGGREGATED) == {"hourly", "daily", "weekly"}
