"""What cannot be is refused by the database itself, whoever writes it."""

from typing import Any

import psycopg
import pytest
from marketdata.model.timeframe import TIMEFRAMES

from tests.migrations.database import START, Database

GOOD_CANDLE: dict[str, Any] = {
    "instrument_id": 1,
    "timeframe": 1,
    "open_time": START,
    "source": 4,
    "open": "100",
    "high": "110",
    "low": "90",
    "close": "105",
    "volume": "0",
    "quote_volume": None,
    "taker_buy_volume": None,
    "trades": None,
    "first_id": None,
    "last_id": None,
}
GOOD_TICK: dict[str, Any] = {
    "instrument_id": 1,
    "time": START,
    "trade_id": 1,
    "price": "1",
    "size": "1",
    "taker_buy": True,
}
ENDLESS = ("NaN", "Infinity")


def insert(database: Database, table: str, row: dict[str, Any]) -> None:
    query = psycopg.sql.SQL("insert into {} ({}) values ({})").format(
        psycopg.sql.Identifier(table),
        psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, row)),
        psycopg.sql.SQL(", ").join(map(psycopg.sql.Placeholder, row)),
    )
    database.connection.execute(query, row)


def test_a_candle_of_every_timeframe_and_of_the_cheapest_coin_is_possible(market: Database) -> None:
    for timeframe in TIMEFRAMES:
        insert(market, "candles", {**GOOD_CANDLE, "timeframe": timeframe.minutes})
    tiny = {**dict.fromkeys(("open", "high", "low", "close"), "0.000000000000000001"), "volume": "123456789012345678.9"}
    insert(market, "candles", {**GOOD_CANDLE, **tiny, "open_time": "2026-11-23 00:01Z"})
    assert market.value("select count(*) from candles") == 9


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        *(({field: value}, "prices_are_possible") for field in ("open", "high", "low", "close") for value in ENDLESS),
        *(({field: "0"}, "prices_are_possible") for field in ("open", "high", "low", "close")),
        ({"low": "-1"}, "prices_are_possible"),
        ({"high": "89"}, "prices_are_possible"),
        ({"high": "104"}, "prices_are_possible"),
        ({"low": "101"}, "prices_are_possible"),
        *(({"volume": value}, "volumes_are_possible") for value in (*ENDLESS, "-1")),
        *(({"quote_volume": value}, "volumes_are_possible") for value in (*ENDLESS, "-1")),
        *(({"volume": "1", "taker_buy_volume": value}, "volumes_are_possible") for value in (*ENDLESS, "-1", "1.1")),
        ({"trades": -1}, "counts_are_possible"),
        ({"first_id": 8, "last_id": 7}, "counts_are_possible"),
        ({"open_time": "2026-11-23 00:00:30Z"}, "buckets_are_aligned"),
        ({"timeframe": 5, "open_time": "2026-11-23 00:01Z"}, "buckets_are_aligned"),
        ({"timeframe": 240, "open_time": "2026-11-23 01:00Z"}, "buckets_are_aligned"),
        ({"timeframe": 1440, "open_time": "2026-11-23 12:00Z"}, "buckets_are_aligned"),
        ({"timeframe": 10080, "open_time": "2026-11-24 00:00Z"}, "buckets_are_aligned"),
        ({"timeframe": 60, "open_time": "infinity"}, "buckets_are_aligned"),
        ({"observed_at": "infinity"}, "observed_at_some_time"),
        ({"source": 0}, "source_is_a_rank"),
        ({"source": 6}, "source_is_a_rank"),
    ],
)
def test_an_impossible_candle_is_refused(market: Database, changes: dict[str, Any], constraint: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refusal:
        insert(market, "candles", {**GOOD_CANDLE, **changes})
    assert refusal.value.diag.constraint_name == constraint


def test_a_candle_cannot_be_made_impossible_afterwards(market: Database) -> None:
    insert(market, "candles", GOOD_CANDLE)
    with pytest.raises(psycopg.errors.CheckViolation, match="prices_are_possible"):
        market.run("update candles set source = 5, high = 'NaN'")


@pytest.mark.parametrize("timeframe", [2, 30])
def test_a_timeframe_that_there_is_not_has_no_place(market: Database, timeframe: int) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="no partition"):
        insert(market, "candles", {**GOOD_CANDLE, "timeframe": timeframe})


@pytest.mark.parametrize(("table", "row"), [("candles", GOOD_CANDLE), ("ticks", {**GOOD_TICK, "time": "now"})])
def test_what_belongs_to_no_instrument_is_refused(market: Database, table: str, row: dict[str, Any]) -> None:
    insert(market, table, row)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        insert(market, table, {**row, "instrument_id": 77})


@pytest.mark.parametrize(
    "changes",
    [
        *({field: value} for field in ("price", "size") for value in (*ENDLESS, "0", "-1")),
        {"count": 0},
    ],
    ids=str,
)
def test_an_impossible_trade_is_refused(market: Database, changes: dict[str, Any]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="trades_are_possible"):
        insert(market, "ticks", {**GOOD_TICK, "time": "now", **changes})


@pytest.mark.parametrize("timeframes", [[5], [1, 2], [1, None], []], ids=str)
def test_an_instrument_keeps_minutes_and_nothing_that_there_is_not(
    database: Database, timeframes: list[int | None]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(
            database,
            "instruments",
            {"exchange": "x", "symbol": "A-B", "base": "A", "quote": "B", "timeframes": timeframes},
        )


def test_an_instrument_with_history_stays_and_one_without_goes(market: Database) -> None:
    insert(market, "candles", GOOD_CANDLE)
    market.drain()
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="coinbase BTC-USD has history"):
        market.run("delete from instruments")
    market.run("delete from candles where timeframe = 1")
    market.drain()
    market.run("delete from instruments")
    assert market.value("select count(*) from coverage") == 0


def test_saying_an_instrument_again_spends_no_number_and_wakes_nobody(database: Database) -> None:
    put = (
        "insert into instruments (exchange, symbol, base, quote) values ('x', %s, 'A', 'B')"
        " on conflict (exchange, symbol) do update set base = excluded.base"
    )
    for _ in range(3):
        database.run(put, "A-B")
    database.run(put, "C-D")
    found = database.rows("select id, symbol, updated_at = created_at from instruments order by id")
    assert found == [(1, "A-B", True), (2, "C-D", True)]
