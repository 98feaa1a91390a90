"""The formulas of return and risk: against published answers, against exact arithmetic, and by their laws."""

import csv
import json
import math
from decimal import Decimal, localcontext
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.statistics import (
    Moments,
    changes,
    log_returns,
    max_drawdown,
    moments,
    roi,
    sharpe,
    sortino,
    volatility,
)
from marketdata.compute.statistics_windows import risk_of

from tests.captures import FOLDER, needs_captures

PUBLISHED = "roi/empyrical_cases.json"
NOT_OURS = {"annual_return", "calmar"}
SERIES = ("binance_BTCUSDT_1m_2020-05-06", "binance_BTCUSDT_1d_2020-09_2021-02")

closes_of_a_market = st.lists(st.integers(1, 10**9).map(lambda cents: cents / 100), min_size=3, max_size=60)


def published(name: str) -> Any:
    """A part of the published answers."""
    return json.loads((FOLDER / PUBLISHED).read_text())[name]


def series_named(name: str) -> list[float]:
    """Returns; what is not a number is left out, as empyrical does."""
    return [one for one in published("series")[name] if one is not None]


def grown(returns: list[float]) -> list[float]:
    """Closes that have these returns, from 1 on."""
    return list(accumulate(returns, lambda close, change: close * (1 + change), initial=1.0))


def answered(case: dict[str, Any], returns: list[float]) -> float | None:
    """What we say to a published case."""
    periods, target = case["periods_per_year"], case["rf_or_required"]
    told = moments(returns, target)
    answers: dict[str, float | None] = {
        "max_drawdown": max_drawdown(grown(returns)),
        "annual_volatility": volatility(told, periods),
        "sharpe": sharpe(told, periods, target),
        "sortino": sortino(told, periods, target),
        "downside_risk": told.downside * math.sqrt(periods),
    }
    return answers[case["fn"]]


@needs_captures
def test_published_cases_are_answered_the_same() -> None:
    compared = 0
    for case in published("cases"):
        if case["fn"] in NOT_OURS or case["series"] == "empty":
            continue
        ours = answered(case, series_named(case["series"]))
        if case["expected"] in (None, "inf"):
            # Without deviation, or without a loss, there is no figure here: never a number, and never infinity.
            assert ours is None or case["fn"] == "max_drawdown", case
        else:
            # Two drawdowns are published to 7 and 9 places.
            places = len(str(case["expected"]).partition(".")[2])
            assert ours == pytest.approx(case["expected"], rel=1e-12, abs=0.5 * 10.0**-places), case
        compared += 1
    assert compared == 29


@needs_captures
@pytest.mark.parametrize("number", range(3))
def test_published_rolling_windows_are_answered_the_same(number: int) -> None:
    case = published("rolling")[number]
    returns, length = series_named(case["series"]), case["window"]
    windows = [returns[start : start + length] for start in range(len(returns) - length + 1)]
    if case["fn"] == "roll_sharpe":
        ours = [sharpe(moments(window), 252) for window in windows]
    else:
        ours = [max_drawdown(grown(window)) for window in windows]
    # The first return of a series that begins with no number is in the windows there, and left out here.
    expected = case["expected"][-len(ours) :]
    assert ours[-len(expected) :] == pytest.approx(expected, abs=0.5 * 10.0 ** -case["decimals"])


def recorded(name: str) -> tuple[list[Decimal], dict[str, float]]:
    """Real closes, and what numpy, empyrical and quantstats say of them."""
    with (FOLDER / f"roi/{name}.csv").open() as file:
        closes = [Decimal(row["close"]) for row in csv.DictReader(file)]
    return closes, json.loads((FOLDER / "roi/expected_stats.json").read_text())[name]


@needs_captures
@pytest.mark.parametrize("name", SERIES)
def test_real_prices_have_the_figures_that_others_found(name: str) -> None:
    exact, expected = recorded(name)
    closes, periods = list(map(float, exact)), expected["periods_per_year"]
    simple = changes(closes)
    told, logarithms = moments(simple), moments(log_returns(closes, simple))
    ours = {
        "total_roi": roi(exact[0], exact[-1]),
        "max_drawdown": max_drawdown(closes),
        "best": max(simple),
        "worst": min(simple),
        "annualised_vol_log": volatility(logarithms, periods),
        # Their definition, of simple returns, by our formulas.
        "mean_return": told.mean,
        "std_ddof1": told.deviation,
        "annualised_vol": volatility(told, periods),
        "sharpe_annual": sharpe(told, periods),
        "sharpe_annual_rf_5pct_simple": sharpe(told, periods, 0.05 / periods),
        "downside_dev_all_obs": told.downside,
        "sortino_annual": sortino(told, periods),
    }
    assert ours == pytest.approx({figure: expected[figure] for figure in ours}, rel=1e-12, abs=1e-12)


def exactly(closes: list[Decimal], periods: int) -> dict[str, float]:
    """The definitions of data-semantics.md in fifty digits."""
    with localcontext() as context:
        context.prec = 50
        returns = [(close / before).ln() for before, close in pairwise(closes)]
        mean = sum(returns, Decimal(0)) / len(returns)
        variance = sum(((one - mean) ** 2 for one in returns), Decimal(0)) / (len(returns) - 1)
        below = (sum((min(one, Decimal(0)) ** 2 for one in returns), Decimal(0)) / len(returns)).sqrt()
        year = Decimal(periods).sqrt()
        return {
            "volatility": float(variance.sqrt() * year),
            "sharpe": float(mean / variance.sqrt() * year),
            "sortino": float(mean / below * year),
        }


@needs_captures
@pytest.mark.parametrize("name", SERIES)
def test_real_prices_have_the_figures_of_our_definitions_in_exact_arithmetic(name: str) -> None:
    exact, expected = recorded(name)
    periods = int(expected["periods_per_year"])
    ours = risk_of([list(map(float, exact))], periods)
    in_fifty_digits = exactly(exact, periods)
    assert {figure: ours[figure] for figure in in_fifty_digits} == pytest.approx(in_fifty_digits, rel=1e-12, abs=1e-12)


@given(closes_of_a_market)
def test_log_returns_add_up_to_the_return_of_the_whole(closes: list[float]) -> None:
    whole = math.log(closes[-1] / closes[0])
    assert math.fsum(log_returns(closes, changes(closes))) == pytest.approx(whole, abs=1e-13)


@given(closes_of_a_market)
def test_a_drawdown_is_the_deepest_of_all_pairs_and_never_less_than_one_bucket_s_fall(closes: list[float]) -> None:
    falls = [after / before - 1 for place, before in enumerate(closes) for after in closes[place:]]
    deepest = max_drawdown(closes)
    assert deepest == pytest.approx(min(falls), abs=1e-15)
    assert -1 <= deepest <= 0
    assert deepest <= min(0.0, *changes(closes)) + 1e-15


@given(closes_of_a_market, st.data())
def test_a_close_left_out_never_deepens_a_drawdown(closes: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(closes) - 1))
    assert max_drawdown(closes[:place] + closes[place + 1 :]) >= max_drawdown(closes) - 1e-15


@given(closes_of_a_market, st.sampled_from([2.0**-40, 0.5, 2.0, 1024.0]))
def test_prices_in_another_unit_have_the_same_returns_and_risk(closes: list[float], unit: float) -> None:
    assert risk_of([[close * unit for close in closes]], 365) == risk_of([closes], 365)


@given(closes_of_a_market, st.randoms())
def test_the_order_of_returns_moves_no_figure_but_the_drawdown(closes: list[float], dice: Any) -> None:
    returns = log_returns(closes, changes(closes))
    shuffled = dice.sample(returns, len(returns))

    def told(of: list[float]) -> Moments:
        return moments(of)

    one, other = told(returns), told(shuffled)
    assert one.mean == other.mean
    assert (one.deviation, one.downside) == pytest.approx((other.deviation, other.downside), rel=1e-15, abs=1e-18)


@given(closes_of_a_market)
def test_risk_is_not_below_zero_and_the_ratios_have_the_sign_of_the_mean(closes: list[float]) -> None:
    returns = log_returns(closes, changes(closes))
    told = moments(returns)
    assert min(returns) - 1e-15 <= told.mean <= max(returns) + 1e-15
    assert told.deviation is not None
    assert told.deviation >= 0
    for ratio in (sharpe(told, 365), sortino(told, 365)):
        assert ratio is None or ratio * told.mean >= 0


def test_what_grows_steadily_has_no_volatility_and_no_ratio_to_it() -> None:
    steady = [float(Decimal(100) * Decimal("1.01") ** power) for power in range(50)]
    figures = risk_of([steady], 365)
    assert (figures["volatility"], figures["sharpe"], figures["sortino"]) == (0.0, None, None)
    assert figures["max_drawdown"] == 0.0


def test_one_return_has_no_deviation() -> None:
    told = moments([0.01])
    assert (volatility(told, 365), sharpe(told, 365), told.downside) == (None, None, 0.0)


def test_a_fall_to_almost_nothing_is_reckoned_with() -> None:
    closes = [1e20, 1.0, 1e-20]
    returns = log_returns(closes, changes(closes))
    assert returns == pytest.approx([-20 * math.log(10)] * 2)


def test_a_return_is_exact_however_small_it_is() -> None:
    assert roi(Decimal("65000.10"), Decimal("65000.1000000001")) == float(Decimal("1e-10") / Decimal("65000.10"))
