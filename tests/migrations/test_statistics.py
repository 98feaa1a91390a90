"""Statistics in the database: what it refuses, whatever the writer, and the tables under the names of others."""

from typing import LiteralString

import psycopg
import pytest

from tests.migrations.database import Database

SNAPSHOT: LiteralString = """
insert into market_snapshots (instrument_id, formula_version, n, as_of, price, roi_24h, coverage)
values (%s, 1, 288, %s, %s, %s, 1)
"""
COMPARISON: LiteralString = """
insert into market_comparisons (first_id, second_id, formula_version, n, as_of, price_ratio, coverage)
values (%s, %s, 1, 288, '2026-11-23Z', 2, 1)
"""


def test_numbers_of_any_size_fit(market: Database) -> None:
    for minute, price in ((0, "0.000000000000000000000000000001"), (15, "9" * 60)):
        market.run(SNAPSHOT, 1, f"2026-11-23 00:{minute:02}Z", price, "1e300")
    kept = [str(row[0]) for row in market.rows("select price::text from market_snapshots order by as_of")]
    assert kept == ["0.000000000000000000000000000001", "9" * 60]


@pytest.mark.parametrize(
    ("as_of", "price", "roi"),
    [
        ("2026-11-23 00:01Z", "1", "0"),
        ("infinity", "1", "0"),
        ("2026-11-23Z", "0", "0"),
        ("2026-11-23Z", "NaN", "0"),
        ("2026-11-23Z", "Infinity", "0"),
        ("2026-11-23Z", "1", "-1.1"),
        ("2026-11-23Z", "1", "NaN"),
    ],
)
def test_an_impossible_snapshot_is_refused(market: Database, as_of: str, price: str, roi: str) -> None:
    with pytest.raises(psycopg.errors.IntegrityError):
        market.run(SNAPSHOT, 1, as_of, price, roi)


def test_a_pair_is_there_once_whichever_way_round(market: Database) -> None:
    assert market.add_instrument("ETH-USD") == 2
    market.run(COMPARISON, 1, 2)
    with pytest.raises(psycopg.errors.UniqueViolation):
        market.run(COMPARISON, 2, 1)
    with pytest.raises(psycopg.errors.CheckViolation):
        market.run(COMPARISON, 1, 1)


def test_the_tables_of_the_ingestion_pipeline_are_there_under_its_names(market: Database) -> None:
    market.run(SNAPSHOT, 1, "2026-11-23Z", "65000.10", "0.25")
    assert market.add_instrument("ETH-USD") == 2
    market.run(COMPARISON, 1, 2)
    symbol = market.value("select symbol from instruments where id = 1")
    assert market.rows('select symbol, price, "roi24h" from "MarketSnapshot"') == [
        (symbol, market.value("select 65000.10"), market.value("select 0.25"))
    ]
    assert market.value('select "priceRatio" from "MarketComparison"') == 2
    assert market.value('select count(*) from "Market"') == market.value("select count(*) from instruments")
    for name in ("MarketAggregate", "MarketROIStatistic"):
        assert market.rows(psycopg.sql.SQL("select * from {}").format(psycopg.sql.Identifier(name)).as_string()) == []
