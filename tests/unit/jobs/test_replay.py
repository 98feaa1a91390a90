"""Replay is live: recorded frames through the production path, against answers computed by others."""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from marketdata.compute.sampled_bars import SampledBars
from marketdata.errors import RequestInvalid
from marketdata.exchanges.coinbase_recording import CoinbaseRecording
from marketdata.exchanges.oanda import OandaRecording
from marketdata.exchanges.registry import recording
from marketdata.jobs.replay import CapturedFrame, read_capture, replay
from marketdata.model.candle import Candle, Source
from marketdata.model.quote import PriceSide
from marketdata.model.timeframe import M1, timeframe_named

from tests.captures import (
    FOLDER,
    Captured,
    advanced_trade,
    bitfinex_websocket,
    exchange_matches,
    lean_rows,
    needs_captures,
    oanda_day,
    pro_feed,
    write_capture,
)


def match(trade_id: int, time: str, price: str = "10", kind: str = "match") -> CapturedFrame:
    return CapturedFrame(
        None,
        f'{{"type":"{kind}","trade_id":{trade_id},"side":"buy","size":"1","price":"{price}",'
        f'"product_id":"BTC-USD","time":"2026-08-09T{time}Z"}}',
    )


@pytest.mark.slow
@needs_captures
@pytest.mark.parametrize(
    ("capture", "expected"),
    [
        (exchange_matches, "coinbase_exchange_2025-08-22_1m.csv"),
        (pro_feed, "coinbase_pro_2021-04-17_incl_last_match_1m.csv"),
        (advanced_trade, "coinbase_advtrade_2026-08-09_1m.csv"),
    ],
)
def test_real_recordings_give_exactly_the_expected_candles(
    capture: Callable[[], Iterator[Captured]], expected: str, tmp_path: Path
) -> None:
    path = write_capture(capture(), tmp_path / "capture.ndjson.gz")
    replayed = replay(read_capture(path), CoinbaseRecording(), M1)
    with (FOLDER / "expected" / expected).open() as file:
        rows = list(csv.DictReader(file))
    assert [figures(candle) for candle in replayed.candles] == [expected_figures(row) for row in rows]
    # What the recording holds from end to end is proven, everything else says that it is not.
    assert [candle.source is Source.PROVEN for candle in replayed.candles] == [row["complete"] == "1" for row in rows]
    assert replayed.malformed == 0


def figures(candle: Candle) -> tuple[object, ...]:
    prices = (candle.open, candle.high, candle.low, candle.close)
    sums = (candle.volume, candle.quote_volume, candle.vwap, candle.trades)
    return (candle.symbol, candle.open_time, *prices, *sums, candle.first_id, candle.last_id)


def expected_figures(row: dict[str, str]) -> tuple[object, ...]:
    decimals = (row[name] for name in ("open", "high", "low", "close", "volume", "quote_volume", "vwap"))
    counts = (row[name] for name in ("trade_count", "first_trade_id", "last_trade_id"))
    time = datetime.fromisoformat(row["open_time"].replace("Z", "+00:00"))
    return (row["symbol"], time, *map(Decimal, decimals), *map(int, counts))


@pytest.mark.slow
@needs_captures
def test_a_recording_of_bitfinex_gives_the_candles_of_its_trades_folded_by_hand(tmp_path: Path) -> None:
    """Trades of one millisecond come newest first: in order of arrival some of these would open or close wrongly."""
    path = write_capture(bitfinex_websocket(), tmp_path / "capture.ndjson.gz")
    replayed = replay(read_capture(path), recording("bitfinex"), M1)
    assert [figures(candle) for candle in replayed.candles] == folded_by_hand()
    assert (len(replayed.candles), replayed.trades, replayed.malformed) == (150, 248, 0)
    # One minute began and ended while this connection held.
    held = [(one.symbol, one.open_time.minute) for one in replayed.candles if one.source is not Source.PARTIAL]
    assert held == [("tETHJPY", 27)]


def folded_by_hand() -> list[tuple[object, ...]]:
    """The figures of each minute, from the raw recording, with the standard library alone."""
    symbols: dict[int, str] = {}
    rows: dict[tuple[str, int], dict[int, list[Decimal]]] = {}
    for _, frame in bitfinex_websocket():
        message = json.loads(frame, parse_float=Decimal, parse_int=Decimal)
        if isinstance(message, dict):
            if message.get("channel") == "trades" and message["event"] == "subscribed":
                symbols[int(message["chanId"])] = message["symbol"]
        elif int(message[0]) in symbols and message[1] != "hb":
            for row in message[1] if isinstance(message[1], list) else [message[2]]:
                rows.setdefault((symbols[int(message[0])], int(row[1]) // 60_000), {})[int(row[0])] = row
    return [fold(symbol, minute, list(rows[symbol, minute].values())) for symbol, minute in sorted(rows)]


def fold(symbol: str, minute: int, rows: list[list[Decimal]]) -> tuple[object, ...]:
    in_time = sorted(rows, key=lambda row: (row[1], row[0]))
    prices, ids = [row[3] for row in in_time], [int(row[0]) for row in rows]
    volume, quote = sum(abs(row[2]) for row in rows), sum(abs(row[2]) * row[3] for row in rows)
    vwap = (Decimal(quote) / Decimal(volume)).quantize(Decimal(1).scaleb(-18))
    opens = datetime.fromtimestamp(minute * 60, UTC)
    outline = (prices[0], max(prices), min(prices), prices[-1])
    return (symbol, opens, *outline, volume, quote, vwap, len(rows), min(ids), max(ids))


@needs_captures
def test_the_exchanges_own_five_minute_candle_is_a_prefix_of_our_trades(tmp_path: Path) -> None:
    """Their candle lags ours by seconds; its volume must never exceed what the same bucket holds here."""
    path = write_capture(advanced_trade(), tmp_path / "capture.ndjson")
    ours = {
        c.symbol: c
        for c in replay(read_capture(path), CoinbaseRecording(), timeframe_named("5m")).candles
        if c.open_time.minute == 5
    }
    with (FOLDER / "expected" / "coinbase_advtrade_2026-08-09_exchange_5m_candle_checks.csv").open() as file:
        for row in csv.DictReader(file):
            candle = ours[row["product"]]
            assert candle.open == Decimal(row["open"])
            assert candle.high >= Decimal(row["high"])
            assert candle.low <= Decimal(row["low"])
            assert candle.volume >= Decimal(row["volume"])


def test_several_files_are_one_story_in_order(tmp_path: Path) -> None:
    frames = [match(1, "12:00:30"), match(2, "12:01:10"), match(3, "12:02:10")]
    whole = replay(frames, CoinbaseRecording(), M1).candles
    for cut in (1, 2):
        parts = []
        for number, part in enumerate((frames[:cut], frames[cut:])):
            lines = ((frame.received_at, frame.frame) for frame in part)
            parts.append(write_capture(lines, tmp_path / f"{cut}-{number}.ndjson{'.gz' if number else ''}"))
        assert replay((f for path in parts for f in read_capture(path)), CoinbaseRecording(), M1).candles == whole
    assert [candle.source for candle in whole] == [Source.PARTIAL, Source.PROVEN, Source.PARTIAL]


def test_a_minute_known_only_from_the_last_match_is_partial_and_joins_the_next() -> None:
    frames = [match(1, "12:00:30", kind="last_match"), match(2, "12:02:10"), match(3, "12:03:10")]
    candles = replay(frames, CoinbaseRecording(), M1).candles
    assert [candle.source for candle in candles] == [Source.PARTIAL, Source.PROVEN, Source.PARTIAL]


def test_trades_seen_twice_are_counted_and_change_nothing() -> None:
    frames = [match(1, "12:00:30"), match(2, "12:00:40"), match(1, "12:00:30", kind="last_match")]
    replayed = replay(frames, CoinbaseRecording(), M1)
    assert (replayed.candles[0].trades, replayed.trades, replayed.duplicates) == (2, 3, 1)


def test_malformed_frames_are_counted_with_an_excerpt_and_the_rest_is_read() -> None:
    frames = [CapturedFrame(None, "{oops"), match(1, "12:00:30"), match(2, "12:00:30", price="NaN")]
    replayed = replay(frames, CoinbaseRecording(), M1)
    assert (len(replayed.candles), replayed.malformed) == (1, 2)
    assert "oops" in replayed.excerpts[0]


@pytest.mark.parametrize("line", ["no json", '{"received_at": null}', '{"received_at": "soon", "frame": "{}"}'])
def test_a_file_that_is_no_capture_is_named_with_its_line(line: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.ndjson"
    path.write_text('{"received_at": null, "frame": "{}"}\n\n' + line + "\n")
    with pytest.raises(RequestInvalid, match=r"broken.ndjson, line 3"):
        list(read_capture(path))


def test_a_missing_or_cut_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="absent"):
        list(read_capture(tmp_path / "absent.ndjson"))
    cut = tmp_path / "cut.ndjson.gz"
    cut.write_bytes(gzip.compress(b'{"received_at": null, "frame": "{}"}\n' * 50)[:-12])
    with pytest.raises(RequestInvalid, match=r"cut.ndjson.gz"):
        list(read_capture(cut))


@pytest.mark.slow
@needs_captures
@pytest.mark.parametrize(("day", "minutes"), [("20140501", 1363), ("20140504", 157)])
def test_a_real_day_of_oanda_gives_exactly_the_minutes_of_its_ticks(day: str, minutes: int, tmp_path: Path) -> None:
    path = write_capture(oanda_day(day), tmp_path / "capture.ndjson.gz")
    replayed = replay(
        read_capture(path), OandaRecording(), M1, SampledBars("oanda", list(PriceSide), PriceSide.MID, M1)
    )
    expected = {int(row[0]): row for row in lean_rows(f"oanda/minute_eurusd_{day}_quote.zip")}
    for side, columns in (("bid", slice(1, 5)), ("ask", slice(6, 10))):
        candles = [one for one in replayed.candles if one.symbol == f"EUR_USD:{side}"]
        assert [(one.open, one.high, one.low, one.close) for one in candles] == [
            tuple(map(Decimal, row[columns])) for _, row in sorted(expected.items())
        ]
        assert len(candles) == minutes
        assert {one.source for one in candles[1:-1]} == {Source.LIVE}
    assert replayed.quotes == sum(1 for _ in oanda_day(day))
