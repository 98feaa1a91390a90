"""What clients read: whole columns, exact numbers, in order, and a limit that is never silent."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from marketdata.model.candle import Source

from local.migrate import MIGRATIONS
from tests.migrations.database import START, Database, minute, span

EPOCH_MICROSECONDS = int(START.timestamp()) * 1_000_000
COLUMNS = [
    *("open_time", "open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume"),
    *("trades", "first_id", "last_id", "source", "observed_at", "revision"),
]


def get_candles(database: Database, *arguments: Any) -> dict[str, list[Any]]:
    places = ", ".join(["%s"] * len(arguments))
    found: dict[str, list[Any]] = database.value(
        f"select get_candles_v1(1::smallint, 1::smallint, {places})", *arguments
    )
    return found


def minutes_read(database: Database, *arguments: Any) -> list[int]:
    return [(time - EPOCH_MICROSECONDS) // 60_000_000 for time in get_candles(database, *arguments)["open_time"]]


def test_candles_come_as_columns_with_exact_numbers(market: Database) -> None:
    market.put([minute(0, volume=Decimal("1.50"), quote_volume=None, trades=None, observed_at=START)])
    answer = get_candles(market, None, None, 10, False)
    assert list(answer) == COLUMNS
    assert {name: values for name, values in answer.items() if name not in ("high", "low", "taker_buy_volume")} == {
        "open_time": [EPOCH_MICROSECONDS],
        "open": ["100"],
        "close": ["100.125"],
        "volume": ["1.5"],
        "quote_volume": [None],
        "trades": [None],
        "first_id": [0],
        "last_id": [4],
        "source": [4],
        "observed_at": [EPOCH_MICROSECONDS],
        "revision": [1],
    }


def test_no_candles_are_empty_columns(market: Database) -> None:
    assert get_candles(market, None, None, 10, False) == {name: [] for name in COLUMNS}


def test_a_span_begins_with_its_start_and_stops_before_its_end(market: Database) -> None:
    market.put([minute(index) for index in range(10)])
    start, end = START + timedelta(minutes=2), START + timedelta(minutes=6)
    assert minutes_read(market, start, end, 10, False) == [2, 3, 4, 5]
    assert minutes_read(market, start, end, 3, False) == [2, 3, 4]
    assert minutes_read(market, start, end, 3, True) == [5, 4, 3]
    assert minutes_read(market, None, end, 2, False) == [0, 1]
    assert minutes_read(market, start, None, 2, True) == [9, 8]


def test_newest_and_oldest_are_found_across_months(market: Database) -> None:
    market.put([minute(index) for index in (0, 20 * 1440)])
    assert minutes_read(market, None, None, 10, True) == [20 * 1440, 0]


@pytest.mark.parametrize("limit", [0, 10_001, None])
@pytest.mark.parametrize("function", ["get_candles_v1(1::smallint, 1::smallint", "get_trades_v1(1::smallint"])
def test_a_limit_that_cannot_be_kept_is_refused(market: Database, function: str, limit: int | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="p_limit: between 1 and 10000"):
        market.connection.execute(f"select {function}, null, null, %s)".encode(), (limit,))


def test_trades_come_in_order_of_time_and_id_in_the_exchange_s_own_digits(market: Database) -> None:
    market.value("select ensure_partitions_v1(%s, %s)", START, START + timedelta(days=1))
    market.run(
        "insert into ticks (instrument_id, time, trade_id, price, size, taker_buy, count) values"
        " (1, '2026-11-23 00:00:01.000001Z', 3, '1.10', '0.00000001', true, 2),"
        " (1, '2026-11-23 00:00:01.000001Z', 2, '1', '2', false, 1), (1, '2026-11-23Z', 9, '1', '2', false, 1)"
    )
    assert market.value("select get_trades_v1(1::smallint, '2026-11-23 00:00:01Z', '2026-11-24Z')") == {
        "time": [EPOCH_MICROSECONDS + 1_000_001] * 2,
        "trade_id": [2, 3],
        "price": ["1", "1.10"],
        "size": ["2", "0.00000001"],
        "taker_buy": [False, True],
        "count": [1, 2],
    }
    assert market.value("select get_trades_v1(1::smallint, null, null, 1)")["trade_id"] == [9]


def test_coverage_is_clipped_to_what_was_asked_and_joined_across_months(market: Database) -> None:
    days = 9
    market.put([minute(index) for index in range((days - 2) * 1440, days * 1440)])
    market.mark_empty(span(days * 1440, days * 1440 + 10))
    market.drain()
    assert market.coverage() == ([span((days - 2) * 1440, days * 1440)], [span(days * 1440, days * 1440 + 10)])
    asked = span((days - 1) * 1440 - 5, days * 1440 + 5)
    known = market.value("select get_coverage_v1(1::smallint, 1::smallint, %s, %s)", asked.start, asked.end)
    edges = [(edge - EPOCH_MICROSECONDS) // 60_000_000 for edge in known["covered"][0] + known["empty"][0]]
    assert edges == [(days - 1) * 1440 - 5, days * 1440, days * 1440, days * 1440 + 5]


def test_the_view_calls_things_by_their_names(market: Database) -> None:
    market.run("update instruments set simulated = true")
    market.put([minute(0, source=Source.PARTIAL), minute(1, source=Source.MANUAL)])
    found = market.rows(
        "select exchange, symbol, timeframe, source, simulated, complete from candles_v order by open_time"
    )
    assert found == [
        ("coinbase", "BTC-USD", "1m", "partial", True, False),
        ("coinbase", "BTC-USD", "1m", "manual", True, True),
    ]


def test_the_schema_says_how_far_it_is(market: Database) -> None:
    newest = max(path.name for path in MIGRATIONS.glob("*.sql")).partition("_")[0]
    assert market.value("select schema_version_v1()") == newest
