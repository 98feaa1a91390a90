"""What ended long ago is forgotten; what a scan still needs to know is not."""

from datetime import timedelta

from marketdata.clock import FakeClock
from marketdata.jobs.forget_old import Retention, forget_old
from marketdata.jobs.scan_gaps import gap_scan
from marketdata.model.gap import GapState
from marketdata.model.job_run import RunState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore

from tests.market import BTC, MINUTE, a_store, at

NOON = at("12:00")
DAY = timedelta(days=1)
YEAR = timedelta(days=365)


def give_up(store: MemoryStore) -> None:
    """One gap of an hour ago becomes unrecoverable at noon."""
    hour_ago = Span(at("11:00"), at("11:05"))
    store.record_gaps(BTC, M1, [hour_ago], cause="scan", found_at=NOON)
    (gap,) = store.claim_gaps("w", now=NOON, lease_seconds=60, limit=1)
    store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=NOON, reason="gone")


def test_runs_are_kept_for_a_month() -> None:
    store = MemoryStore()
    run = store.start_run("gap_scan", worker="w", now=NOON, lease_seconds=60, trigger="cron")
    store.finish_run(run, now=NOON, state=RunState.SUCCEEDED, result={})
    assert forget_old(store, NOON + 30 * DAY, YEAR, Retention()).runs == 0
    assert forget_old(store, NOON + 30 * DAY + MINUTE, YEAR, Retention()).runs == 1


def test_what_cannot_be_recovered_is_remembered_while_its_time_is_wanted() -> None:
    store = a_store()
    give_up(store)
    assert forget_old(store, NOON + 401 * DAY, 500 * DAY, Retention()).gaps == 0
    assert forget_old(store, NOON + 401 * DAY, YEAR, Retention()).gaps == 1
    assert store.gaps(limit=10) == []


def test_the_scan_forgets_as_it_is_told() -> None:
    store = a_store()
    give_up(store)
    later = NOON + 3 * DAY
    hasty = Retention(gaps=DAY)
    result = gap_scan(store, FakeClock(later), later + MINUTE, history=2 * DAY, retention=hasty)
    assert result["forgotten"] == {"gaps": 1, "runs": 0, "alerts": 0}
