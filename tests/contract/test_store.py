"""What every store means: one suite over the store in memory and the one in Supabase.

The tests that put both side by side hold them equal on generated histories.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from marketdata.compute.continuity import Contiguity
from marketdata.compute.merge import merge
from marketdata.compute.rollup import roll_up
from marketdata.errors import NotFound, RequestInvalid, StoreError
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.store.answers import Coverage, CoverageAudit, DayCounts, FeedStatus, TroubledInstrument
from marketdata.store.http_line import HttpAnswer, HttpLine
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import (
    BTC,
    ETH,
    H1,
    M5,
    M15,
    MINUTE,
    MONDAY,
    NOON,
    UNKNOWN,
    a_history,
    a_quarrel,
    a_report,
    candle,
    drain,
    live_through,
    shuffled_batches,
    span,
    trade,
)


@pytest.fixture
def supabase_store(empty_supabase: RunningSupabase) -> Iterator[SupabaseStore]:
    """A store on an empty database."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    yield store
    store.close()


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store in turn, empty but for two instruments."""
    one: Store = MemoryStore() if request.param == "memory" else request.getfixturevalue("supabase_store")
    one.put_instruments([BTC, ETH])
    return one


def held(store: Store, timeframe: Timeframe = M1, instrument: Instrument = BTC) -> list[Candle]:
    """All candles of one kind, oldest first."""
    return store.candles(instrument, timeframe, start=None, end=None, limit=10_000)


def facts(candles: Sequence[Candle]) -> list[Candle]:
    """Everything but the number of changes, which depends on the way there."""
    return [replace(one, revision=0) for one in candles]


# Instruments


def test_an_instrument_comes_back_as_it_was_put(store: Store) -> None:
    rare = Instrument('odd "venue", (1)', "X\\Y", "X", "Y", (M1, H1), active=False, simulated=True)
    store.put_instruments([rare])
    assert store.instruments() == [BTC, ETH, rare]
    assert store.instruments(active_only=True) == [BTC, ETH]


def test_putting_an_instrument_again_replaces_what_is_said_of_it(store: Store) -> None:
    store.put_candles([candle(0)])
    inactive = replace(BTC, active=False)
    store.put_instruments([inactive, inactive])
    assert store.instruments() == [inactive, ETH]
    assert facts(held(store)) == [candle(0)]


def test_more_instruments_than_a_page_holds_all_come_back_in_order(store: Store) -> None:
    many = [Instrument("venue", f"S{number:04}", "S", "USD") for number in range(1_100)]
    store.put_instruments(list(reversed(many)))
    assert store.instruments() == [BTC, ETH, *many]


def test_an_instrument_must_keep_the_minutes_that_all_else_is_made_of(store: Store) -> None:
    with pytest.raises(StoreError):
        store.put_instruments([replace(ETH, symbol="NEW", timeframes=(M5,))])
    assert store.instruments() == [BTC, ETH]


# Candles


def test_every_field_of_a_candle_comes_back_exactly(store: Store) -> None:
    tiny = Decimal("0.000000000000000001")
    huge = Decimal("123456789012345678901234567890.123456789")
    exact = candle(
        1,
        open=tiny,
        high=huge,
        low=tiny,
        close=Decimal("0.1000"),
        volume=huge,
        quote_volume=Decimal("1E+30"),
        taker_buy_volume=Decimal(0),
        trades=2**31 - 1,
        first_id=2**53 + 1,
        last_id=2**63 - 1,
        observed_at=NOON + timedelta(microseconds=123_457),
        source=Source.VENUE,
    )
    bare = candle(2, quote_volume=None, taker_buy_volume=None, trades=None, first_id=None, last_id=None)
    store.put_candles([bare, exact])
    assert held(store) == [replace(exact, revision=1), replace(bare, revision=1)]


def test_candles_of_every_timeframe_are_kept_apart(store: Store) -> None:
    reported = [candle(0, str(timeframe.minutes), timeframe=timeframe) for timeframe in TIMEFRAMES]
    store.put_candles([*reported, candle(0, "7", instrument=ETH)])
    assert [facts(held(store, timeframe)) for timeframe in TIMEFRAMES] == [[one] for one in reported]


def test_a_lower_rank_never_replaces_a_higher_one(store: Store) -> None:
    store.put_candles([candle(0, "2", source=Source.VENUE)])
    store.put_candles([candle(0, "3", source=Source.LIVE, observed_at=NOON)])
    assert held(store) == [candle(0, "2", source=Source.VENUE, revision=1)]
    store.put_candles([candle(0, "4", source=Source.PROVEN)])
    assert held(store) == [candle(0, "4", source=Source.PROVEN, revision=2)]


def test_within_a_rank_the_newer_observation_wins_whole(store: Store) -> None:
    later = candle(0, "3", source=Source.VENUE, observed_at=NOON + MINUTE, quote_volume=None)
    store.put_candles([later])
    store.put_candles([candle(0, "5", source=Source.VENUE, observed_at=NOON)])
    assert facts(held(store)) == [later]


def test_saying_the_same_again_is_no_revision(store: Store) -> None:
    for volume in ("2.5", "2.50", "2.5"):
        store.put_candles([candle(0, volume=Decimal(volume), revision=77)])
    assert [one.revision for one in held(store)] == [1]


def test_putting_nothing_is_fine(store: Store) -> None:
    store.put_candles([])
    store.put_trades("coinbase", [])
    store.put_instruments([])
    store.mark_empty(BTC, M1, [])
    assert held(store) == []
    assert store.roll_up() == 0


def test_candles_of_an_unknown_instrument_write_nothing(store: Store) -> None:
    with pytest.raises(NotFound):
        store.put_candles([candle(0), candle(0, instrument=UNKNOWN)])
    assert held(store) == []


def test_an_unknown_instrument_is_never_an_empty_answer(store: Store) -> None:
    with pytest.raises(NotFound):
        held(store, M1, UNKNOWN)
    with pytest.raises(NotFound):
        store.trades(UNKNOWN, span(0, 1), limit=1)
    with pytest.raises(NotFound):
        store.coverage(UNKNOWN, M1, span(0, 1))
    with pytest.raises(NotFound):
        store.mark_empty(UNKNOWN, M1, [span(0, 1)])
    with pytest.raises(NotFound):
        store.count_candles(UNKNOWN, M1, span(0, 1))


@pytest.mark.parametrize(
    "impossible",
    [
        candle(1, "0"),
        candle(1, volume=Decimal("NaN")),
        candle(1, volume=Decimal("Infinity")),
        candle(1, high=Decimal("Infinity")),
        candle(1, volume=Decimal(-1), taker_buy_volume=None),
        candle(1, quote_volume=Decimal(-1)),
        candle(1, taker_buy_volume=Decimal("2.6")),
        candle(1, trades=-1),
        candle(1, first_id=5, last_id=4),
        candle(1, last_id=2**63),
        candle(1, timeframe=M5),
        candle(1, open_time=MONDAY + timedelta(seconds=1)),
        candle(1, timeframe=Timeframe("2m", 2)),
    ],
    ids=lambda one: f"{one.timeframe}-{one.volume}-{one.low}-{one.high}-{one.trades}-{one.last_id}",
)
def test_a_candle_against_the_physics_is_refused_with_its_whole_batch(store: Store, impossible: Candle) -> None:
    with pytest.raises(StoreError):
        store.put_candles([candle(0), impossible])
    assert held(store) == []


# Questions


def test_answers_longer_than_the_servers_cap_are_whole(store: Store) -> None:
    minutes = [candle(number) for number in range(2_500)]
    store.put_candles(minutes)
    assert facts(held(store)) == minutes
    newest = store.candles(BTC, M1, start=None, end=None, limit=2_400, newest_first=True)
    assert facts(newest) == minutes[:99:-1]


@pytest.mark.parametrize(("start", "end"), [(None, None), (2, None), (None, 7), (2, 7), (7, 7), (50, 60)])
@pytest.mark.parametrize("limit", [1, 4, 5, 6, 10])
def test_a_question_is_answered_from_the_asked_end(
    store: Store, start: int | None, end: int | None, limit: int
) -> None:
    minutes = [candle(number) for number in range(10)]
    store.put_candles(minutes)
    inside = minutes[start or 0 : 10 if end is None else end]
    bounds = [None if edge is None else MONDAY + edge * MINUTE for edge in (start, end)]
    oldest = store.candles(BTC, M1, start=bounds[0], end=bounds[1], limit=limit)
    newest = store.candles(BTC, M1, start=bounds[0], end=bounds[1], limit=limit, newest_first=True)
    assert facts(oldest) == inside[:limit]
    assert facts(newest) == inside[::-1][:limit]


@pytest.mark.parametrize("limit", [0, 10_001])
def test_a_limit_out_of_bounds_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(RequestInvalid):
        store.candles(BTC, M1, start=None, end=None, limit=limit)
    with pytest.raises(RequestInvalid):
        store.trades(BTC, span(0, 1), limit=limit)


# Trades


def test_trades_come_back_exactly_in_the_order_of_time_and_id(store: Store) -> None:
    trades = [
        trade(9, 1),
        trade(10, 1, side=Side.SELL),
        trade(2, 2, price=Decimal("0.000000000000000001"), size=Decimal("123456789012345678901234567890")),
        trade(2**53 + 1, 3, count=7),
        trade(2**63 - 1, 3),
    ]
    store.put_trades("coinbase", trades[::-1])
    assert store.trades(BTC, span(0, 1), limit=10) == trades
    assert store.trades(BTC, span(0, 1), limit=2) == trades[:2]


def test_a_trade_already_kept_is_left_as_it_is(store: Store) -> None:
    first = trade(1, 5)
    again = trade(1, 5, price=Decimal(7))
    store.put_trades("coinbase", [first, again])
    store.put_trades("coinbase", [again])
    assert store.trades(BTC, span(0, 1), limit=10) == [first]


def test_times_of_trades_are_kept_to_the_microsecond(store: Store) -> None:
    last_moment = nanoseconds(MONDAY) + 59_999_999_999
    store.put_trades("coinbase", [Trade("BTC-USD", 1, last_moment, Decimal(1), Decimal(1), Side.BUY)])
    [kept] = store.trades(BTC, span(0, 1), limit=10)
    assert kept.time_ns == last_moment - 999


def test_a_span_of_trades_ends_before_its_end(store: Store) -> None:
    trades = [trade(number, number * 60_000_000) for number in range(4)]
    store.put_trades("coinbase", trades)
    assert store.trades(BTC, span(1, 3), limit=10) == trades[1:3]


def test_more_trades_than_the_servers_cap_are_whole(store: Store) -> None:
    trades = [trade(number, number * 7) for number in range(2_300)]
    store.put_trades("coinbase", trades)
    assert store.trades(BTC, span(0, 1), limit=10_000) == trades


def test_trades_of_an_unknown_instrument_write_nothing(store: Store) -> None:
    stranger = Trade("NO-SUCH", 1, nanoseconds(MONDAY), Decimal(1), Decimal(1), Side.BUY)
    with pytest.raises(NotFound):
        store.put_trades("coinbase", [trade(1, 0), stranger])
    assert store.trades(BTC, span(0, 1), limit=10) == []


@pytest.mark.parametrize("changes", [{"price": Decimal(0)}, {"size": Decimal("NaN")}, {"count": 0}])
def test_a_trade_against_the_physics_is_refused(store: Store, changes: dict[str, object]) -> None:
    with pytest.raises(StoreError):
        store.put_trades("coinbase", [trade(1, 0, **changes)])


def test_there_is_room_for_any_time_that_was_made_ready(store: Store) -> None:
    store.ensure_partitions(Span(datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 6, 1, tzinfo=UTC)))
    old = candle(0, open_time=datetime(2017, 12, 31, 23, 59, tzinfo=UTC))
    store.put_candles([old])
    assert facts(held(store)) == [old]


def test_a_batch_over_years_that_nothing_was_made_ready_for_is_written(store: Store) -> None:
    years = [candle(0, open_time=datetime(year, 2, 28, tzinfo=UTC)) for year in (2010, 2012, 2015)]
    store.put_candles([*years, candle(0)])
    assert facts(held(store)) == [*years, candle(0)]


# Rolling up, coverage, emptiness


def test_nothing_is_rolled_up_or_covered_before_the_queue_is_drained(store: Store) -> None:
    store.put_candles([candle(number) for number in range(5)])
    assert held(store, M5) == []
    assert store.coverage(BTC, M1, span(0, 60)) == Coverage((), ())
    drain(store)
    assert facts(held(store, M5)) == roll_up([candle(number) for number in range(5)], M5, [])
    assert store.coverage(BTC, M1, span(0, 60)) == Coverage((span(0, 5),), ())
    assert store.roll_up() == 0


def test_every_timeframe_is_what_the_minutes_make_of_it(store: Store) -> None:
    minutes, empty = a_history(Random(1))
    store.put_candles(minutes)
    store.mark_empty(BTC, M1, empty)
    drain(store)
    for timeframe in TIMEFRAMES[1:]:
        assert facts(held(store, timeframe)) == roll_up(minutes, timeframe, empty)


def test_the_way_of_writing_and_draining_does_not_matter(store: Store) -> None:
    minutes, empty = a_history(Random(2))
    scrambled = Random(3).sample(minutes, len(minutes))
    for start in range(0, len(scrambled), 37):
        store.put_candles(scrambled[start : start + 50])
        store.roll_up(limit=2)
        if start == 37:
            store.mark_empty(BTC, M1, empty)
    drain(store)
    for timeframe in TIMEFRAMES[1:]:
        assert facts(held(store, timeframe)) == roll_up(minutes, timeframe, empty)


def test_a_late_correction_rolls_its_parents_up_again(store: Store) -> None:
    store.put_candles([candle(number) for number in range(10)])
    drain(store)
    corrected = candle(3, "9", source=Source.MANUAL, observed_at=NOON)
    store.put_candles([corrected])
    drain(store)
    minutes = [corrected if number == 3 else candle(number) for number in range(10)]
    assert facts(held(store, M5)) == roll_up(minutes, M5, [])
    assert [one.revision for one in held(store, M5)] == [2, 1]
    assert [one.high for one in held(store, H1)] == [Decimal(9)]


def test_a_part_of_a_minute_covers_nothing_until_the_rest_is_known(store: Store) -> None:
    store.put_candles([candle(0), candle(1, source=Source.PARTIAL), candle(2)])
    drain(store)
    assert store.coverage(BTC, M1, span(0, 5)).covered == (span(0, 1), span(2, 3))
    store.put_candles([candle(1, source=Source.LIVE)])
    drain(store)
    assert store.coverage(BTC, M1, span(0, 5)).covered == (span(0, 3),)


def test_coarser_timeframes_have_a_coverage_of_their_own(store: Store) -> None:
    store.put_candles([candle(number) for number in range(7)])
    store.mark_empty(BTC, M1, [span(13, 31)])
    drain(store)
    assert store.coverage(BTC, M5, span(0, 60)) == Coverage((span(0, 5),), (span(15, 30),))
    assert store.coverage(BTC, H1, span(0, 60)) == Coverage((), ())


def test_coverage_is_clipped_to_the_question(store: Store) -> None:
    store.put_candles([candle(number) for number in range(5)])
    store.mark_empty(BTC, M1, [span(10, 20)])
    drain(store)
    assert store.coverage(BTC, M1, span(2, 15)) == Coverage((span(2, 5),), (span(10, 15),))
    assert store.coverage(BTC, M1, span(5, 10)) == Coverage((), ())


def test_coverage_joins_over_the_end_of_a_month(store: Store) -> None:
    midnight = 24 * 60
    store.put_candles([candle(number) for number in range(midnight - 3, midnight + 3)])
    drain(store)
    assert store.coverage(BTC, M1, span(0, 3_000)).covered == (span(midnight - 3, midnight + 3),)


def test_a_bucket_of_trades_and_confirmed_silence_is_whole(store: Store) -> None:
    store.put_candles([candle(1), candle(3)])
    drain(store)
    assert [one.source for one in held(store, M5)] == [Source.PARTIAL]
    store.mark_empty(BTC, M1, [span(0, 1), span(2, 3), span(4, 5)])
    drain(store)
    assert [one.source for one in held(store, M5)] == [Source.PROVEN]
    assert store.coverage(BTC, M1, span(0, 5)) == Coverage(
        (span(1, 2), span(3, 4)), (span(0, 1), span(2, 3), span(4, 5))
    )


def test_a_candle_wins_over_silence_whichever_came_first(store: Store) -> None:
    store.put_candles([candle(1, source=Source.PARTIAL)])
    store.mark_empty(BTC, M1, [span(0, 5)])
    store.put_candles([candle(3)])
    drain(store)
    assert store.coverage(BTC, M1, span(0, 5)) == Coverage((span(3, 4),), (span(0, 1), span(2, 3), span(4, 5)))


def test_silence_said_of_a_coarse_timeframe_counts_for_its_whole_buckets(store: Store) -> None:
    store.mark_empty(BTC, M5, [span(3, 12)])
    drain(store)
    assert store.coverage(BTC, M1, span(0, 60)).empty == (span(5, 10),)


def test_silence_said_twice_changes_nothing(store: Store) -> None:
    store.mark_empty(BTC, M1, [span(0, 5)])
    drain(store)
    store.mark_empty(BTC, M1, [span(1, 4)])
    assert store.roll_up() == 0


def test_only_the_kept_timeframes_are_rolled_up(store: Store) -> None:
    store.put_instruments([replace(BTC, timeframes=(M1, H1))])
    minutes = [candle(number) for number in range(60)]
    store.put_candles(minutes)
    drain(store)
    assert held(store, M5) == held(store, M15) == []
    assert facts(held(store, H1)) == roll_up(minutes, H1, [])


def test_keeping_other_timeframes_rebuilds_the_history(store: Store) -> None:
    minutes = [candle(number) for number in range(60)]
    store.put_candles(minutes)
    drain(store)
    store.put_instruments([replace(BTC, timeframes=(M1, M15))])
    drain(store)
    assert held(store, M5) == held(store, H1) == []
    assert facts(held(store, M15)) == roll_up(minutes, M15, [])
    store.put_instruments([BTC])
    drain(store)
    assert facts(held(store, H1)) == roll_up(minutes, H1, [])


def test_a_reported_candle_stands_against_a_rollup_of_its_rank(store: Store) -> None:
    store.put_candles([candle(number) for number in range(5)])
    drain(store)
    reported = candle(0, "7", timeframe=M5, trades=99)
    store.put_candles([reported])
    drain(store)
    assert facts(held(store, M5)) == [reported]
    assert [one.trades for one in held(store, M15)] == [99]


# Counting


def counts_of(store: Store, timeframe: Timeframe, asked: Span) -> list[DayCounts]:
    """What the store must count, from its candles and its coverage alone."""
    candles = [one for one in held(store, timeframe) if one.open_time in asked]
    length = timeframe.duration
    empty = store.coverage(BTC, timeframe, Span(asked.start, asked.end + length)).empty
    openings = [part.start + number * length for part in empty for number in range((part.end - part.start) // length)]
    counted = Counter((one.open_time.date(), one.source.label) for one in candles)
    counted.update((opening.date(), "empty") for opening in openings if opening < asked.end)
    names = [*(source.label for source in Source), "empty"]
    days = sorted({day for day, _ in counted})
    return [
        DayCounts(datetime(day.year, day.month, day.day, tzinfo=UTC), **{name: counted[day, name] for name in names})
        for day in days
    ]


def test_candles_are_counted_by_day_and_source(store: Store) -> None:
    midnight = 24 * 60
    sources = [Source.PARTIAL, Source.LIVE, Source.VENUE, Source.PROVEN, Source.MANUAL, Source.PROVEN]
    store.put_candles([candle(number, source=source) for number, source in enumerate(sources)])
    store.put_candles([candle(midnight, source=Source.VENUE), candle(0, instrument=ETH)])
    store.mark_empty(BTC, M1, [span(midnight - 2, midnight), span(midnight + 1, midnight + 4)])
    assert store.count_candles(BTC, M1, span(0, 3 * midnight)) == [
        DayCounts(MONDAY, partial=1, live=1, venue=1, proven=2, manual=1, empty=2),
        DayCounts(MONDAY + timedelta(days=1), venue=1, empty=3),
    ]
    assert store.count_candles(BTC, M1, span(2, 4)) == [DayCounts(MONDAY, venue=1, proven=1)]
    assert store.count_candles(BTC, M1, span(10, 20)) == []


@pytest.mark.parametrize("timeframe", TIMEFRAMES, ids=str)
def test_the_counts_of_any_timeframe_are_those_of_its_candles_and_its_silence(
    store: Store, timeframe: Timeframe
) -> None:
    minutes, empty = a_history(Random(11))
    store.put_candles(minutes)
    silence = span(3 * 24 * 60 + 17, 20 * 24 * 60 + 11)
    store.mark_empty(BTC, M1, [*empty, silence])
    drain(store)
    start, end = MONDAY - timedelta(days=7), MONDAY + timedelta(days=35)
    for asked in (Span(start, end), Span(MONDAY, MONDAY + timedelta(days=17))):
        assert store.count_candles(BTC, timeframe, asked) == counts_of(store, timeframe, asked)


def test_a_candle_where_silence_was_said_is_counted_once_even_before_the_queue_is_drained(store: Store) -> None:
    store.mark_empty(BTC, M1, [span(0, 10)])
    drain(store)
    store.put_candles([candle(3), candle(4, source=Source.PARTIAL)])
    before = store.count_candles(BTC, M1, span(0, 60))
    drain(store)
    assert before == store.count_candles(BTC, M1, span(0, 60)) == [DayCounts(MONDAY, partial=1, proven=1, empty=8)]


@pytest.mark.parametrize("seed", [1, 2])
def test_coverage_is_what_the_rows_say_after_any_history(store: Store, seed: int) -> None:
    live_through(store, Random(seed))
    assert store.audit_coverage(BTC, Span(MONDAY - timedelta(days=20), MONDAY + timedelta(days=10))) == CoverageAudit()
    store.put_candles([candle(5_000)])
    assert store.audit_coverage(BTC, span(4_990, 5_010)) == CoverageAudit(), "what waits for the drain is no fault"


def test_a_month_is_audited_at_once_and_no_more(store: Store) -> None:
    with pytest.raises(RequestInvalid):
        store.audit_coverage(BTC, Span(MONDAY, MONDAY + timedelta(days=31) + MINUTE))
    with pytest.raises(NotFound):
        store.audit_coverage(UNKNOWN, span(0, 1))


def test_more_than_a_year_is_not_counted_at_once(store: Store) -> None:
    year = Span(MONDAY, MONDAY + timedelta(days=366))
    assert store.count_candles(BTC, M1, year) == []
    with pytest.raises(RequestInvalid):
        store.count_candles(BTC, M1, Span(MONDAY, year.end + MINUTE))


# Feeds, and being there


def test_what_a_feed_last_said_comes_back_newest_first(store: Store) -> None:
    old = FeedStatus("coinbase", "one", "live", MONDAY, NOON, NOON, NOON, 2, 2**40, 1, 3, 4, 'said "so", once')
    troubled = TroubledInstrument('ÖL "x", (y)', 2**35, Contiguity(2**40, 2, 3, 4, 5, 6, 7))
    old = replace(old, contiguity=troubled.contiguity, missing=2**36, troubled=(troubled,))
    new = FeedStatus("coinbase", "two", "connecting", MONDAY, NOON + timedelta(microseconds=1))
    store.put_feed_status(replace(old, state="stale", detail=""))
    store.put_feed_status(new)
    store.put_feed_status(old)
    assert store.feed_statuses() == [new, old]


def test_more_feeds_than_a_page_holds_all_come_back(store: Store) -> None:
    statuses = [
        FeedStatus(f"venue {number % 7}", f'"{number:04}", (x)', "live", MONDAY, MONDAY + number * MINUTE)
        for number in range(1_050)
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store.put_feed_status, statuses))
    assert store.feed_statuses() == statuses[::-1]


def test_a_state_that_no_feed_has_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        store.put_feed_status(FeedStatus("coinbase", "one", "sleepy", MONDAY, NOON))


def test_a_status_that_names_too_many_instruments_is_refused(store: Store) -> None:
    crowd = tuple(TroubledInstrument(str(number), 0, Contiguity()) for number in range(21))
    with pytest.raises(StoreError):
        store.put_feed_status(FeedStatus("coinbase", "one", "live", MONDAY, NOON, troubled=crowd))


def test_a_store_that_is_there_answers(store: Store) -> None:
    store.ping()


# What changed, whoever wrote it


def told(store: Store, after_id: int) -> list[tuple[str, Span]]:
    return [(instrument.symbol, one) for instrument, one in store.changes(after_id=after_id, limit=100).times]


def test_what_a_drain_worked_in_is_told_once_and_after_it_was_rolled_up(store: Store) -> None:
    drain(store)
    asked = store.changes(after_id=None, limit=1)
    assert asked.times == ()
    store.put_candles([candle(minute) for minute in (0, 1, 7)])
    assert told(store, asked.last_id) == []
    drain(store)
    told_now = store.changes(after_id=asked.last_id, limit=100)
    assert [one for _, one in told_now.times] == [span(0, 2), span(7, 8)]
    assert {instrument for instrument, _ in told_now.times} == {BTC}
    assert held(store, M5)
    assert told(store, told_now.last_id) == []
    assert store.changes(after_id=None, limit=1).last_id == told_now.last_id


def test_saying_the_same_again_is_no_change(store: Store) -> None:
    store.put_candles([candle(0)])
    drain(store)
    last_id = store.changes(after_id=None, limit=1).last_id
    store.put_candles([candle(0)])
    drain(store)
    assert told(store, last_id) == []


def test_changes_are_told_in_portions_that_join(store: Store) -> None:
    last_id = store.changes(after_id=None, limit=1).last_id
    for minute in range(3):
        store.put_candles([candle(minute)])
        drain(store)
    heard = []
    for _ in range(4):
        portion = store.changes(after_id=last_id, limit=1)
        last_id = portion.last_id
        heard += [one for _, one in portion.times]
    assert heard == [span(0, 1), span(1, 2), span(2, 3)]


def test_a_ragged_history_is_told_as_one_span(store: Store) -> None:
    last_id = store.changes(after_id=None, limit=1).last_id
    store.put_candles([candle(2 * minute) for minute in range(1_001)])
    drain(store)
    assert told(store, last_id)[0][1].start == span(0, 1).start
    assert len(told(store, last_id)) < 1_001


# One state, whatever the order


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_reports_leaves_one_state(store: Store, seed: int) -> None:
    random = Random(seed)
    reports = a_quarrel(random)
    states = []
    for number in range(4):
        instrument = Instrument("coinbase", f"ORDER-{number}", "O", "USD")
        store.put_instruments([instrument])
        for batch in shuffled_batches(random, reports):
            store.put_candles([replace(one, symbol=instrument.symbol) for one in batch])
        states.append([replace(one, symbol="", revision=0) for one in held(store, M1, instrument)])
    assert states[1:] == states[:-1]
    assert len(states[0]) == 8


def test_writers_at_once_leave_the_state_of_one_writer(store: Store) -> None:
    random = Random(5)
    reports = a_quarrel(random)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store.put_candles, shuffled_batches(random, reports * 3)))
        while pool.submit(store.roll_up).result() != 0:
            pass
    alone = MemoryStore()
    alone.put_instruments([BTC])
    alone.put_candles(reports)
    drain(alone)
    for timeframe in TIMEFRAMES:
        assert facts(held(store, timeframe)) == facts(held(alone, timeframe))


def test_a_second_report_merges_as_the_rule_says(store: Store) -> None:
    random = Random(11)
    pairs = [(a_report(random, number), a_report(random, number)) for number in range(1_500)]
    store.put_candles([one for one, _ in pairs])
    store.put_candles([other for _, other in pairs])
    assert held(store) == [merge(replace(one, revision=1), other) for one, other in pairs]


class AnswersGetLost(HttpLine):
    """The real network, but every other answer is lost after the server did its work."""

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout_seconds=10)
        self.requests = 0

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> HttpAnswer:
        answer = super().send(method, path, headers, body)
        self.requests += 1
        if self.requests % 2:
            raise ConnectionResetError("Connection reset by peer")
        return answer


@pytest.mark.stack
def test_a_write_whose_answer_was_lost_is_written_once(empty_supabase: RunningSupabase) -> None:
    network = AnswersGetLost(empty_supabase.url)
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key, line=network, sleep=lambda _seconds: None)
    store.put_instruments([BTC])
    store.put_candles([candle(number) for number in range(5)])
    store.put_trades("coinbase", [trade(1, 0)])
    store.mark_empty(BTC, M1, [span(5, 6)])
    drain(store)
    assert [one.revision for one in held(store)] == [1] * 5
    assert facts(held(store, M5)) == roll_up([candle(number) for number in range(5)], M5, [])
    assert store.trades(BTC, span(0, 1), limit=10) == [trade(1, 0)]
    assert store.coverage(BTC, M1, span(0, 60)) == Coverage((span(0, 5),), (span(5, 6),))
    assert network.requests >= 16
    store.close()


@pytest.mark.stack
@pytest.mark.parametrize("seed", range(4))
def test_both_stores_say_the_same_of_one_history(supabase_store: SupabaseStore, seed: int) -> None:
    memory = MemoryStore()
    for store in (memory, supabase_store):
        live_through(store, Random(seed))
    window = Span(MONDAY - timedelta(days=8), MONDAY + timedelta(days=8))
    for timeframe in TIMEFRAMES:
        assert facts(held(supabase_store, timeframe)) == facts(held(memory, timeframe))
        assert supabase_store.coverage(BTC, timeframe, window) == memory.coverage(BTC, timeframe, window)
