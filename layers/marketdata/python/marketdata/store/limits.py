"""What no store accepts: the physics of candles and trades, and the bounds of a question.

The database states the same as constraints; the in-memory store asks here. Each function gives the first reason
against, or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from marketdata.errors import RequestInvalid
from marketdata.model.candle import Candle
from marketdata.model.gap import GapState
from marketdata.model.instrument import INVENTED_EXCHANGES, Instrument
from marketdata.model.job_run import RunState
from marketdata.model.snapshot import INDEX_SOURCES, Snapshot
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe, timeframe_named
from marketdata.model.times import NANOSECONDS_A_SECOND
from marketdata.model.trade import Trade
from marketdata.store.answers import FeedStatus

if TYPE_CHECKING:
    from marketdata.model.alert_target import Target
    from marketdata.model.statistics import Statistic

ROWS_MAX = 10_000
"""The most candles or trades that one question may ask for."""

LISTED_MAX = 1_000
"""The most gaps that a page of candles comes with."""

COUNTED_MAX = timedelta(days=366)
"""The longest span whose candles one question may count."""

HELD_MAX = 1_000
"""The most instruments whose holdings one question may ask for."""

AUDITED_MAX = timedelta(days=31)
"""The longest span whose coverage one question may audit."""

CAUSE_CHARACTERS_MAX = 40

LEASE_SECONDS_MAX = 86_400
"""The longest that a gap is out of others' reach when its worker dies."""

RESULT_BYTES_MAX = 16_384
"""The longest that the result of a run may be, as JSON."""

PACE_MAX = 10_000
"""The most requests a second, at once, or reserved by one question."""

BLOCK_SECONDS_MAX = 7 * 86_400
"""The longest silence; Binance's longest ban is three days."""

MESSAGE_LEASE_SECONDS_MAX = 3_600
MESSAGES_CLAIMED_MAX = 100
SECRETS_MAX = 5
"""Keys of one target: one that signs, and those that receivers have not given up yet."""

TROUBLED_MAX = 20
"""Instruments that one status names: enough to see who suffers, whatever is followed."""

_LEAST = {
    **dict.fromkeys(("roi", "roi_1h", "roi_24h", "roi_7d", "roi_30d", "change", "worst", "max_drawdown"), -1),
    **dict.fromkeys(("volatility", "price_ratio", "quote_volume_ratio"), 0),
    **dict.fromkeys(("volume_24h", "quote_volume_24h", "volume", "quote_volume", "price"), 0),
}
"""What figures of that name never are below."""

FEED_STATES = ("connecting", "live", "stale", "down", "stopped")

_ID_MAX = 2**63 - 1
# A timestamp that the database and a Python datetime both can hold.
_TIME_NS_MAX = 253_402_300_800 * NANOSECONDS_A_SECOND


def check_limit(limit: int) -> None:
    """Refuse a question that is out of bounds. Raises: RequestInvalid."""
    if not 1 <= limit <= ROWS_MAX:
        raise RequestInvalid("limit", f"{limit} is not between 1 and {ROWS_MAX:,}")


def check_counted(span: Span) -> None:
    """Refuse to count a span that is out of bounds. Raises: RequestInvalid."""
    if span.end - span.start > COUNTED_MAX:
        raise RequestInvalid("end", f"is more than {COUNTED_MAX.days} days after start")


def check_audited(span: Span) -> None:
    """Refuse to audit a span that is out of bounds. Raises: RequestInvalid."""
    if span.end - span.start > AUDITED_MAX:
        raise RequestInvalid("end", f"is more than {AUDITED_MAX.days} days after start")


def check_held(instruments: int) -> None:
    """Refuse a question about too many instruments. Raises: RequestInvalid."""
    if instruments > HELD_MAX:
        raise RequestInvalid("symbol", f"names {instruments:,} instruments; at most {HELD_MAX:,} at once")


def candle_refused(candle: Candle) -> str | None:
    """Why `candle` cannot be."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    amounts = (candle.volume, candle.quote_volume, candle.taker_buy_volume)
    if candle.timeframe not in TIMEFRAMES:
        return f"{candle.timeframe} is not a timeframe kept here"
    if candle.timeframe.floor(candle.open_time) != candle.open_time:
        return f"{candle.open_time} does not open a {candle.timeframe} candle"
    if not all(price.is_finite() and price > 0 for price in prices):
        return f"a price is not above zero: {prices}"
    if not all(amount is None or (amount.is_finite() and amount >= 0) for amount in amounts):
        return f"an amount is below zero or no number: {amounts}"
    if (candle.taker_buy_volume or 0) > candle.volume:
        return f"takers bought {candle.taker_buy_volume} of {candle.volume}"
    return _counts_refused(candle) or _ids_refused(candle.first_id, candle.last_id)


def trade_refused(trade: Trade) -> str | None:
    """Why `trade` cannot be."""
    if not all(value.is_finite() and value > Decimal(0) for value in (trade.price, trade.size)):
        return f"price {trade.price} and size {trade.size} must be above zero"
    if trade.count < 1:
        return f"an aggregate of {trade.count} trades"
    if not 0 <= trade.time_ns < _TIME_NS_MAX:
        return f"a trade at {trade.time_ns} ns"
    return _ids_refused(trade.id)


def instrument_refused(instrument: Instrument) -> str | None:
    """Why `instrument` cannot be followed."""
    if not all((instrument.exchange, instrument.symbol, instrument.base, instrument.quote)):
        return f"an instrument without a name: {instrument}"
    if not instrument.simulated and (instrument.exchange in INVENTED_EXCHANGES or "-simulated" in instrument.exchange):
        return f"{instrument.exchange} is invented, and {instrument.symbol} does not say so"
    if instrument.exchange.partition("-")[0] in INDEX_SOURCES:
        return f"{instrument.exchange} is an index over many exchanges, and has no instruments"
    if M1 not in instrument.timeframes:
        return f"{instrument.symbol} must keep 1m: everything coarser is made of it"
    unknown = [str(timeframe) for timeframe in instrument.timeframes if timeframe not in TIMEFRAMES]
    return f"{instrument.symbol} keeps unknown timeframes {unknown}" if unknown else None


def snapshot_refused(snapshot: Snapshot) -> str | None:
    """Why `snapshot` cannot be."""
    if not all((snapshot.source, snapshot.asset, snapshot.quote)):
        return f"a snapshot without a name: {snapshot}"
    if not (snapshot.price.is_finite() and snapshot.price > 0):
        return f"a price is not above zero: {snapshot.price}"
    floors = ((snapshot.volume_24h, 0), (snapshot.market_cap, 0), (snapshot.change_percent_24h, -100))
    if not all(value is None or (value.is_finite() and value >= least) for value, least in floors):
        return f"an amount that cannot be: {snapshot}"
    return None


def statistic_refused(statistic: Statistic) -> str | None:
    """Why `statistic` cannot be."""
    if statistic.n < 0 or not 0 <= statistic.coverage <= 1:
        return f"{statistic.n} of {statistic.coverage}"
    named = {one.name: getattr(statistic, one.name) for one in fields(statistic)}
    numbers = {name: value for name, value in named.items() if isinstance(value, float | Decimal)}
    wrong = [
        name
        for name, value in numbers.items()
        if not (value.is_finite() if isinstance(value, Decimal) else isfinite(value))
    ]
    wrong += [name for name, least in _LEAST.items() if name in numbers and numbers[name] < least]
    edge = _edge(statistic)
    if edge.floor(statistic.as_of) != statistic.as_of:
        return f"{statistic.as_of} is not the edge of a {edge} bucket"
    return f"{wrong[0]} cannot be {numbers[wrong[0]]}" if wrong else None


def _edge(statistic: Statistic) -> Timeframe:
    # Imported here: the bounds are part of every cold start, and statistics of few.
    from marketdata.model.statistics import MarketAggregate, RoiStatistic  # noqa: PLC0415
    from marketdata.model.windows import AGGREGATED  # noqa: PLC0415

    if isinstance(statistic, RoiStatistic):
        return statistic.timeframe
    return AGGREGATED[statistic.period] if isinstance(statistic, MarketAggregate) else timeframe_named("15m")


def feed_refused(status: FeedStatus) -> str | None:
    """Why `status` cannot be said."""
    if status.state not in FEED_STATES:
        return f"{status.state!r} is not one of {', '.join(FEED_STATES)}"
    counters = (status.symbols, status.trades, status.reconnects, status.malformed, status.spooled, status.missing)
    if min(counters) < 0:
        return f"a counter is below zero: {counters}"
    return f"{len(status.troubled)} instruments in one status" if len(status.troubled) > TROUBLED_MAX else None


def record_refused(cause: str) -> str | None:
    """Why a gap of that cause cannot be recorded."""
    return None if 0 < len(cause) <= CAUSE_CHARACTERS_MAX else f"a cause of {len(cause)} characters"


def lease_refused(holder: str, lease_seconds: float) -> str | None:
    """Why nothing can be leased so."""
    if not holder:
        return "a lease without a name"
    return None if 0 < lease_seconds <= LEASE_SECONDS_MAX else f"a lease of {lease_seconds} seconds"


def resolution_refused(state: GapState) -> str | None:
    """Why `state` does not close a gap."""
    return None if state.resolved else f"a gap that is {state} is not resolved"


def finish_refused(state: RunState, result: Mapping[str, Any]) -> str | None:
    """Why a run does not end so."""
    if state not in (RunState.SUCCEEDED, RunState.FAILED):
        return f"a run that is {state} has not ended"
    size = len(msgspec.json.encode(result))
    return None if size <= RESULT_BYTES_MAX else f"a result of {size} bytes"


def take_refused(per_second: float, burst: int, count: int) -> str | None:
    """Why a budget cannot be so."""
    fine = 0 < per_second <= PACE_MAX and 1 <= burst <= PACE_MAX and 1 <= count <= PACE_MAX
    return None if fine else f"{count} requests at {per_second} a second, {burst} at once"


def block_refused(seconds: float) -> str | None:
    """Why an exchange cannot be blocked so."""
    return None if 0 <= seconds <= BLOCK_SECONDS_MAX else f"a silence of {seconds} seconds"


def claim_refused(worker: str, lease_seconds: float, limit: int) -> str | None:
    """Why no message can be leased so."""
    fine = bool(worker) and 1 <= lease_seconds <= MESSAGE_LEASE_SECONDS_MAX and 1 <= limit <= MESSAGES_CLAIMED_MAX
    return None if fine else f"{limit} messages for {lease_seconds} seconds by {worker!r}"


def target_refused(target: Target) -> str | None:
    """Why nobody can be told so; never the address itself."""
    named = 1 <= len(target.name) <= 60 and 1 <= len(target.url) <= 2_000
    return None if named and len(target.secrets) <= SECRETS_MAX else f"a target that cannot be: {target!r}"


def _counts_refused(candle: Candle) -> str | None:
    if candle.trades is not None and candle.trades < 0:
        return f"{candle.trades} trades"
    if candle.first_id is not None and candle.last_id is not None and candle.last_id < candle.first_id:
        return f"trade ids from {candle.first_id} down to {candle.last_id}"
    return None


def _ids_refused(*ids: int | None) -> str | None:
    outside = [one for one in ids if one is not None and not -_ID_MAX - 1 <= one <= _ID_MAX]
    return f"trade ids {outside} do not fit 64 bits" if outside else None
