"""The oracle sees whatever is planted: nothing that is lost, extra, wrong or unnamed passes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore

from tests.simulation.folding import fold
from tests.simulation.market import SimulatedMarket, instruments
from tests.simulation.oracle import Verdict, judge
from tests.simulation.simulation import START

SPAN = Span(START, START + timedelta(minutes=30))
BTC = instruments()[0]
MARKET = SimulatedMarket(3, SPAN)
MINUTE = timedelta(minutes=1)


def true_candles() -> list[Candle]:
    """What an unbroken feed would have written."""
    return [
        Candle(*BTC.key, M1, opening, *figures, Source.PROVEN)  # type: ignore[arg-type]
        for opening, figures in fold(MARKET.trades(BTC.symbol, SPAN)).items()
    ]


def judged(candles: list[Candle], plant: Callable[[MemoryStore], object] = lambda _: None) -> Verdict:
    """The verdict on a store with these candles and every trade, after something was planted."""
    store = MemoryStore()
    store.put_instruments([BTC])
    store.put_candles(candles)
    store.put_trades(BTC.exchange, MARKET.trades(BTC.symbol, SPAN)[1:])
    plant(store)
    while store.roll_up():
        pass
    proved_by = {(BTC.symbol, START + MINUTE * number): "feed-0.1" for number in range(1, 30)}
    return judge(store, MARKET, [BTC], SPAN, proved_by)


def without(minute: int) -> list[Candle]:
    """All but one."""
    return [one for one in true_candles() if one.open_time != START + MINUTE * minute]


def with_changed(**changes: object) -> list[Candle]:
    """One of them says something else."""
    first, *rest = true_candles()
    return [replace(first, **changes), *rest]  # type: ignore[arg-type]


def test_the_truth_is_not_broken() -> None:
    verdict = judged(true_candles())
    assert verdict.broken == []
    assert (verdict.minutes, verdict.proven, verdict.not_kept) == (30, 30, 1)
    assert verdict.coarser == 6 + 2


@pytest.mark.parametrize(
    "changes",
    [
        {"volume": Decimal(7)},
        {"close": true_candles()[0].open + 0, "high": Decimal(10**9)},
        {"quote_volume": Decimal(1)},
        {"trades": 99},
        {"taker_buy_volume": Decimal(0)},
        {"first_id": 1},
        {"last_id": 10**6},
    ],
    ids=str,
)
def test_a_wrong_field_is_seen(changes: dict[str, object]) -> None:
    assert "wrong proven candle" in judged(with_changed(**changes)).broken[0]


def test_a_missing_minute_that_nobody_names_is_seen() -> None:
    assert judged(without(7)).broken == ["BTC-USD 16 00:07 missing, and nobody says so"]


def test_a_missing_minute_that_the_ledger_names_is_no_lie_but_counted() -> None:
    verdict = judged(without(7), lambda store: name(store, START + MINUTE * 7))
    assert verdict.broken == []
    assert verdict.named == 1


def test_a_minute_that_was_given_up_is_counted_as_such() -> None:
    def give_up(store: MemoryStore) -> None:
        name(store, START + MINUTE * 7)
        (gap,) = store.claim_gaps("worker", now=START, lease_seconds=60, limit=1)
        store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=START, reason="nobody has it")

    assert judged(without(7), give_up).unrecoverable == 1


def test_a_held_minute_that_the_ledger_calls_missing_is_seen() -> None:
    verdict = judged(true_candles(), lambda store: name(store, START + MINUTE * 7))
    assert verdict.broken == ["BTC-USD 16 00:07 held, but called a gap"]


def test_a_minute_called_empty_that_was_traded_is_seen() -> None:
    verdict = judged(without(7), lambda store: store.mark_empty(BTC, M1, [minute_span(START + MINUTE * 7)]))
    assert "BTC-USD 16 00:07 known to be empty, but was traded" in verdict.broken


def test_a_partial_minute_that_nobody_names_is_seen() -> None:
    verdict = judged(with_changed(source=Source.PARTIAL))
    assert "BTC-USD 16 00:00 partial, and nobody says so" in verdict.broken


def test_a_lost_trade_of_a_proven_minute_is_seen() -> None:
    verdict = judged(true_candles())
    everything = MARKET.trades(BTC.symbol, SPAN)
    assert verdict.not_kept == 1
    proved_by = {(BTC.symbol, START): "feed-0.1"}
    store = MemoryStore()
    store.put_instruments([BTC])
    store.put_candles(true_candles())
    store.put_trades(BTC.exchange, everything[1:])
    broken = judge(store, MARKET, [BTC], SPAN, proved_by).broken
    assert f"BTC-USD 16 00:00 proven by feed-0.1, but trade {everything[0].id} is not kept" in broken


def test_a_trade_that_never_was_is_seen() -> None:
    trade = MARKET.trades(BTC.symbol, SPAN)[40]
    invented = type(trade)(trade.symbol, 10**7, trade.time_ns, trade.price, trade.size, trade.side)
    verdict = judged(true_candles(), lambda store: store.put_trades(BTC.exchange, [invented]))
    assert [broken for broken in verdict.broken if "never traded" in broken]


def test_a_coarser_candle_that_was_not_rolled_up_is_seen() -> None:
    late = true_candles()[3]
    store = MemoryStore()
    store.put_instruments([BTC])
    store.put_candles([one for one in true_candles() if one is not late and one.open_time != late.open_time])
    while store.roll_up():
        pass
    store.put_candles([late])
    broken = judge(store, MARKET, [BTC], SPAN, {}).broken
    assert any("the 5m candle" in one for one in broken)


def name(store: MemoryStore, minute: datetime) -> None:
    """Put a minute on the ledger."""
    store.record_gaps(BTC, M1, [minute_span(minute)], cause="scan", found_at=START)


def minute_span(opening: datetime) -> Span:
    return Span(opening, opening + MINUTE)
