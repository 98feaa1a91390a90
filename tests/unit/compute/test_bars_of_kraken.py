"""The rule is general: trades of Kraken, which no adapter reads, fold to its own candles and to others' answers."""

import csv
import json
from decimal import ROUND_FLOOR, Decimal
from functools import cache

from marketdata.compute.bars import Bars
from marketdata.model.candle import Candle, Source
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

from tests.captures import FOLDER, needs_captures
from tests.unit.jobs.test_replay import expected_figures, figures

SYMBOL = "XBTUSDT"


def recorded(name: str) -> list[list[object]]:
    document = json.loads((FOLDER / "kraken" / name).read_text(), parse_float=Decimal)
    rows: list[list[object]] = document["result"][SYMBOL]
    return rows


@cache
def folded() -> list[Candle]:
    """The candles of a thousand trades `[price, size, time, side, kind, note, id]`."""
    bars = Bars("kraken", SYMBOL, ids_contiguous=True)
    for price, size, time, side, _, _, trade_id in recorded("http_trades_XBTUSDT.json"):
        taker = Side.BUY if side == "b" else Side.SELL
        time_ns = int(Decimal(str(time)) * 10**9)
        bars.add(Trade(SYMBOL, int(str(trade_id)), time_ns, Decimal(str(price)), Decimal(str(size)), taker))
    return [change.candle for change in bars.take()]


@needs_captures
def test_its_trades_give_exactly_the_candles_that_others_computed() -> None:
    with (FOLDER / "expected/kraken_XBTUSDT_2025-11-10_1m.csv").open() as file:
        answers = list(csv.DictReader(file))
    assert [figures(candle) for candle in folded()] == [expected_figures(row) for row in answers]
    assert [candle.source is Source.PROVEN for candle in folded()] == [row["complete"] == "1" for row in answers]


@needs_captures
def test_its_trades_fold_to_its_own_candles_whose_vwap_is_floored() -> None:
    """Rows `[time, open, high, low, close, vwap, volume, count]`; a quiet minute is flat there, and none here."""
    theirs = {int(str(row[0])): row for row in recorded("http_ohlc_XBTUSDT.json")}
    whole = {nanoseconds(one.open_time) // 10**9: one for one in folded() if one.source is Source.PROVEN}
    assert len(whole) == 272
    for time, ours in whole.items():
        assert ours.vwap is not None
        vwap = ours.vwap.quantize(Decimal("0.1"), ROUND_FLOOR)
        row = [ours.open, ours.high, ours.low, ours.close, vwap, ours.volume, Decimal(ours.trades or 0)]
        assert row == [Decimal(str(cell)) for cell in theirs[time][1:]]
    between = [row for time, row in theirs.items() if min(whole) <= time <= max(whole) and time not in whole]
    assert len(between) == 137
    assert all(row[7] == 0 and len({*row[1:5]}) == 1 for row in between)
