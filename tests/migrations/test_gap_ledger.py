"""What the database itself refuses of the gap ledger, whoever writes, and what two transactions do to each other."""

from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from marketdata.model.span import Span
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from tests.migrations.database import START, Database, minute, span

NOW = START + timedelta(hours=12)
_INSERT: LiteralString = (
    "insert into candle_gaps (instrument_id, timeframe, span, state, cause, found_at, worker, lease_until, repaired_at)"
    " values (1, 1, %s, %s, 'scan', now(), %s, %s, %s)"
)


def range_of(one: Span) -> Range[Any]:
    return Range(one.start, one.end)


def record(database: Database, *spans: Span) -> int:
    ranges = Multirange([range_of(one) for one in spans])
    return int(database.value("select record_gaps_v2(1::smallint, 1::smallint, %s, 'scan', %s)", ranges, NOW))


def claim(connection: psycopg.Connection[Any], worker: str, limit: int = 1) -> list[int]:
    row = connection.execute("select claim_gaps_v2(%s, %s, 60, %s)", (worker, NOW, limit)).fetchone()
    assert row
    return [gap["id"] for gap in row[0]]


def insert(database: Database, one: Span, state: str = "open") -> None:
    leased, open_ = state == "leased", state in ("open", "leased")
    database.run(
        _INSERT, range_of(one), state, "w" if leased else None, NOW if leased else None, None if open_ else NOW
    )


@pytest.mark.parametrize("state", ["open", "leased"])
def test_two_unresolved_gaps_never_overlap_whoever_writes_them(market: Database, state: str) -> None:
    insert(market, span(0, 10))
    insert(market, span(5, 15), "filled")
    insert(market, span(10, 12), state)
    with pytest.raises(psycopg.errors.ExclusionViolation):
        insert(market, span(9, 10), state)


def test_a_gap_is_whole_buckets_with_an_end(market: Database) -> None:
    second = timedelta(seconds=1)
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(market, Span(START, START + second))
    with pytest.raises(psycopg.errors.CheckViolation):
        market.run(_INSERT, Range(START, None), "open", None, None, None)
    with pytest.raises(psycopg.errors.CheckViolation):
        market.run(_INSERT, Range(START, START, empty=True), "open", None, None, None)
    with pytest.raises(psycopg.errors.CheckViolation):
        market.run(_INSERT, range_of(span(0, 1)), "leased", None, NOW, None)


def test_a_worker_passes_by_what_another_is_just_taking(market: Database) -> None:
    record(market, span(0, 1), span(2, 3), span(4, 5))
    with psycopg.connect(market.dsn) as ann, psycopg.connect(market.dsn) as bob:
        taken = claim(ann, "ann", 2)
        left = claim(bob, "bob", 3)
        assert len(taken) == 2
        assert len(left) == 1
        assert not set(taken) & set(left)


def test_what_is_being_leased_does_not_grow_meanwhile(market: Database) -> None:
    record(market, span(0, 10))
    with psycopg.connect(market.dsn) as ann:
        claim(ann, "ann")
        market.run("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            record(market, span(10, 20))
    assert record(market, span(10, 20)) == 1
    spans = market.rows("select lower(span), upper(span), state from candle_gaps order by 1")
    one, other = span(0, 10), span(10, 20)
    assert spans == [(one.start, one.end, "leased"), (other.start, other.end, "open")]


def test_a_gap_goes_with_its_instrument(market: Database) -> None:
    record(market, span(0, 10))
    market.run("delete from instruments")
    assert market.value("select count(*) from candle_gaps") == 0


def test_a_scan_is_bounded_and_finds_the_newest_first(market: Database) -> None:
    market.run("set session_replication_role = replica")
    market.run("update instruments set created_at = %s", START)
    market.run("set session_replication_role = origin")
    market.put([minute(index) for index in range(0, 20, 2)])
    market.drain()
    found = market.value("select find_gaps_v1(%s, '1 day', '0', null, 3)", START + timedelta(minutes=20))
    starts = [int(span(index, index + 1).start.timestamp() * 1_000_000) for index in (15, 17, 19)]
    assert found["start"] == starts


@pytest.mark.parametrize(
    "question",
    [
        "select find_gaps_v1(now(), '1 day', '0', null, 10001)",
        "select find_gaps_v1('infinity', '1 day', '0')",
        "select find_gaps_v1(null, '1 day', '0')",
        "select get_gaps_v1(null, null, null, 0)",
        "select claim_gaps_v2('w', now(), 60, 10001)",
        "select claim_gaps_v2('w', now(), 86401, 1)",
        "select claim_gaps_v2('', now(), 60, 1)",
        "select claim_gaps_v2('w', null, 60, 1)",
        "select record_gaps_v2(1::smallint, 1::smallint, '{(,)}', 'scan', now())",
        "select record_gaps_v2(1::smallint, 1::smallint, null, 'scan', now())",
        "select resolve_gap_v1(1, 'w', 1, 'open', now())",
        "select release_gap_v2(1, 'w', 1, now(), 'infinity')",
        "select close_covered_gaps_v1(null)",
        "select find_history_v1(now(), '1 day', 10001)",
        "select find_history_v1(null, '1 day')",
    ],
)
def test_a_question_out_of_bounds_is_refused(market: Database, question: LiteralString) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        market.value(question)
