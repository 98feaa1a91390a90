"""The law of a simulated house: when faults have stopped, what is stored is what was traded, or the ledger says so."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

import pytest
from marketdata.model.candle import Candle
from marketdata.model.trade import Trade
from marketdata.store.memory import MemoryStore
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.simulation.__main__ import main
from tests.simulation.configurations import CONFIGURATIONS, setup
from tests.simulation.faults import Kind, plan
from tests.simulation.figures import Hole, holes, percentile
from tests.simulation.pace import PRODUCTION, UNHURRIED
from tests.simulation.simulation import EVERYTHING, Setup, simulate

pytestmark = pytest.mark.slow

STREAM_FAULTS = frozenset(
    {
        Kind.DROP,
        Kind.LATE,
        Kind.REORDER,
        Kind.STALL,
        Kind.MUTE,
        Kind.CUT,
        Kind.REFUSE,
        Kind.UNACKNOWLEDGED,
        Kind.MALFORMED,
    }
)
NEEDED = frozenset({Kind.DROP, Kind.CUT})
"""Without these nobody would ask REST for anything."""

SEEN_BY_WHO_ASKS = frozenset(kind for kind in Kind if kind.startswith("rest_")) | {Kind.BAN, Kind.THROTTLE}
"""What has an effect only if somebody asks REST while it lasts."""
SEEDS_TRIED_MAX = 5


def test_one_seed_has_one_history() -> None:
    first, again, other = (simulate(setup(seed, 1.0, "two")).fingerprint for seed in (4, 4, 5))
    assert first == again
    assert first != other


def test_without_faults_every_minute_is_proven_or_empty_and_nothing_is_asked_twice() -> None:
    outcome = simulate(Setup(1, 2.0, kinds=frozenset(), repairing=False))
    assert outcome.broken == []
    assert outcome.verdict.proven + outcome.verdict.empty == outcome.verdict.minutes
    assert outcome.counts["feed starts"] == outcome.counts["connected"] == 1
    # The beginning of the first minute of each of three symbols.
    assert outcome.counts["request"] <= 3


@pytest.mark.long
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_law_holds_in_every_house(configuration: str) -> None:
    outcome = simulate(setup(21, 4.0, configuration))
    assert outcome.broken == []
    assert outcome.strikes > 8
    assert outcome.looks > 40


def test_what_is_missing_without_any_repair_is_named_minute_by_minute() -> None:
    outcome = simulate(setup(21, 4.0, "bare"))
    assert outcome.broken == []
    assert 0 < outcome.verdict.named < outcome.verdict.minutes / 2


def test_ten_seeds_lose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "10", "--hours", "2"]) == 0
    assert "10 seeds, 20 simulated hours" in capsys.readouterr().out


# Every fault has an effect, and the law holds under it


# A clock that is wrong is a fault without an effect: candles are cut by the exchange's time. A burst, ids that never
# were and a sleeping feed have tests of their own.
@pytest.mark.long
@pytest.mark.parametrize("kind", sorted(set(Kind) - NEEDED - {Kind.CLOCK, Kind.BURST, Kind.SKIP, Kind.ZOMBIE}))
def test_each_fault_has_an_effect_and_loses_nothing(kind: Kind) -> None:
    times = 50.0 if kind in SEEN_BY_WHO_ASKS else 12.0
    without = _rough(0, NEEDED, times)
    seeds = [seed for seed in range(50) if plan(seed, without.hours / 2, {kind}, times)]
    for seed in seeds[:SEEDS_TRIED_MAX]:
        outcome = simulate(_rough(seed, NEEDED | {kind}, times))
        assert outcome.counts[f"fault: {kind}"] > 0
        assert outcome.broken == []
        if outcome.fingerprint != _fingerprint(seed, times):
            return
    pytest.fail(f"with {kind} everything happened as without it")


def _rough(seed: int, kinds: frozenset[Kind], times: float) -> Setup:
    return Setup(seed, 0.8, kinds=kinds, times=times)


@lru_cache
def _fingerprint(seed: int, times: float) -> str:
    """Of the same house with none but the faults that are always there."""
    return simulate(_rough(seed, NEEDED, times)).fingerprint


@pytest.mark.long
def test_a_clock_that_is_wrong_moves_no_trade_to_another_minute() -> None:
    outcome = simulate(Setup(2, 3.0, kinds=NEEDED | {Kind.CLOCK}, times=50.0))
    assert outcome.counts["fault: clock"] > 3
    assert outcome.broken == []


@pytest.mark.long
def test_a_burst_is_taken_whole() -> None:
    calm, burst = (simulate(Setup(1, 2.0, kinds=kinds, times=12.0)) for kinds in (NEEDED, NEEDED | {Kind.BURST}))
    assert burst.verdict.trades > 1.2 * calm.verdict.trades
    assert burst.broken == []


def test_ids_that_never_were_are_no_holes_for_ever() -> None:
    outcome = simulate(Setup(1, 3.0, kinds=frozenset({Kind.SKIP})))
    ids = [trade.id for trade in outcome.market.trades("BTC-USD", outcome.span)]
    assert len(ids) < ids[-1] - ids[0] + 1
    assert outcome.broken == []


@pytest.mark.long
def test_a_feed_that_slept_for_an_hour_spoils_nothing_when_it_goes_on() -> None:
    outcome = simulate(Setup(6, 4.0, feeds=3, kinds=NEEDED | {Kind.ZOMBIE}))
    assert outcome.counts["fault: zombie"] > 0
    assert outcome.broken == []


# Every oracle can fail


class ForgetfulStore(MemoryStore):
    """Says that it has kept trades, and does not keep some."""

    def put_trades(self, exchange: str, trades: Sequence[Trade]) -> None:
        super().put_trades(exchange, [trade for trade in trades if trade.id % 50])


class MuddledStore(MemoryStore):
    """Keeps one candle in a hundred with another volume."""

    def put_candles(self, candles: Sequence[Candle]) -> None:
        muddled = [replace(one, volume=one.volume * 2) if one.open_time.minute == 7 else one for one in candles]
        super().put_candles(muddled)


def test_a_store_that_forgets_trades_is_caught() -> None:
    broken = simulate(Setup(1, 1.0, kinds=frozenset()), ForgetfulStore()).broken
    assert any("is not kept" in one for one in broken)


def test_a_store_that_muddles_candles_is_caught() -> None:
    broken = simulate(Setup(1, 1.0, kinds=frozenset()), MuddledStore()).broken
    assert any("wrong proven candle" in one for one in broken)


@pytest.mark.long
def test_a_feed_without_a_watchdog_is_caught_by_the_freshness_alone() -> None:
    blind = replace(UNHURRIED, patience=replace(UNHURRIED.patience, watch_seconds=1e6))
    outcome = simulate(Setup(3, 6.0, kinds=frozenset({Kind.STALL, Kind.UNACKNOWLEDGED}), times=2.0, pace=blind))
    assert any("without a fault" in one or "is called live" in one for one in outcome.broken)


def test_a_feed_that_saves_late_is_caught_by_the_freshness_alone() -> None:
    lazy = replace(UNHURRIED, rhythm=replace(UNHURRIED.rhythm, flush_seconds=600.0))
    broken = simulate(Setup(3, 1.0, kinds=frozenset(), pace=lazy)).broken
    assert broken
    assert all("without a fault" in one for one in broken)


# How soon


@pytest.fixture(scope="module")
def found() -> list[Hole]:
    """The holes of two seeds at production's own pace, in a market that trades about once a second."""
    every: list[Hole] = []
    for seed in (1, 2):
        outcome = simulate(Setup(seed, 2.0, kinds=STREAM_FAULTS, times=8.0, busier=10, pace=PRODUCTION))
        assert outcome.broken == []
        every += holes(outcome)
    return every


def test_a_hole_is_found_within_ten_seconds(found: list[Hole]) -> None:
    delays = [hole.found_seconds for hole in found]
    assert len(delays) > 200
    assert percentile(delays, 0.99) <= 10.0
    assert max(delays) <= 30.0


def test_a_hole_is_repaired_within_seconds_of_the_exchange_being_back(found: list[Hole]) -> None:
    delays = [hole.repaired_seconds for hole in found]
    assert percentile(delays, 0.5) <= 15.0
    assert percentile(delays, 0.99) <= 120.0


# The other store


@pytest.mark.stack
def test_the_law_holds_over_the_real_database(empty_supabase: RunningSupabase) -> None:
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    # Instruments are known since the database's own now.
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    try:
        outcome = simulate(Setup(5, 0.5, times=6.0, kinds=EVERYTHING, start=start), store)
    finally:
        store.close()
    assert outcome.broken == []
    assert outcome.strikes > 5
