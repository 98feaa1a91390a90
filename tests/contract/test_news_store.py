"""What is new on the gap ledger and among alerts, over the store in memory and the one in Supabase."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from marketdata.compute.alert_machine import Flapped, Resolved
from marketdata.errors import RequestInvalid
from marketdata.model.alert import Alert, AlertState, Severity, Told
from marketdata.model.alert_book import Book
from marketdata.model.gap import Gap, GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.alerts import AlertChanges
from marketdata.store.memory import MemoryStore
from marketdata.store.news import News
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import BTC, ETH, MINUTE, MONDAY, NOON, span

DOWN = Alert(
    id=uuid4(),
    dedup_key="coinbase:feed.down",
    rule="feed.down",
    severity=Severity.CRITICAL,
    state=AlertState.FIRING,
    summary="coinbase: the feed is not connected",
    created_at=NOON,
    exchange="coinbase",
)


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each kind of store in turn, with two instruments."""
    if request.param == "memory":
        memory = MemoryStore()
        memory.put_instruments([BTC, ETH])
        yield memory
        return
    running: RunningSupabase = request.getfixturevalue("empty_supabase")
    supabase = SupabaseStore(running.url, running.service_key)
    supabase.put_instruments([BTC, ETH])
    yield supabase
    supabase.close()


class Listener:
    """Somebody who asks again and again what is new."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._after = store.news(after=None, limit=1).after

    def hears(self, limit: int = 100) -> News:
        """What changed since it asked last."""
        found = self._store.news(after=self._after, limit=limit)
        self._after = found.after
        return found


def record(store: Store, *spans: Span) -> None:
    store.record_gaps(BTC, M1, spans, cause="scan", found_at=MONDAY)


def lease(store: Store) -> Gap:
    (gap,) = store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=1)
    return gap


def commit(store: Store, **changes: object) -> None:
    desk = store.alert_desk(now=NOON)
    assert store.commit_alerts(desk.version, AlertChanges(Book(), **changes), now=NOON)  # type: ignore[arg-type]


def test_what_was_there_before_the_first_question_is_no_news(store: Store) -> None:
    record(store, span(0, 5))
    commit(store, fired=(DOWN,))
    assert store.news(after=None, limit=10).gaps == ()
    heard = Listener(store).hears()
    assert (heard.gaps, heard.alerts) == ((), ())


def test_a_gap_is_told_when_it_opens_grows_and_is_filled_and_not_when_it_is_leased(store: Store) -> None:
    listener = Listener(store)
    record(store, span(0, 5))
    assert [(gap.span, gap.state) for gap in listener.hears().gaps] == [(span(0, 5), GapState.OPEN)]
    record(store, span(5, 7))
    assert [(gap.span, gap.state) for gap in listener.hears().gaps] == [(span(0, 7), GapState.OPEN)]
    gap = lease(store)
    assert listener.hears().gaps == ()
    store.release_gap(gap, now=NOON, retry_at=NOON, reason="no answer")
    assert listener.hears().gaps == ()
    store.resolve_gap(lease(store), state=GapState.FILLED, now=NOON)
    assert [(gap.span, gap.state) for gap in listener.hears().gaps] == [(span(0, 7), GapState.FILLED)]
    assert listener.hears().gaps == ()


def test_what_is_told_is_what_the_ledger_says(store: Store) -> None:
    listener = Listener(store)
    record(store, span(0, 5), span(10, 15))
    assert list(listener.hears().gaps) == store.gaps(limit=10)


def test_a_gap_that_changes_between_two_questions_is_told_once_as_it_is(store: Store) -> None:
    listener = Listener(store)
    record(store, span(0, 5))
    store.release_gap(lease(store), now=NOON, retry_at=NOON, reason="", remaining=[span(3, 5)])
    told = sorted((gap.span, gap.state) for gap in listener.hears().gaps)
    assert told == [(span(0, 3), GapState.FILLED), (span(3, 5), GapState.OPEN)]


def test_a_gap_that_was_merged_into_another_is_not_told_again(store: Store) -> None:
    listener = Listener(store)
    record(store, span(0, 5), span(6, 9))
    record(store, span(5, 6))
    assert [gap.span for gap in listener.hears().gaps] == [span(0, 9)]


def test_a_gap_that_is_given_up_is_told_with_its_alert(store: Store) -> None:
    listener = Listener(store)
    record(store, span(0, 5))
    store.resolve_gap(lease(store), state=GapState.UNRECOVERABLE, now=NOON, reason="too old")
    heard = listener.hears()
    assert [(gap.state, gap.reason) for gap in heard.gaps] == [(GapState.UNRECOVERABLE, "too old")]
    assert [(alert.rule, alert.state) for alert in heard.alerts] == [("gap.unrecoverable", AlertState.FIRING)]


def test_an_alert_is_told_when_it_fires_flaps_and_ends_and_not_when_targets_are_told(store: Store) -> None:
    listener = Listener(store)
    commit(store, fired=(DOWN,))
    (fired,) = listener.hears().alerts
    assert (fired.id, fired.state) == (DOWN.id, AlertState.FIRING)
    commit(store, told=((DOWN.id, Told.FIRING),))
    assert listener.hears().alerts == ()
    commit(store, flapped=(Flapped(DOWN.id, flapping=True),))
    assert [one.flapping for one in listener.hears().alerts] == [True]
    commit(store, resolved=(Resolved(DOWN.id, NOON + MINUTE),))
    (ended,) = listener.hears().alerts
    assert (ended.state, ended.resolved_at) == (AlertState.RESOLVED, NOON + MINUTE)
    assert listener.hears().alerts == ()


def test_more_news_than_one_answer_holds_comes_in_parts_and_each_once(store: Store) -> None:
    listener = Listener(store)
    record(store, *(span(2 * place, 2 * place + 1) for place in range(7)))
    others = [replace(DOWN, id=uuid4(), dedup_key=f"key {place}") for place in range(3)]
    commit(store, fired=tuple(others))
    heard = [listener.hears(limit=3) for _ in range(4)]
    assert [len(part.gaps) for part in heard] == [3, 3, 1, 0]
    assert sorted(gap.span for part in heard for gap in part.gaps) == [gap.span for gap in store.gaps(limit=10)]
    assert {alert.id for part in heard for alert in part.alerts} == {alert.id for alert in others}
    assert [len(part.alerts) for part in heard] == [3, 0, 0, 0]


def test_the_limit_has_bounds(store: Store) -> None:
    with pytest.raises(RequestInvalid):
        store.news(after=None, limit=10_001)


@pytest.mark.stack
def test_a_gap_whose_transaction_ends_late_is_not_passed_by(empty_supabase: RunningSupabase) -> None:
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([BTC, ETH])
    listener = Listener(store)
    insert = (
        "insert into public.candle_gaps (instrument_id, timeframe, span, cause, found_at)"
        " select id, 1, tstzrange('2026-08-31T00:00Z', '2026-08-31T00:05Z'), 'slow', now()"
        " from public.instruments where symbol = 'ETH-USD'"
    )
    with psycopg.connect(empty_supabase.dsn) as slow:
        slow.execute(insert)
        record(store, span(0, 5))
        assert listener.hears().gaps == ()
        slow.commit()
    assert [gap.cause for gap in listener.hears().gaps] == ["slow", "scan"]
    store.close()
