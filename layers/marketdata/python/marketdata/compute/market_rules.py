"""Users' rules about markets: a value out of candles or statistics, and whether it is past its bound. Pure.

Amounts that are percentages are compared as percentages: 5 is five percent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from marketdata.model.alert_book import Condition
from marketdata.model.alert_rule import Direction, MarketRule, MarketRuleKind
from marketdata.model.candle import Candle
from marketdata.model.windows import WINDOWS

VOLUME_WINDOWS = 20
"""The usual volume is the mean of so many windows before the last one."""
CANDLE_WINDOWS = {"5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "24h": 1_440}
"""Minutes of the windows that prices and volumes are watched over."""
MINUTE = timedelta(minutes=1)
_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rule's market shows; None where it cannot be told, which is no reason to say that it has ended."""

    rule: MarketRule
    value: Decimal | None
    as_of: datetime | None = None


def windows_of(kind: MarketRuleKind) -> tuple[str, ...]:
    """The windows that a rule of that kind may have; none for a price."""
    if kind is MarketRuleKind.PRICE_CROSSES:
        return ()
    if kind in (MarketRuleKind.ROI, MarketRuleKind.DRAWDOWN):
        return tuple(window.name for window in WINDOWS)
    return tuple(name for name in CANDLE_WINDOWS if kind is MarketRuleKind.PRICE_MOVES or CANDLE_WINDOWS[name] <= 240)


def minutes_needed(rule: MarketRule) -> int:
    """How many of the newest minutes its value is made of."""
    if rule.kind is MarketRuleKind.PRICE_CROSSES:
        return 1
    minutes = CANDLE_WINDOWS[rule.window]
    return minutes + 1 if rule.kind is MarketRuleKind.PRICE_MOVES else minutes * (VOLUME_WINDOWS + 1)


def market_value(rule: MarketRule, candles: Sequence[Candle]) -> Decimal | None:
    """The value of a rule about price or volume, of 1m candles, oldest first; None where one it needs is missing."""
    if not candles:
        return None
    newest = candles[-1]
    if rule.kind is MarketRuleKind.PRICE_CROSSES:
        return newest.close
    window = CANDLE_WINDOWS[rule.window] * MINUTE
    if rule.kind is MarketRuleKind.PRICE_MOVES:
        # The close before the window began; a minute without trades repeats the one before it.
        before = [one for one in candles if one.open_time <= newest.open_time - window]
        return (newest.close / before[-1].close - 1) * _PERCENT if before else None
    return _spike(candles, newest.open_time + MINUTE - window, window)


def _spike(candles: Sequence[Candle], edge: datetime, window: timedelta) -> Decimal | None:
    """How many times the mean volume of the windows before `edge` the volume since then is."""
    start = edge - VOLUME_WINDOWS * window
    if candles[0].open_time > start + window:
        return None
    last = sum((one.volume for one in candles if one.open_time >= edge), Decimal(0))
    usual = sum((one.volume for one in candles if start <= one.open_time < edge), Decimal(0)) / VOLUME_WINDOWS
    return last / usual if usual else None


def market_condition(measured: Measured, *, firing: bool) -> Condition | None:
    """What holds of the rule; None if nothing does. Of a value that nobody knows, what held before still does."""
    rule, value = measured.rule, measured.value
    if value is None:
        return _condition(measured, firm=False) if firing else None
    if _past(rule, value, rule.bound):
        return _condition(measured, firm=True)
    return _condition(measured, firm=False) if _past(rule, value, rule.clear) else None


def _past(rule: MarketRule, value: Decimal, bound: Decimal) -> bool:
    if rule.direction is Direction.EITHER:
        return abs(value) >= bound
    return value >= bound if rule.direction is Direction.ABOVE else value <= bound


def key_of(rule: MarketRule) -> str:
    """The dedup key of its alert."""
    return f"{rule.exchange}:{rule.symbol}:{rule.rule}:{rule.name}"


def _condition(measured: Measured, *, firm: bool) -> Condition:
    rule, value = measured.rule, measured.value
    shown = "is not known" if value is None else f"is {value.quantize(Decimal('1E-8')).normalize():f}"
    over = f" over {rule.window}" if rule.window else ""
    said = (
        f"{rule.exchange} {rule.symbol}: {rule.kind.replace('_', ' ')}{over} {shown}, {rule.direction} {rule.bound:f}"
    )
    return Condition(
        dedup_key=key_of(rule),
        rule=rule.rule,
        severity=rule.severity,
        summary=said[:300],
        hold=timedelta(seconds=rule.hold_seconds),
        exchange=rule.exchange,
        symbol=rule.symbol,
        firm=firm,
        context={
            "name": rule.name,
            "value": None if value is None else f"{value:f}",
            "threshold": f"{rule.bound:f}",
            "window": rule.window or None,
        },
    )
