"""Questions for runs: each once, newest first, of those that are asked about."""

import json
from dataclasses import replace
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import RequestInvalid
from marketdata.jobs.query_jobs import query_jobs
from marketdata.model.job_run import RunState, Scope
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.serve.cursor import Cursors
from marketdata.serve.params import RunQuery
from marketdata.store.memory import MemoryStore

from tests.market import MINUTE, at

NOON = at("12:00")
CURSORS = Cursors("a secret")


def a_list(count: int = 5) -> MemoryStore:
    """Runs that began a minute apart and took half of one; the last still runs."""
    store = MemoryStore()
    for number in range(count):
        began, kind = NOON + number * MINUTE, ("gap_scan", "backfill")[number % 2]
        run = store.start_run(
            kind, worker=f"w{number}", now=began, lease_seconds=60, trigger="schedule", scheduled_time=began
        )
        if number < count - 1:
            store.finish_run(run, now=began + MINUTE / 2, state=RunState.SUCCEEDED, result={"recorded": number})
    return store


def ask(store: MemoryStore, query: RunQuery, minutes_later: int = 4) -> dict[str, Any]:
    clock = FakeClock(NOON + minutes_later * MINUTE)
    answer: dict[str, Any] = json.loads(query_jobs(store, CURSORS, clock, query))
    return answer


def test_a_run_is_told_with_what_came_of_it() -> None:
    (newest, before, *_) = ask(a_list(), RunQuery())["data"]
    assert before == {
        "id": 4,
        "kind": "backfill",
        "trigger": "schedule",
        "state": "succeeded",
        "exchange": None,
        "symbol": None,
        "timeframe": None,
        "start": None,
        "end": None,
        "scheduled_time": "2026-08-09T12:03:00Z",
        "started_at": "2026-08-09T12:03:00Z",
        "finished_at": "2026-08-09T12:03:30Z",
        "seconds": 30.0,
        "result": {"recorded": 3},
        "error": "",
    }
    assert (newest["state"], newest["finished_at"], newest["seconds"]) == ("running", None, None)


def test_a_run_that_was_killed_is_told_as_lost() -> None:
    answer = ask(a_list(), RunQuery(states=(RunState.LOST,)), minutes_later=5)
    assert [run["id"] for run in answer["data"]] == [5]
    assert answer["meta"]["as_of"] == "2026-08-09T12:05:00Z"


def test_what_a_run_is_about_is_told() -> None:
    store, span = MemoryStore(), Span(NOON, NOON + MINUTE)
    scope = Scope("coinbase", "BTC-USD", M1, span)
    store.start_run("backfill", worker="w", now=NOON, lease_seconds=60, trigger="operator", scope=scope)
    (run,) = ask(store, RunQuery())["data"]
    assert [run[name] for name in ("exchange", "symbol", "timeframe", "start", "end")] == [
        "coinbase",
        "BTC-USD",
        "1m",
        "2026-08-09T12:00:00Z",
        "2026-08-09T12:01:00Z",
    ]


def test_pages_bring_each_run_once_though_others_begin_in_between() -> None:
    store, query, seen = a_list(5), RunQuery(limit=2), list[int]()
    for worker in ("x", "y", "z"):
        answer = ask(store, query)
        seen += [run["id"] for run in answer["data"]]
        query = replace(query, cursor=answer["next_cursor"])
        store.start_run("roll_up", worker=worker, now=NOON, lease_seconds=60, trigger="cron")
    assert (seen, query.cursor) == ([5, 4, 3, 2, 1], None)


def test_a_cursor_continues_its_own_question_only() -> None:
    store = a_list()
    cursor = ask(store, RunQuery(limit=1))["next_cursor"]
    with pytest.raises(RequestInvalid, match="another question"):
        ask(store, RunQuery(kind="backfill", limit=1, cursor=cursor))
