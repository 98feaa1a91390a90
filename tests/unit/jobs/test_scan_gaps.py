"""The scan: what is missing is found, all of it and nothing else, and what is held leaves the ledger."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.clock import FakeClock
from marketdata.compute.coverage import subtract, union
from marketdata.jobs.scan_gaps import GAPS_A_CALL, InstrumentScan, ScanResult, gap_scan, scan_gaps
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import UNRESOLVED, GapState
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.store.memory import MemoryStore

from tests.market import BTC, ETH, MINUTE, at, candle, minutes

START, NOW = at("10:00"), at("12:00")
GRACE = timedelta(minutes=2)
HISTORY = timedelta(hours=2)


def span(start: str, end: str) -> Span:
    return Span(at(start), at(end))


def a_store(candles: Sequence[Candle] = (), *instruments: Instrument) -> MemoryStore:
    """A store that followed BTC-USD at all times, and holds `candles`."""
    store = MemoryStore()
    store.put_instruments(instruments or [BTC])
    store.put_candles(candles)
    return store


def scan(store: MemoryStore, now: datetime = NOW) -> ScanResult:
    clock = FakeClock(now)
    return scan_gaps(store, clock, now + timedelta(minutes=1), history=HISTORY, grace=GRACE, pause=never)


def never(_: float) -> None:
    pytest.fail("nobody else drains this queue")


def on_ledger(store: MemoryStore, instrument: Instrument = BTC) -> list[Span]:
    return sorted(gap.span for gap in store.gaps(states=UNRESOLVED, instrument=instrument, limit=10_000))


@pytest.mark.parametrize(
    ("gone", "why"),
    [
        ([("10:30", "10:31")], "single"),
        ([("10:00", "10:10")], "leading"),
        ([("11:50", "11:58")], "tail"),
        ([("10:00", "11:58")], "all"),
        ([("10:00", "10:01"), ("10:40", "11:00"), ("11:57", "11:58")], "each of them"),
    ],
)
def test_a_hole_is_found_wherever_it_is(gone: list[tuple[str, str]], why: str) -> None:
    holes = [span(*edges) for edges in gone]
    store = a_store([one for one in minutes("10:00", "11:58") if not any(one.open_time in hole for hole in holes)])
    result = scan(store)
    assert on_ledger(store) == holes, why
    lost = sum((hole.end - hole.start) // MINUTE for hole in holes)
    assert result.instruments == (InstrumentScan("coinbase", "BTC-USD", len(holes), lost, len(holes)),)
    assert (result.drained, result.unresolved) == (True, len(holes))


@pytest.mark.parametrize("seed", range(20))
def test_any_candles_removed_are_exactly_what_is_found(seed: int) -> None:
    random = Random(seed)
    whole = minutes("10:00", "11:58")
    kept = [one for one in whole if random.random() < random.choice((0.5, 0.9, 0.99))]
    store = a_store(kept)
    scan(store)
    expected = subtract([span("10:00", "11:58")], [Span(one.open_time, one.close_time) for one in kept])
    assert union(on_ledger(store)) == expected


def test_the_open_minute_and_those_in_their_grace_are_no_gap() -> None:
    store = a_store(minutes("10:00", "11:58"))
    assert scan(store, at("12:00:59")).instruments == ()
    assert on_ledger(store) == []
    scan(store, at("12:01"))
    assert on_ledger(store) == [span("11:58", "11:59")]


def test_a_minute_held_in_part_is_missing_and_one_known_to_be_empty_is_not() -> None:
    store = a_store(minutes("10:00", "11:50") + minutes("11:50", "11:52", source=Source.PARTIAL))
    store.mark_empty(BTC, M1, [span("11:52", "11:58")])
    scan(store)
    assert on_ledger(store) == [span("11:50", "11:52")]


def test_what_is_older_than_the_history_wanted_is_not_looked_for() -> None:
    store = a_store(minutes("10:30", "11:58"))
    scan(store, NOW + timedelta(minutes=30))
    assert on_ledger(store) == [span("11:58", "12:28")]


def test_what_came_before_an_instrument_was_followed_is_not_missing() -> None:
    store = MemoryStore(FakeClock(at("11:30")))
    store.put_instruments([BTC])
    scan(store)
    assert on_ledger(store) == [span("11:30", "11:58")]


def test_a_second_scan_records_nothing_twice() -> None:
    store = a_store(minutes("10:10", "11:58"))
    scan(store)
    before = store.gaps(limit=10)
    again = scan(store)
    assert (again.instruments, again.unresolved) == ((), 1)
    assert store.gaps(limit=10) == before


def test_a_hole_that_grows_is_one_gap() -> None:
    store = a_store(minutes("10:00", "11:50"))
    scan(store)
    result = scan(store, NOW + 5 * MINUTE)
    assert on_ledger(store) == [span("11:50", "12:03")]
    assert [(one.minutes, one.recorded) for one in result.instruments] == [(5, 1)]


def test_a_gap_that_was_filled_by_someone_leaves_the_ledger() -> None:
    store = a_store(minutes("10:00", "10:30") + minutes("10:40", "11:58"))
    scan(store)
    store.put_candles(minutes("10:30", "10:40"))
    result = scan(store)
    assert (result.closed, result.unresolved, result.instruments) == (1, 0, ())
    assert [gap.state for gap in store.gaps(limit=10)] == [GapState.FILLED]


def test_every_active_instrument_has_its_own_gaps() -> None:
    idle = Instrument("coinbase", "IDLE-USD", "IDLE", "USD", active=False)
    store = a_store(minutes("10:00", "11:58"), BTC, ETH, idle)
    result = scan(store)
    assert [one.symbol for one in result.instruments] == ["ETH-USD"]
    assert on_ledger(store, ETH) == [span("10:00", "11:58")]
    assert {(gap.cause, gap.found_at) for gap in store.gaps(limit=10)} == {("scan", NOW)}


WEEKENDS = {
    "summer": ("2026-08-07T21:00", "2026-08-09T21:00"),
    "clocks go forward": ("2026-03-06T22:00", "2026-03-08T21:00"),
    "clocks go back": ("2026-10-30T21:00", "2026-11-01T22:00"),
    "the year ends": ("2027-01-01T22:00", "2027-01-03T22:00"),
}
EUR = Instrument("oanda", "EUR_USD", "EUR", "USD", calendar=Calendar.FX)


def weekend(name: str) -> Span:
    return Span(*(datetime.fromisoformat(f"{edge}+00:00") for edge in WEEKENDS[name]))


def scan_week(store: MemoryStore, now: datetime) -> ScanResult:
    clock, week = FakeClock(now), timedelta(days=4)
    return scan_gaps(store, clock, now + timedelta(minutes=1), history=week, grace=GRACE, pause=never)


def in_state(store: MemoryStore, *states: GapState) -> list[Span]:
    return sorted(gap.span for gap in store.gaps(states=states, limit=100))


@pytest.mark.parametrize("name", WEEKENDS)
def test_a_hole_over_a_weekend_is_split_where_the_market_closed_and_opened(name: str) -> None:
    shut = weekend(name)
    store = MemoryStore(FakeClock(shut.start - timedelta(hours=3)))
    store.put_instruments([EUR])
    now = shut.end + timedelta(hours=2)
    result = scan_week(store, now)
    assert in_state(store, *UNRESOLVED) == [
        Span(shut.start - timedelta(hours=3), shut.start),
        Span(shut.end, now - GRACE),
    ]
    assert in_state(store, GapState.MARKET_CLOSED) == [shut]
    assert (result.market_closed, result.instruments[0].minutes) == (1, 180 + 118)


@pytest.mark.parametrize("name", WEEKENDS)
def test_a_weekend_is_one_gap_however_often_it_is_scanned_and_whatever_is_removed(name: str) -> None:
    shut = weekend(name)
    start = shut.start - timedelta(minutes=40)
    store = MemoryStore(FakeClock(start))
    store.put_instruments([EUR])
    held = [start + number * MINUTE for number in range(40)] + [shut.end + number * MINUTE for number in range(40)]
    gone = {held[0], held[39], held[40], held[41], held[60], held[79]}
    store.put_candles([candle(one, EUR) for one in held if one not in gone])
    grew = [scan_week(store, shut.start + number * timedelta(hours=7) + GRACE).market_closed for number in range(1, 7)]
    scan_week(store, shut.end + timedelta(minutes=40) + GRACE)
    assert union(in_state(store, *UNRESOLVED)) == union(Span(one, one + MINUTE) for one in gone)
    assert in_state(store, GapState.MARKET_CLOSED) == [shut]
    assert grew == [1] * 6


def test_a_market_around_the_clock_has_no_weekend() -> None:
    store = MemoryStore(FakeClock(weekend("summer").start))
    store.put_instruments([BTC])
    scan_week(store, weekend("summer").end)
    assert on_ledger(store) == [Span(weekend("summer").start, weekend("summer").end - GRACE)]


def test_history_that_was_ordered_over_weekends_is_split_by_the_next_scan() -> None:
    shut = weekend("summer")
    store = MemoryStore(FakeClock(shut.end))
    store.put_instruments([EUR])
    whole = Span(shut.start - timedelta(hours=1), shut.end + timedelta(hours=1))
    store.record_gaps(EUR, M1, [whole], cause="history", found_at=shut.end)
    scan_week(store, whole.end + GRACE)
    assert in_state(store, *UNRESOLVED) == [Span(whole.start, shut.start), Span(shut.end, whole.end)]


def test_the_tail_is_bounded_by_the_clock_and_not_by_what_is_held() -> None:
    store = a_store(minutes("10:00", "10:20"))
    scan(store)
    assert on_ledger(store) == [span("10:20", "11:58")], "nothing newer is held, and still it is missing"
    store.mark_empty(BTC, M1, [span("10:20", "11:58")])
    assert scan(store).unresolved == 0, "until the exchange says that nobody traded"


@given(removed=st.sets(st.integers(0, 117)), open_minute=st.booleans())
def test_whatever_is_removed_is_found_and_nothing_else(removed: set[int], open_minute: bool) -> None:
    whole = minutes("10:00", "11:58")
    store = a_store([one for number, one in enumerate(whole) if number not in removed])
    if open_minute:
        store.put_candles(minutes("12:00", "12:01", source=Source.PARTIAL))
    scan(store)
    lost = [Span(whole[number].open_time, whole[number].close_time) for number in removed]
    assert union(on_ledger(store)) == union(lost)
    assert len(on_ledger(store)) == len(union(lost)), "a run is one gap"


def test_coverage_is_brought_up_to_date_first() -> None:
    store = a_store(minutes("10:00", "11:58"))
    assert store.find_gaps(now=NOW, history=HISTORY, grace=GRACE) != []
    assert scan(store).instruments == ()


class BusyStore(MemoryStore):
    """A store whose queue gives the answers of `drains`, each after ten seconds of `clock`."""

    def __init__(self, clock: FakeClock, drains: list[int | None]) -> None:
        super().__init__()
        self.clock = clock
        self.drains = drains

    def roll_up(self, *, limit: int = 2000) -> int | None:
        self.clock.advance(timedelta(seconds=10))
        return self.drains.pop(0)


def scan_busy(drains: list[int | None]) -> tuple[ScanResult, list[float]]:
    clock, pauses = FakeClock(NOW), list[float]()
    store = BusyStore(clock, drains)
    store.put_instruments([BTC])
    deadline = NOW + timedelta(minutes=1)
    return scan_gaps(store, clock, deadline, history=HISTORY, grace=GRACE, pause=pauses.append), pauses


def test_while_the_queue_is_not_drained_nothing_is_called_missing() -> None:
    result, _ = scan_busy([2000] * 3)
    assert (result.drained, result.instruments, result.unresolved) == (False, (), 0)


def test_another_drainer_is_waited_for() -> None:
    result, pauses = scan_busy([None, 0])
    assert result.drained
    assert len(pauses) == 1


def test_a_queue_that_others_keep_draining_is_given_up() -> None:
    result, pauses = scan_busy([None] * 3)
    assert not result.drained
    assert len(pauses) == 2


class FullStore(MemoryStore):
    """A store that gives `found` in as many calls."""

    def __init__(self, found: list[list[Span]]) -> None:
        super().__init__()
        self.found = found
        self.recorded: list[Span] = []

    def find_gaps(
        self, *, now: datetime, history: timedelta, grace: timedelta, instrument: Instrument | None = None
    ) -> list[tuple[Instrument, Span]]:
        return [(BTC, one) for one in self.found.pop(0)]

    def record_gaps(
        self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span], *, cause: str, found_at: datetime
    ) -> int:
        self.recorded.extend(spans)
        return len(spans)


def test_more_gaps_than_one_call_gives_are_all_recorded() -> None:
    single = [Span(START + number * MINUTE, START + (number + 1) * MINUTE) for number in range(GAPS_A_CALL + 3)]
    store = FullStore([single[3:], single[:3]])
    [one] = scan(store).instruments
    assert (one.spans, one.minutes, one.recorded) == (GAPS_A_CALL + 3,) * 3
    assert sorted(store.recorded) == single


def test_as_a_job_it_says_what_it_did() -> None:
    store = a_store(minutes("10:00", "11:50"))
    result = gap_scan(store, FakeClock(NOW), NOW + MINUTE, history=HISTORY)
    assert result == {
        "drained": True,
        "closed": 0,
        "market_closed": 0,
        "recorded": 1,
        "minutes": 8,
        "unresolved": 1,
        "unresolved_seconds": 0,
        "instruments": [
            {"exchange": "coinbase", "symbol": "BTC-USD", "spans": 1, "minutes": 8, "recorded": 1},
        ],
        "forgotten": {"gaps": 0, "runs": 0, "alerts": 0},
    }
