"""What the kill rig counts: each trade and each candle that is not as the tape has it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from marketdata.compute.bars import Bars
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.trade import Trade
from marketdata.store.memory import MemoryStore

from local.kill_verdict import Verdict, is_proven, judge, pieces
from tests.unit.local.exchanges.market import NOW, TAPE

BTC = Instrument("coinbase-simulated", "BTC-USD", "BTC", "USD", simulated=True)
QUIET = Instrument("coinbase-simulated", "ETH-BTC", "ETH", "BTC", simulated=True)
START = M1.floor(NOW)
SPAN = Span(START, START + timedelta(minutes=8))


def traded(instrument: Instrument) -> list[Trade]:
    return TAPE.trades(instrument.symbol, SPAN)


def made(instrument: Instrument) -> list[Candle]:
    bars = Bars(instrument.exchange, instrument.symbol, ids_contiguous=True)
    for trade in traded(instrument):
        bars.add(trade)
    return [replace(change.candle, source=Source.PROVEN) for change in bars.take()]


def stored(instrument: Instrument, trades: Sequence[Trade], candles: Sequence[Candle]) -> MemoryStore:
    store = MemoryStore()
    store.put_instruments([instrument])
    store.put_trades(instrument.exchange, trades)
    store.put_candles(candles)
    return store


def counts(verdict: Verdict) -> tuple[int, int, int]:
    return verdict.lost, verdict.extra, verdict.wrong


@pytest.mark.parametrize("instrument", [BTC, QUIET])
def test_what_equals_the_tape_is_clean(instrument: Instrument) -> None:
    trades, candles = traded(instrument), made(instrument)
    store = stored(instrument, trades, candles)
    verdict = judge(store, TAPE, [instrument], SPAN)
    assert verdict == Verdict(trades=len(trades), candles=len(candles))
    assert verdict.clean
    assert is_proven(store, TAPE, instrument, SPAN)


def test_a_trade_gone_is_lost_one_made_up_is_extra_and_one_altered_is_both() -> None:
    trades = traded(BTC)
    made_up = replace_trade(trades[5], id=1)
    altered = replace_trade(trades[7], price=trades[7].price + 1)
    store = stored(BTC, [*trades[1:7], altered, *trades[8:], made_up], made(BTC))
    verdict = judge(store, TAPE, [BTC], SPAN)
    assert counts(verdict) == (2, 2, 0)
    assert len(verdict.examples) == 4


def test_a_candle_missing_altered_or_unproven_is_wrong() -> None:
    candles = made(BTC)
    altered = replace(candles[1], volume=candles[1].volume + Decimal(1))
    unproven = replace(candles[2], source=Source.PARTIAL)
    store = stored(BTC, traded(BTC), [altered, unproven, *candles[3:]])
    verdict = judge(store, TAPE, [BTC], SPAN)
    assert counts(verdict) == (0, 0, 3)
    assert not verdict.clean
    assert not is_proven(store, TAPE, BTC, SPAN)


def test_a_candle_in_a_minute_without_trades_is_wrong() -> None:
    candles = made(QUIET)
    traded_minutes = {candle.open_time for candle in candles}
    quiet = next(minute.start for minute in pieces(SPAN, M1.duration) if minute.start not in traded_minutes)
    store = stored(QUIET, traded(QUIET), [*candles, replace(candles[0], open_time=quiet)])
    assert counts(judge(store, TAPE, [QUIET], SPAN)) == (0, 0, 1)
    assert not is_proven(store, TAPE, QUIET, SPAN)


def replace_trade(trade: Trade, **changes: object) -> Trade:
    fields = {name: getattr(trade, name) for name in trade.__struct_fields__}
    return Trade(**{**fields, **changes})
