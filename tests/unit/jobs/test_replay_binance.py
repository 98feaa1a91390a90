"""Binance's recordings against answers computed by others: candles, and every candle of the exchange itself."""

import csv
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from marketdata.exchanges.binance import BinanceRecording
from marketdata.jobs.replay import CapturedFrame, Replayed, read_capture, replay, survey
from marketdata.model.candle import Source
from marketdata.model.timeframe import M1

from tests.captures import (
    FOLDER,
    Captured,
    binance_aggregates,
    binance_futures,
    binance_spot,
    needs_captures,
    write_capture,
)
from tests.unit.jobs.test_replay import expected_figures, figures

AGGREGATES = {
    "spot_2021-04-17": "binance_aggtrade_2021-04-17",
    "spot_2021-08-14": "binance_aggtrade_2021-08-14",
    "usdm_2021-07-22": "binance_usdm_aggtrade_2021-07-22",
}


def replayed_from(capture: Iterator[Captured], path: Path) -> Replayed:
    write_capture(capture, path)
    decoder = BinanceRecording()
    survey(read_capture(path), decoder)
    return replay(read_capture(path), decoder, M1)


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / "expected" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@needs_captures
@pytest.mark.parametrize(
    ("capture", "expected"),
    [
        (binance_spot, "binance_spot_btcusdt_2023-04-05_1m"),
        (binance_futures, "binance_usdm_btcusdt_2023-04-04_05_1m"),
        *[(partial(binance_aggregates, one), f"{expected}_1m") for one, expected in AGGREGATES.items()],
    ],
)
def test_real_recordings_give_exactly_the_expected_candles(
    capture: Callable[[], Iterator[Captured]], expected: str, tmp_path: Path
) -> None:
    replayed = replayed_from(capture(), tmp_path / "capture.ndjson.gz")
    answers = rows(expected)
    assert [figures(candle) for candle in replayed.candles] == [expected_figures(row) for row in answers]
    assert [candle.source is Source.PROVEN for candle in replayed.candles] == [
        row["complete"] == "1" for row in answers
    ]
    assert replayed.malformed == 0


@needs_captures
@pytest.mark.parametrize("capture", AGGREGATES)
def test_every_candle_of_the_exchange_that_can_be_checked_equals_ours(capture: str, tmp_path: Path) -> None:
    """Aggregates count as the trades they stand for, in every update of every minute."""
    replayed = replayed_from(binance_aggregates(capture), tmp_path / "capture.ndjson")
    answers = rows(f"{AGGREGATES[capture]}_exchange_kline_checks")
    ours = sorted((v.claim.symbol, v.claim.said_at_ns // 1_000_000, v.covered, v.agrees) for v in replayed.verdicts)
    theirs = sorted(
        (row["symbol"], int(row["event_time_ms"]), row["covered_by_capture"] == "1", row["matches_trades"] == "1")
        for row in answers
    )
    assert ours == theirs
    assert any(agrees for *_, agrees in ours)


def combined(data: dict[str, Any]) -> CapturedFrame:
    return CapturedFrame(None, json.dumps({"stream": "bnbbtc@any", "data": data}))


def a_trade(trade_id: int, time_ms: int, price: str = "10") -> CapturedFrame:
    fields = {"e": "trade", "E": 1, "s": "BNBBTC", "t": trade_id, "p": price, "q": "1", "T": time_ms, "m": True}
    return combined(fields)


def an_aggregate(first: int, last: int, time_ms: int, size: str) -> CapturedFrame:
    fields = {"e": "aggTrade", "E": 1, "s": "BNBBTC", "a": 5, "p": "10", "q": size}
    return combined({**fields, "f": first, "l": last, "T": time_ms, "m": True})


def a_kline(first: int, last: int, volume: str, **changes: object) -> CapturedFrame:
    figures = {"o": "10", "h": "10", "l": "10", "c": "10", "v": volume, "q": str(Decimal(volume) * 10), "V": "0"}
    kline = {"t": NOON, "i": "1m", "f": first, "L": last, "n": last - first + 1, "x": False, **figures, **changes}
    return combined({"e": "kline", "E": NOON + 30_000, "s": "BNBBTC", "k": kline})


NOON = 1_786_276_800_000


def test_where_a_recording_has_both_channels_only_single_trades_are_read() -> None:
    """The aggregate that comes before the first trade would add trades that the trade channel does not have."""
    frames = [an_aggregate(1, 3, NOON, "3"), a_trade(3, NOON), an_aggregate(4, 5, NOON + 1, "2"), a_trade(4, NOON + 1)]
    decoder = BinanceRecording()
    survey(frames, decoder)
    (candle,) = replay(frames, decoder, M1).candles
    assert (candle.first_id, candle.last_id, candle.trades, candle.volume) == (3, 4, 2, Decimal(2))


def test_a_candle_of_the_exchange_that_differs_is_shown_with_what_differs() -> None:
    frames = [a_trade(1, NOON), a_trade(2, NOON + 1), a_kline(1, 2, "2"), a_kline(1, 2, "2.5"), a_kline(1, 3, "3")]
    verdicts = replay(frames, BinanceRecording(), M1).verdicts
    assert [(one.covered, one.differing) for one in verdicts] == [
        (True, ()),
        (True, ("volume", "quote_volume")),
        (False, ()),
    ]


def test_trades_that_the_exchange_counts_to_another_minute_are_a_difference() -> None:
    frames = [a_trade(1, NOON), a_trade(2, NOON + 60_000), a_kline(1, 2, "2")]
    (verdict,) = replay(frames, BinanceRecording(), M1).verdicts
    assert verdict.differing == ("open_time",)


def test_a_long_recording_is_judged_as_it_goes() -> None:
    frames = [a_trade(1, NOON), a_kline(1, 1, "1")]
    frames += [a_trade(2 + step, NOON + 180_000 + step) for step in range(10_001)]
    frames += [a_kline(1, 1, "1")]
    assert [one.covered for one in replay(frames, BinanceRecording(), M1).verdicts] == [True, False]
