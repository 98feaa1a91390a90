"""Return and risk of 100 symbols x 1 year of 1m closes, beside numpy, empyrical and quantstats on the same closes.

And what `roi_stats` does each quarter hour: five windows of each of 100 markets, of closes that are exact decimals on
buckets that may be missing. CPU time of the process; the designs take turns, symbol by symbol. Figures must agree to
1e-9.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from marketdata.compute.close_series import Bucket, CloseSeries
from marketdata.compute.statistics_windows import risk_of, roi_statistic
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.windows import WINDOWS

from benchmarks.result import Result, Table

SYMBOLS = 100
MINUTES = 365 * 24 * 60
AGREED = 1e-9

_NOW = datetime(2026, 8, 1, tzinfo=UTC)
_COLUMNS = ("design", "s for 100 symbols", "ms a symbol", "times ours")

Figures = Mapping[str, float | None]


def run(announce: Callable[[str], None]) -> Result:
    """Measure; one note instead where the peers are not installed."""
    try:
        from benchmarks.peers import returns  # noqa: PLC0415
    except ImportError as missing:
        return Result("roi", (), (f"not measured: {missing}",))
    designs: dict[str, Callable[[Any, int], Figures]] = {
        "ours: exact sums of floats, no array library": lambda closes, periods: risk_of([closes], periods),
        "numpy, written plainly": returns.by_numpy,
        "empyrical": returns.by_empyrical,
        "quantstats": returns.by_quantstats,
    }
    seconds, widest = _take_turns(designs, returns.invented_closes, announce)
    announce("five windows of a hundred markets")
    job = _job()
    note = (
        f"largest difference of a figure from ours: {widest:.1e}, relative; promised: below {AGREED:.0e}, "
        f"{'kept' if widest < AGREED else 'BROKEN'}"
    )
    windows = f"what roi_stats computes of {SYMBOLS} markets each quarter hour, five windows each: {job:.2f} s"
    return Result("roi", (_table(seconds),), (note, windows))


def _take_turns(
    designs: Mapping[str, Callable[[Any, int], Figures]],
    invent: Callable[[int, int], Any],
    announce: Callable[[str], None],
) -> tuple[dict[str, float], float]:
    """CPU seconds of each design over all symbols, and the widest difference of a figure from the first one's."""
    seconds = dict.fromkeys(designs, 0.0)
    widest = 0.0
    for symbol in range(SYMBOLS):
        if symbol % 10 == 0:
            announce(f"symbol {symbol + 1} of {SYMBOLS}")
        array = invent(symbol, MINUTES + 1)
        ours: Figures = {}
        for place, (name, design) in enumerate(designs.items()):
            # We keep closes as a list of floats, the others as an array: each has them ready.
            closes = array if place else array.tolist()
            began = time.process_time()
            figures = design(closes, MINUTES)
            seconds[name] += time.process_time() - began
            ours = ours or figures
            widest = max(widest, *(_difference(figures[figure], ours[figure]) for figure in figures))
    return seconds, widest


def _difference(one: float | None, other: float | None) -> float:
    return math.inf if one is None or other is None else abs(float(one) - other) / abs(other)


def _job() -> float:
    """CPU seconds of every window of every market, from decimals and buckets to rows."""
    market = Instrument("benchmark", "BTC-USD", "BTC", "USD")
    series = {window.name: _series(window.buckets, window) for window in WINDOWS}
    began = time.process_time()
    for number in range(SYMBOLS):
        for window in WINDOWS:
            roi_statistic(replace(market, symbol=f"S{number:03}-USD"), window, _NOW, series[window.name])
    return time.process_time() - began


def _series(buckets: int, window: Any) -> CloseSeries:
    start, step = _NOW - window.duration, window.timeframe.duration
    closes = [Decimal(65_000) + Decimal(number * 7919 % 997) / 100 for number in range(buckets + 1)]
    ends = tuple(Bucket(start + number * step, close) for number, close in enumerate(closes))
    return CloseSeries(window.timeframe, Span(start, _NOW), ends)


def _table(seconds: Mapping[str, float]) -> Table:
    ours = next(iter(seconds.values()))
    rows = tuple(
        (name, f"{taken:.2f}", f"{taken / SYMBOLS * 1e3:.1f}", f"{taken / ours:.2f}") for name, taken in seconds.items()
    )
    return Table(f"return and risk of {SYMBOLS} symbols x {MINUTES:,} returns", _COLUMNS, rows)
