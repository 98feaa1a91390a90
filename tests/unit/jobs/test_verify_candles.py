"""A verification finds every minute that is not explained, and every contradiction that is planted."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from marketdata.clock import FakeClock
from marketdata.jobs.verify_candles import Verdict, verify_candles
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.store.memory import MemoryStore

from tests.contract.histories import BTC, M5, MINUTE, MONDAY, candle, drain, span

WHOLE = span(0, 2 * 1440)
W1 = timeframe_named("1w")


def holding(minutes: Sequence[Candle], *empty: Span) -> MemoryStore:
    store = MemoryStore(FakeClock(MONDAY))
    store.put_instruments([BTC])
    store.put_candles(minutes)
    store.mark_empty(BTC, M1, empty)
    drain(store)
    return store


def proven(*numbers: int) -> list[Candle]:
    """Minutes whose ids join, one after the other."""
    return [
        candle(number, first_id=10 * index + 1, last_id=10 * index + 10, trades=10)
        for index, number in enumerate(numbers)
    ]


def verify(store: MemoryStore, within: Span = WHOLE) -> Verdict:
    return verify_candles(store, BTC, within)


@pytest.mark.slow
def test_a_whole_history_is_sound_and_every_minute_is_counted_once() -> None:
    numbers = [one for one in range(2 * 1440) if not 100 <= one < 130]
    verdict = verify(holding(proven(*numbers), span(100, 130)))
    assert (verdict.sound, verdict.described) == (True, [])
    assert (verdict.minutes["proven"], verdict.minutes["no_trades"]) == (2 * 1440 - 30, 30)
    assert verdict.joined == len(numbers) - 1
    # 5m 15m 1h 4h 12h 1d of two days, less what lies in the silence.
    assert verdict.folded == 2 * (288 + 96 + 24 + 6 + 2 + 1) - 6 - 1


def test_what_is_missing_lost_or_held_in_part_is_named_and_not_sound() -> None:
    store = holding([*proven(0, 1, 2), candle(5, source=Source.PARTIAL)])
    store.record_gaps(BTC, M1, [span(3, 4)], cause="scan", found_at=MONDAY)
    (gap,) = store.claim_gaps("worker", now=MONDAY, lease_seconds=60, limit=1)
    store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=MONDAY, reason="gone")
    verdict = verify(store, span(0, 6))
    assert {name: count for name, count in verdict.minutes.items() if count} == {
        "proven": 3,
        "partial": 1,
        "unrecoverable": 1,
        "missing": 1,
    }
    assert not verdict.sound
    assert verdict.differences == 0


def test_neighbours_whose_ids_do_not_join_are_found_over_silence_and_midnight() -> None:
    minutes = proven(1438, 1439, 1442, 1443)
    minutes[2] = replace(minutes[2], first_id=22)
    verdict = verify(holding(minutes, span(1440, 1442)), span(1438, 1444))
    assert (verdict.joined, verdict.differences) == (2, 1)
    assert "ids do not join: 2026-08-31 23:59" in verdict.described[0]


def test_proven_candles_with_a_hole_between_them_need_not_join() -> None:
    verdict = verify(holding(proven(0, 5)), span(0, 6))
    assert (verdict.joined, verdict.differences, verdict.minutes["missing"]) == (0, 0, 4)


def test_a_coarser_candle_that_is_no_fold_is_found() -> None:
    minutes = proven(*range(10))
    wrong = replace(minutes[0], timeframe=M5, volume=Decimal(999), source=Source.MANUAL)
    store = holding(minutes)
    store.put_candles([wrong])
    verdict = verify(store, span(0, 10))
    assert any("5m of 2026-08-31 00:00" in one and "volume" in one for one in verdict.described)


def a_week_and_a_day() -> MemoryStore:
    """A minute of each day was traded; the rest was silence."""
    noons = [day * 1440 + 720 for day in range(8)]
    edges = [-1, *noons, 8 * 1440]
    return holding(proven(*noons), *(span(one + 1, other) for one, other in pairwise(edges)))


def test_a_whole_week_is_held_against_the_fold_of_its_days() -> None:
    verdict = verify(a_week_and_a_day(), span(0, 8 * 1440))
    assert (verdict.sound, verdict.described) == (True, [])
    # 5m 15m 1h 4h 12h 1d of eight days, and one week.
    assert verdict.folded == 8 * 6 + 1


def test_a_week_that_is_no_fold_of_its_days_is_found() -> None:
    store = a_week_and_a_day()
    (week,) = store.candles(BTC, W1, start=MONDAY, end=None, limit=1)
    store.put_candles([replace(week, volume=Decimal(999), source=Source.MANUAL)])
    verdict = verify(store, span(0, 8 * 1440))
    assert [one.partition(":")[0] for one in verdict.described] == ["1w of 2026-08-31 00"]
    assert "volume" in verdict.described[0]


def test_a_part_of_a_week_is_not_held_against_the_weeks_candle() -> None:
    assert verify(a_week_and_a_day(), span(0, 6 * 1440)).folded == 6 * 6


def test_candles_that_coverage_does_not_know_yet_are_found() -> None:
    store = holding(proven(*range(5)))
    store.put_candles([candle(5)])
    verdict = verify(store, span(0, 6))
    assert verdict.described[0].startswith("held, and the store does not count it as covered")
    assert verdict.span.end == MONDAY + 6 * MINUTE
