"""The word for a page of candles, over both stores: what changes the page changes it, and nothing else does."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest
from marketdata.errors import NotFound, RequestInvalid
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import GapState
from marketdata.model.timeframe import M1, Timeframe
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import BTC, ETH, H1, MINUTE, MONDAY, NOON, UNKNOWN, a_history, candle, drain, span

Change = Callable[[Store], object]


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each kind of store in turn: twenty minutes, of which 10 is held in part and 12 is missing and on the ledger."""
    if request.param == "memory":
        one: Store = MemoryStore()
        _prepare(one)
        yield one
        return
    running: RunningSupabase = request.getfixturevalue("empty_supabase")
    supabase = SupabaseStore(running.url, running.service_key)
    _prepare(supabase)
    yield supabase
    supabase.close()


def _prepare(store: Store) -> None:
    store.put_instruments([BTC, ETH])
    store.put_candles([candle(number) for number in range(20) if number not in (10, 12)])
    store.put_candles([candle(10, source=Source.PARTIAL)])
    drain(store)
    store.record_gaps(BTC, M1, [span(12, 13)], cause="scan", found_at=NOON)


def version(
    store: Store,
    start: int | None = 5,
    end: int | None = 15,
    *,
    timeframe: Timeframe = M1,
    limit: int = 100,
    newest_first: bool = False,
) -> str:
    asked = {
        "start": None if start is None else MONDAY + start * MINUTE,
        "end": None if end is None else MONDAY + end * MINUTE,
        "limit": limit,
        "settled": NOON,
        "newest_first": newest_first,
    }
    told = store.candles_version(BTC, timeframe, **asked)  # type: ignore[arg-type]
    assert told == store.read_candles(BTC, timeframe, **asked).version  # type: ignore[arg-type]
    assert told == store.candles_version(BTC, timeframe, **asked), "asked twice"  # type: ignore[arg-type]
    return told


def put(*candles: Candle) -> Change:
    def change(store: Store) -> None:
        store.put_candles(candles)
        drain(store)

    return change


def lease(store: Store) -> object:
    return store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=1)


def give_up(store: Store) -> None:
    (gap,) = store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=1)
    store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=NOON, reason="gone")


def confirm_silence(store: Store) -> None:
    store.mark_empty(BTC, M1, [span(12, 13)])
    drain(store)


CHANGES: dict[str, Change] = {
    "a hole is repaired": put(candle(12)),
    "a candle is corrected": put(candle(7, "2", source=Source.MANUAL)),
    "a part becomes whole": put(candle(10)),
    "the gap is leased": lease,
    "the gap is given up": give_up,
    "the hole turns out to be silence": confirm_silence,
}
OTHERS: dict[str, Change] = {
    "another instrument": put(candle(7, "2", instrument=ETH, source=Source.MANUAL)),
    "before the span": put(candle(4, "2", source=Source.MANUAL)),
    "at its excluded end": put(candle(15, "2", source=Source.MANUAL)),
    "the same again": put(candle(7)),
    "a lower rank": put(candle(7, "3", source=Source.LIVE)),
    "a gap of another time": lambda store: store.record_gaps(BTC, M1, [span(30, 40)], cause="scan", found_at=NOON),
    "a gap of another instrument": lambda store: store.record_gaps(
        ETH, M1, [span(12, 13)], cause="scan", found_at=NOON
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_a_page_changes_its_version(store: Store, change: Change) -> None:
    before = version(store)
    change(store)
    assert version(store) != before


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_a_write_elsewhere_leaves_the_version_alone(store: Store, change: Change) -> None:
    before = version(store)
    change(store)
    assert version(store) == before


def test_a_second_revision_beside_a_third_is_told(store: Store) -> None:
    for rank, price in ((Source.PROVEN, "3"), (Source.MANUAL, "2")):
        store.put_candles([candle(7, price, source=rank)])
    before = version(store)
    store.put_candles([candle(6, "2", source=Source.MANUAL)])
    after = version(store)
    assert before.split("-")[:2] == after.split("-")[:2], "neither the count nor the highest revision moved"
    assert before != after


def test_a_coarser_candle_that_is_repaired_changes_its_version(store: Store) -> None:
    before = version(store, 0, 60, timeframe=H1)
    put(candle(12))(store)
    assert version(store, 0, 60, timeframe=H1) != before


def test_a_page_of_the_newest_does_not_care_for_older_ones(store: Store) -> None:
    before = version(store, None, None, limit=5, newest_first=True)
    put(candle(7, "2", source=Source.MANUAL))(store)
    assert version(store, None, None, limit=5, newest_first=True) == before
    put(candle(20))(store)
    assert version(store, None, None, limit=5, newest_first=True) != before


def test_nothing_at_all_has_a_version_too(store: Store) -> None:
    nothing = version(store, 300, 310)
    put(candle(305))(store)
    assert version(store, 300, 310) != nothing


def test_equal_histories_have_equal_pages_whenever_they_have_equal_versions(store: Store) -> None:
    random = Random(5)
    candles, empty = a_history(random)
    pages: dict[str, object] = {}
    for _ in range(12):
        store.put_candles(random.sample(candles, 25))
        store.mark_empty(BTC, M1, random.sample(empty, min(3, len(empty))))
        drain(store)
        page = store.read_candles(BTC, M1, start=MONDAY, end=MONDAY + 30 * MINUTE, limit=100, settled=NOON)
        assert pages.setdefault(page.version, page) == page


def test_whoever_is_unknown_has_no_version(store: Store) -> None:
    with pytest.raises(NotFound):
        store.candles_version(UNKNOWN, M1, start=None, end=None, limit=1, settled=NOON)
    with pytest.raises(RequestInvalid):
        store.candles_version(BTC, M1, start=None, end=None, limit=10_001, settled=NOON)


def test_a_candle_that_comes_back_with_other_prices_has_another_version() -> None:
    store = MemoryStore()
    store.put_instruments([BTC])
    store.put_candles([candle(7)])
    other = MemoryStore()
    other.put_instruments([BTC])
    other.put_candles([replace(candle(7), high=candle(7).high * 2)])
    assert version(store) != version(other)
