"""Read a page of an exchange's candles; a row that cannot be read costs itself, and not the page.

Called by fill_by_candles and reconcile. What an exchange sends wrong once it sends wrong again: without this one bad
row would keep three hundred good ones out for good.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import CandleHistory, SplitsCandles
from marketdata.model.candle import Candle
from marketdata.model.timeframe import M1
from marketdata.store.limits import candle_refused

logger = logging.getLogger(__name__)

_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class CandlePage:
    """The 1m candles of one answer, oldest first, and why others of it are in quarantine, with an excerpt of each."""

    candles: tuple[Candle, ...]
    quarantined: tuple[str, ...] = ()


def read_page(history: CandleHistory, body: bytes, symbol: str, observed_at: datetime) -> CandlePage:
    """What can be read of one answer. Raises: RemoteMalformed if nothing can: then their format changed."""
    try:
        return _sorted_out(history.parse_candles(body, symbol, M1, observed_at), [], symbol)
    except RemoteMalformed as malformed:
        return _read_one_by_one(history, body, symbol, observed_at, malformed)


def _read_one_by_one(
    history: CandleHistory, body: bytes, symbol: str, observed_at: datetime, malformed: RemoteMalformed
) -> CandlePage:
    candles: list[Candle] = []
    reasons: list[str] = []
    for single in _split(history, body, malformed):
        try:
            candles += history.parse_candles(single, symbol, M1, observed_at)
        except RemoteMalformed as bad:
            reasons.append(f"{bad.reason} {bad.excerpt}")
    if not candles:
        raise malformed
    return _sorted_out(sorted(candles, key=lambda candle: candle.open_time), reasons, symbol)


def _split(history: CandleHistory, body: bytes, malformed: RemoteMalformed) -> list[bytes]:
    try:
        if isinstance(history, SplitsCandles):
            return history.split_candles(body)
        return [b"[" + bytes(row) + b"]" for row in _rows(body)]
    except (msgspec.DecodeError, RemoteMalformed):
        raise malformed from None


def _sorted_out(candles: list[Candle], reasons: list[str], symbol: str) -> CandlePage:
    """Without the candles that no store takes."""
    good = []
    for candle in candles:
        refused = candle_refused(candle)
        if refused is None:
            good.append(candle)
        else:
            reasons.append(f"candle of {candle.open_time:%Y-%m-%d %H:%M}: {refused}")
    if reasons:
        logger.warning(
            "candles quarantined", extra={"symbol": symbol, "candles": len(reasons), "excerpt": reasons[0][:300]}
        )
    return CandlePage(tuple(good), tuple(reasons))
