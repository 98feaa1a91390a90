"""The drain: coverage and coarser candles become what the 1m candles say, whatever happened and in whatever order."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import psycopg
import pytest
from marketdata.compute.coverage import buckets_inside, union
from marketdata.compute.rollup import roll_up
from marketdata.model.candle import Candle, Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe, timeframe_named

from tests.migrations.database import START, Database, minute, span

M5, M15, H1, D1, W1 = (timeframe_named(name) for name in ("5m", "15m", "1h", "1d", "1w"))
# Two weeks and a bit, over the end of a month that is in the middle of a week.
MINUTES = 15 * 1440 + 100

State = dict[Timeframe, tuple[list[Candle], list[Span], list[Span]]]


def history(chance: random.Random) -> list[Candle]:
    """Minutes with holes short and long, some seen in part, some without a venue's extras."""
    holes = {index for _ in range(60) for index in _stretch(chance, 40)}
    poor = {index for _ in range(40) for index in _stretch(chance, 30)}
    partial = set(chance.sample(range(MINUTES), 60))
    candles = [minute(index) for index in range(MINUTES) if index not in holes]
    return [_worsened(candle, index in poor, index in partial) for index, candle in _numbered(candles)]


def _stretch(chance: random.Random, longest: int) -> range:
    first = chance.randrange(MINUTES)
    return range(first, min(MINUTES, first + chance.randint(1, longest)))


def _numbered(candles: Sequence[Candle]) -> list[tuple[int, Candle]]:
    return [((candle.open_time - START) // timedelta(minutes=1), candle) for candle in candles]


def _worsened(candle: Candle, poor: bool, partial: bool) -> Candle:
    if poor:
        candle = replace(
            candle, source=Source.VENUE, observed_at=candle.close_time, quote_volume=None, trades=None, first_id=None
        )
    return replace(candle, source=Source.PARTIAL) if partial else candle


def silence(candles: Sequence[Candle]) -> tuple[Span, ...]:
    """The shorter half of the holes: what the exchange confirmed to be without trades."""
    edges = [START, *(edge for candle in candles for edge in (candle.open_time, candle.close_time))]
    holes = [Span(end, start) for end, start in zip(edges[::2], edges[1::2], strict=False) if end < start]
    return tuple(sorted(holes, key=lambda hole: hole.end - hole.start)[: len(holes) // 2])


def state(database: Database, instrument: int = 1) -> State:
    """All candles but their revisions, and all coverage."""
    return {
        timeframe: (
            [replace(candle, revision=0) for candle in database.candles(timeframe, instrument)],
            *database.coverage(timeframe, instrument),
        )
        for timeframe in TIMEFRAMES
    }


def recomputed(minutes: Sequence[Candle], empty: Sequence[Span]) -> dict[Timeframe, list[Candle]]:
    """Every timeframe from the one below it, in Python."""
    candles = {M1: list(minutes)}
    for finer, timeframe in pairwise(TIMEFRAMES):
        candles[timeframe] = roll_up(candles[finer], timeframe, empty)
    return candles


def covered(candles: Sequence[Candle]) -> list[Span]:
    return list(union(Span(candle.open_time, candle.close_time) for candle in candles if candle.complete))


@pytest.mark.parametrize("seed", [1, 2])
def test_all_coarser_timeframes_and_all_coverage_equal_a_recomputation(market: Database, seed: int) -> None:
    minutes = history(random.Random(seed))
    empty = silence(minutes)
    market.put(minutes)
    market.mark_empty(*empty)
    market.drain()
    expected = recomputed(minutes, empty)
    for timeframe, (candles, held, silent) in state(market).items():
        assert candles == expected[timeframe], f"seed {seed}, {timeframe}"
        assert held == covered(expected[timeframe]), f"seed {seed}, {timeframe}"
        assert silent == list(buckets_inside(empty, timeframe)), f"seed {seed}, {timeframe}"
    sources = {candle.source for candle in expected[M15]}
    assert sources >= {Source.PARTIAL, Source.VENUE, Source.PROVEN}, "the history is too dull to show anything"


def test_draining_piece_by_piece_in_any_order_ends_where_draining_at_once_does(market: Database) -> None:
    chance = random.Random(5)
    minutes = history(chance)
    empty = silence(minutes)
    other = market.add_instrument("ETH-USD")
    market.put(minutes, other)
    market.mark_empty(*empty, instrument=other)
    market.drain()
    pieces = [minutes[start : start + 997] for start in range(0, len(minutes), 997)]
    chance.shuffle(pieces)
    for index, piece in enumerate(pieces):
        market.put([replace(candle, source=Source.PARTIAL, close=candle.low) for candle in piece[:50]])
        if index % 5 == 0:
            market.drain()
        market.put(piece)
        market.mark_empty(*empty[index :: len(pieces)])
        if index % 2 == 0:
            market.drain()
    market.drain()
    assert state(market) == state(market, other)


def test_a_bucket_is_complete_when_candles_and_confirmed_silence_fill_it(market: Database) -> None:
    market.put([minute(index) for index in (0, 1, 4)])
    market.drain()
    assert [candle.source for candle in market.candles(M5)] == [Source.PARTIAL]
    market.mark_empty(span(2, 3))
    market.drain()
    assert [candle.source for candle in market.candles(M5)] == [Source.PARTIAL]
    market.mark_empty(span(3, 4), span(5, 15))
    market.drain()
    assert [candle.source for candle in market.candles(M5)] == [Source.PROVEN]
    assert [candle.source for candle in market.candles(M15)] == [Source.PROVEN]
    assert market.coverage(M5) == ([span(0, 5)], [span(5, 15)])
    assert market.coverage(M15) == ([span(0, 15)], [])


def test_silence_confirmed_again_changes_nothing(market: Database) -> None:
    for _ in range(2):
        market.mark_empty(span(0, 10))
    assert market.drain() == 1
    market.mark_empty(span(2, 7))
    assert market.queued() == 0


def test_a_candle_ends_a_silence_and_a_minute_with_a_candle_is_not_silent(market: Database) -> None:
    market.mark_empty(span(0, 5))
    market.put([minute(2, source=Source.PARTIAL)])
    market.drain()
    assert market.coverage() == ([], [span(0, 2), span(3, 5)])
    market.mark_empty(span(0, 5))
    market.drain()
    assert market.coverage() == ([], [span(0, 2), span(3, 5)])


def test_only_whole_buckets_of_what_was_asked_are_confirmed_silent(market: Database) -> None:
    market.mark_empty(span(1, 14), timeframe=M5)
    market.drain()
    assert market.coverage(M1) == ([], [span(5, 10)])


def test_a_deleted_candle_shrinks_coverage_and_takes_its_rollups_along(market: Database) -> None:
    market.put([minute(index) for index in range(10)])
    market.drain()
    assert market.coverage(M5) == ([span(0, 10)], [])
    market.run("delete from candles where timeframe = 1 and open_time = %s", minute(7).open_time)
    market.drain()
    assert market.coverage(M1) == ([span(0, 7), span(8, 10)], [])
    assert market.coverage(M5) == ([span(0, 5)], [])
    assert [candle.source for candle in market.candles(M5)] == [Source.PROVEN, Source.PARTIAL]
    market.run("delete from candles where timeframe = 1")
    market.drain()
    assert market.value("select count(*) from candles") == 0
    assert all(market.coverage(timeframe) == ([], []) for timeframe in TIMEFRAMES)


def test_what_the_exchange_calls_silent_after_a_deletion_is_silent_before_the_drain_too(market: Database) -> None:
    market.put([minute(0)])
    market.drain()
    market.run("delete from candles where timeframe = 1")
    market.mark_empty(span(0, 1))
    assert market.coverage() == ([], [span(0, 1)])
    market.drain()
    assert market.coverage() == ([], [span(0, 1)])


def test_an_instrument_gets_the_timeframes_that_it_keeps_from_the_next_finer_kept_one(database: Database) -> None:
    database.add_instrument(timeframes=[M1, H1, W1])
    minutes = [minute(index) for index in range(3 * 1440)]
    database.put(minutes)
    database.drain()
    found = database.rows("select timeframe, count(*) from candles group by timeframe order by timeframe")
    assert found == [(1, 4320), (60, 72), (10080, 1)]
    hours = roll_up(minutes, H1, [])
    assert [replace(candle, revision=0) for candle in database.candles(W1)] == roll_up(hours, W1, [])


def test_a_timeframe_newly_kept_is_made_from_history_and_one_dropped_goes(market: Database) -> None:
    market.put([minute(index) for index in range(12 * 1440)])
    market.drain()
    everything = state(market)
    market.run("update instruments set timeframes = '{1, 60}'")
    market.drain()
    assert market.rows("select distinct timeframe from candles order by 1") == [(1,), (60,)]
    market.run("update instruments set timeframes = default")
    market.drain()
    assert state(market) == everything


def test_a_reported_coarser_candle_stands_against_a_rollup_of_lower_rank_and_feeds_the_coarser_ones(
    market: Database,
) -> None:
    venue = replace(minute(0), timeframe=M5, source=Source.VENUE, observed_at=START, volume=Decimal(1000))
    market.put([venue])
    market.put([minute(0)])
    market.drain()
    assert market.candles(M5) == [replace(venue, revision=1)]
    assert [candle.volume for candle in market.candles(M15)] == [Decimal(1000)]
    market.put([minute(index) for index in range(5)])
    market.drain()
    assert [(candle.source, candle.revision) for candle in market.candles(M5)] == [(Source.PROVEN, 2)]


def test_a_week_that_ends_in_the_next_month_is_one_bucket_of_its_own_month(market: Database) -> None:
    week = [minute(index) for index in range(7 * 1440, 14 * 1440)]
    market.put(week)
    market.drain()
    start = START + timedelta(days=7)
    assert market.coverage(W1) == ([Span(start, start + timedelta(days=7))], [])
    assert market.rows("select month::text from coverage where timeframe = 10080 and not isempty(covered)") == [
        ("2026-11-01",)
    ]
    clipped = market.value(
        "select get_coverage_v1(1::smallint, 10080::smallint, '2026-12-02Z', '2026-12-03Z') #>> '{covered}'"
    )
    assert clipped == "[[1796169600000000, 1796256000000000]]"


def test_two_drainers_never_work_at_once_and_nothing_is_lost_between_them(market: Database) -> None:
    market.put([minute(index) for index in range(5)])
    with psycopg.connect(market.dsn) as other:
        assert other.execute("select drain_dirty_v1()").fetchone() == (1,)
        assert market.value("select drain_dirty_v1()") == -1
        # Written while the first drainer is still at work, in a minute that it has already read.
        market.put([minute(4, source=Source.MANUAL, volume=Decimal(500))])
    assert market.drain() == 1
    assert [candle.volume for candle in market.candles(M5)] == [sum(candle.volume for candle in market.candles())]


def test_a_drain_takes_a_bounded_part_of_the_queue(market: Database) -> None:
    for index in range(3):
        market.put([minute(index)])
    assert market.value("select drain_dirty_v1(2)") == 2
    assert market.value("select drain_dirty_v1(2)") == 1
    assert market.value("select drain_dirty_v1(2)") == 0
    market.run(
        "insert into internal.dirty (instrument_id, minutes, times) select 1, 300000, '{}' from generate_series(1, 3)"
    )
    assert market.value("select drain_dirty_v1()") == 2
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="p_limit: at least 1"):
        market.value("select drain_dirty_v1(0)")


def test_a_drain_that_finds_everything_as_it_was_writes_no_row(market: Database) -> None:
    market.put([minute(index) for index in range(30)])
    market.drain()
    before = market.rows("select ctid, revision, timeframe from candles order by timeframe, open_time")
    market.run(
        "insert into internal.dirty (instrument_id, minutes, times) values (1, 30, %s::tstzmultirange)",
        f"{{[{START.isoformat()},{(START + timedelta(minutes=30)).isoformat()})}}",
    )
    market.drain()
    assert market.rows("select ctid, revision, timeframe from candles order by timeframe, open_time") == before
