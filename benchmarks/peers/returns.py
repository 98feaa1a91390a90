"""Return and risk of closes by numpy, empyrical and quantstats: the peers of benchmarks/roi.py.

Each is given what it likes best: a numpy array of closes, or a pandas series of returns made of it inside the time that
is taken. All of log returns but for the drawdown, so that the figures can be held equal.
"""

import math
import warnings
from collections.abc import Mapping

import empyrical
import numpy as np
import pandas as pd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from quantstats import stats as quantstats_stats


def invented_closes(seed: int, number: int) -> np.ndarray:
    """A market that wanders by 0.1 % a minute, to the cent."""
    steps = np.random.default_rng(seed).normal(0, 1e-3, number)
    return np.round(30_000 * np.exp(np.cumsum(steps) - steps[0]), 2)


def by_numpy(closes: np.ndarray, periods: int) -> Mapping[str, float]:
    """Written plainly, as most would."""
    returns = np.diff(np.log(closes))
    deviation, mean = returns.std(ddof=1), returns.mean()
    year = math.sqrt(periods)
    return {
        "volatility": deviation * year,
        "sharpe": mean / deviation * year,
        "sortino": mean / np.sqrt(np.mean(np.minimum(returns, 0) ** 2)) * year,
        "max_drawdown": (closes / np.maximum.accumulate(closes)).min() - 1,
    }


def by_empyrical(closes: np.ndarray, periods: int) -> Mapping[str, float]:
    """Its functions, on arrays."""
    returns = np.diff(np.log(closes))
    return {
        "volatility": empyrical.annual_volatility(returns, annualization=periods),
        "sharpe": empyrical.sharpe_ratio(returns, annualization=periods),
        "sortino": empyrical.sortino_ratio(returns, annualization=periods),
        "max_drawdown": empyrical.max_drawdown(closes[1:] / closes[:-1] - 1),
    }


def by_quantstats(closes: np.ndarray, periods: int) -> Mapping[str, float]:
    """Its functions, on series; it wants a calendar beside them."""
    times = pd.date_range("2025-01-01", periods=len(closes), freq="min")
    prices = pd.Series(closes, index=times)
    returns = np.log(prices).diff().dropna()
    return {
        "volatility": quantstats_stats.volatility(returns, periods=periods, prepare_returns=False),
        "sharpe": quantstats_stats.sharpe(returns, periods=periods),
        "sortino": quantstats_stats.sortino(returns, periods=periods),
        "max_drawdown": quantstats_stats.max_drawdown(prices),
    }
