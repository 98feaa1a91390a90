"""What is held, and the figures of the whole, over both stores."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from marketdata.clock import FakeClock
from marketdata.errors import NotFound, RequestInvalid
from marketdata.model.candle import Source
from marketdata.model.gap import GapState
from marketdata.model.job_run import RunState
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.store.figures import Figures, GapFigure, Holding, MarketFigure, RunFigure
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import BTC, ETH, MINUTE, MONDAY, NOON, UNKNOWN, candle, drain, span

H4, D1 = timeframe_named("4h"), timeframe_named("1d")


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each kind of store in turn, with two instruments that were put there at Monday midnight."""
    if request.param == "memory":
        memory = MemoryStore(FakeClock(MONDAY))
        memory.put_instruments([BTC, ETH])
        yield memory
        return
    running: RunningSupabase = request.getfixturevalue("empty_supabase")
    store = SupabaseStore(running.url, running.service_key)
    store.put_instruments([BTC, ETH])
    with psycopg.connect(running.dsn) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update instruments set created_at = %s", (MONDAY,))
    yield store
    store.close()


def test_nothing_held_is_nothing_told(store: Store) -> None:
    assert store.holdings([BTC, ETH]) == []
    assert store.holdings([]) == []


def test_the_oldest_and_the_newest_of_each_timeframe(store: Store) -> None:
    store.put_candles([candle(number) for number in (3, 4, 700)])
    drain(store)
    found = {one.timeframe.name: one for one in store.holdings([ETH, BTC])}
    assert list(found) == ["1m", "5m", "15m", "1h", "4h", "12h", "1d", "1w"], "finest first"
    assert found["1m"] == Holding(BTC, M1, MONDAY + 3 * MINUTE, MONDAY + 700 * MINUTE)
    assert (found["1d"].oldest, found["1d"].newest) == (MONDAY, MONDAY)


def test_trades_are_counted_once(store: Store) -> None:
    store.put_candles([candle(number) for number in (3, 4, 700)])
    drain(store)
    assert {one.timeframe: one.trades for one in store.holdings([BTC]) if one.trades} == {H4: 9}


def test_trades_that_nobody_counts_are_not_made_up(store: Store) -> None:
    store.put_candles([candle(3, trades=None, source=Source.VENUE)])
    drain(store)
    assert {one.trades for one in store.holdings([BTC])} == {None}


def test_trades_are_counted_over_the_coarsest_where_none_is_coarse(store: Store) -> None:
    only_minutes = replace(BTC, timeframes=(M1,))
    store.put_instruments([only_minutes])
    store.put_candles([candle(3), candle(4)])
    drain(store)
    assert store.holdings([only_minutes]) == [
        Holding(only_minutes, M1, MONDAY + 3 * MINUTE, MONDAY + 4 * MINUTE, trades=6)
    ]


def test_instruments_are_told_in_the_order_of_the_question(store: Store) -> None:
    store.put_candles([candle(3), candle(3, instrument=ETH)])
    assert [one.instrument for one in store.holdings([ETH, BTC])] == [ETH, BTC]


def test_a_question_about_what_is_unknown_or_too_much_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        store.holdings([UNKNOWN])
    with pytest.raises(RequestInvalid, match="symbol"):
        store.holdings([BTC] * 1_001)


def test_figures_of_an_idle_house(store: Store) -> None:
    idle = MarketFigure(BTC, None, 0, 0, 43_080)
    assert store.figures(now=NOON + MINUTE * 0) == Figures(0, (), (), (idle, replace(idle, instrument=ETH)))


def test_a_market_is_told_by_the_last_day_since_it_is_known(store: Store) -> None:
    store.put_candles([candle(number) for number in range(-30, 60)])
    store.put_candles([candle(60, source=Source.PARTIAL)])
    store.mark_empty(BTC, M1, [span(70, 75)])
    drain(store)
    (btc, _) = store.figures(now=NOON).markets
    assert btc == MarketFigure(BTC, MONDAY + 60 * MINUTE, covered=3_600, empty=300, expected=43_080)
    (later, _) = store.figures(now=NOON + timedelta(days=1)).markets
    assert (later.covered, later.empty, later.expected) == (0, 0, 86_400), "all of it is older than a day"


def test_instruments_that_nobody_follows_have_no_figures(store: Store) -> None:
    store.put_instruments([replace(ETH, active=False)])
    assert [one.instrument for one in store.figures(now=NOON).markets] == [BTC]


def test_gaps_are_counted_by_exchange_and_state(store: Store) -> None:
    store.record_gaps(BTC, M1, [span(0, 5), span(10, 11), span(20, 22)], cause="scan", found_at=NOON)
    (newest,) = store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=1)
    store.resolve_gap(newest, state=GapState.FILLED, now=NOON)
    assert store.figures(now=NOON).gaps == (
        GapFigure("coinbase", GapState.FILLED, 1, 120),
        GapFigure("coinbase", GapState.OPEN, 2, 360),
    )


def test_runs_are_counted_by_kind_trigger_and_state(store: Store) -> None:
    for number, state in enumerate((RunState.SUCCEEDED, RunState.SUCCEEDED, RunState.FAILED)):
        began = MONDAY + number * MINUTE
        run = store.start_run("backfill", worker=str(number), now=began, lease_seconds=60, trigger="schedule")
        store.finish_run(run, now=began + timedelta(seconds=10), state=state, result={})
    store.start_run("gap_scan", worker="x", now=MONDAY, lease_seconds=60, trigger="cron")
    backfill = "backfill"
    assert store.figures(now=NOON).runs == (
        RunFigure(backfill, "schedule", RunState.FAILED, 1, 10.0, MONDAY + 2 * MINUTE),
        RunFigure(backfill, "schedule", RunState.SUCCEEDED, 2, 20.0, MONDAY + MINUTE),
        RunFigure("gap_scan", "cron", RunState.LOST, 1, 60.0, MONDAY),
    )


def test_what_waits_for_the_drain_is_counted(store: Store) -> None:
    store.put_candles([candle(3), candle(4)])
    assert store.figures(now=NOON).queued == 1
    drain(store)
    assert store.figures(now=NOON).queued == 0
