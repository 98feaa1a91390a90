"""Coverage is what the rows say: after deletes by itself, after what goes past the triggers by the audit."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from marketdata.model.candle import Source
from marketdata.model.timeframe import M1, timeframe_named

from tests.migrations.database import START, Database, minute, span

M5 = timeframe_named("5m")
MONTH_END = START + timedelta(days=20)


def audit(database: Database, *, repair: bool = True) -> list[tuple[int, int, int, bool]]:
    """(minutes of the timeframe, first minute, last minute, whether it is held) of every fault."""
    found: dict[str, Any] = database.value(
        "select audit_coverage_v1(1::smallint, %s, %s, %s)", START - timedelta(days=10), MONTH_END, repair
    )
    zero = int(START.timestamp())
    edges = [[(edge // 1_000_000 - zero) // 60 for edge in found[name]] for name in ("start", "end")]
    assert found["total"] == len(found["start"])
    return list(zip(found["timeframe"], *edges, found["held"], strict=True))


def past_the_triggers(database: Database, statement: bytes) -> None:
    database.connection.execute(
        b"set session_replication_role = replica; " + statement + b"; set session_replication_role = origin"
    )


@pytest.fixture
def hour(market: Database) -> Database:
    """An hour of minutes, drained."""
    market.put([minute(number) for number in range(60) if number != 30])
    market.mark_empty(span(30, 31))
    market.drain()
    return market


def test_a_sound_database_has_no_faults(hour: Database) -> None:
    assert audit(hour) == []
    assert hour.queued() == 0


def test_deleted_candles_are_covered_no_more(hour: Database) -> None:
    hour.run("delete from candles where timeframe = 1 and open_time < %s", START + timedelta(minutes=7))
    hour.drain()
    assert hour.coverage(M1)[0] == [span(7, 30), span(31, 60)]
    assert hour.coverage(M5)[0] == [span(10, 60)]
    assert audit(hour) == []


def test_candles_that_went_past_the_triggers_are_told_and_the_next_drain_repairs(hour: Database) -> None:
    past_the_triggers(hour, b"delete from candles where timeframe = 1 and open_time < '2026-11-23 00:05Z'")
    assert audit(hour, repair=False) == [(1, 0, 5, False)]
    assert hour.queued() == 0
    assert audit(hour) == [(1, 0, 5, False)]
    assert hour.queued() == 1
    hour.drain()
    assert hour.coverage(M1)[0] == [span(5, 30), span(31, 60)]
    assert hour.coverage(M5)[0] == [span(5, 60)]
    assert audit(hour) == []


def test_candles_that_came_past_the_triggers_are_told_and_covered(hour: Database) -> None:
    past_the_triggers(
        hour,
        b"insert into candles (instrument_id, timeframe, open_time, open, high, low, close, volume, source)"
        b" values (1, 1, '2026-11-23 00:30Z', 1, 1, 1, 1, 1, 3), (1, 1, '2026-11-25Z', 1, 1, 1, 1, 1, 3)",
    )
    assert audit(hour) == [(1, 30, 31, True), (1, 2_880, 2_881, True)]
    hour.drain()
    assert hour.coverage(M1) == ([span(0, 60), span(2_880, 2_881)], [])
    assert audit(hour) == []


def test_a_coarser_candle_that_is_lost_is_made_again(hour: Database) -> None:
    past_the_triggers(hour, b"delete from candles where timeframe = 5 and open_time = '2026-11-23 00:10Z'")
    assert audit(hour) == [(5, 10, 15, False)]
    hour.drain()
    assert len(hour.candles(M5)) == 12
    assert audit(hour) == []


def test_time_that_waits_in_the_queue_is_no_fault(hour: Database) -> None:
    hour.put([minute(number, source=Source.VENUE) for number in range(60, 90)])
    assert audit(hour) == []
    assert hour.queued() == 1


def test_too_long_a_span_is_refused(market: Database) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="at most 32 days"):
        market.value("select audit_coverage_v1(1::smallint, %s, %s)", START, START + timedelta(days=33))
