"""The tables that other programs read, as they know them: names, columns, and one market a name."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.migrations.database import START, Database, minute

FOREX = ("1m", "5m", "15m", "1h", "4h", "12h")


def columns(database: Database, view: str) -> list[str]:
    found = database.rows(
        "select column_name from information_schema.columns where table_name = %s order by ordinal_position", view
    )
    return [str(row[0]) for row in found]


@pytest.fixture
def euro(database: Database) -> Database:
    """EURUSD of Dukascopy, its ask as another instrument, and five minutes of it, rolled up."""
    database.run(
        "insert into instruments (exchange, symbol, base, quote, calendar) values"
        " ('dukascopy', 'EURUSD', 'EUR', 'USD', 'fx'), ('dukascopy', 'EURUSD:ask', 'EUR', 'USD', 'fx')"
    )
    database.put([minute(index, quote_volume=None, taker_buy_volume=None) for index in range(5)])
    database.drain()
    return database


def test_crypto_candles_have_a_ticker_and_dollar_volume(market: Database) -> None:
    market.put([minute(0, volume=Decimal("2"), quote_volume=Decimal("130000.50"))])
    assert columns(market, "crypto_candles") == ["ticker", "timestamp", "open", "high", "low", "close", "volume"]
    assert market.rows('select ticker, "timestamp", open, volume from crypto_candles') == [
        ("BTC-USD", START, Decimal("100"), Decimal("130000.50"))
    ]


def test_a_cheap_coin_keeps_its_digits(market: Database) -> None:
    cheap: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), Decimal("0.00001234"))
    market.put([minute(0, **cheap)])
    assert market.value("select close from crypto_candles") == Decimal("0.00001234")


def test_a_name_stands_for_one_market_the_one_known_here_longest(market: Database) -> None:
    market.run(
        "insert into instruments (exchange, symbol, base, quote, simulated) values"
        " ('bitfinex', 'tBTCUSD', 'BTC', 'USD', false), ('a-simulated', 'BTC-USD', 'BTC', 'USD', true)"
    )
    market.put([minute(0)])
    market.put([minute(0)], instrument=2)
    market.put([minute(0)], instrument=3)
    assert market.value("select count(*) from crypto_candles") == 1
    market.run("update instruments set active = false where id = 1")
    assert market.value("select exchange from market_names") == "bitfinex"


def test_ohlc_1m_has_a_row_a_minute(market: Database) -> None:
    market.put([minute(0), minute(1)])
    assert columns(market, "ohlc_1m") == ["symbol", "ts", "open", "high", "low", "close", "volume"]
    assert market.rows("select symbol, ts from ohlc_1m order by ts") == [
        ("BTCUSD", START),
        ("BTCUSD", START + timedelta(minutes=1)),
    ]


def put_ticks(database: Database, *prices: str) -> None:
    database.value("select ensure_partitions_v1(%s, %s)", START, START + timedelta(days=1))
    for number, price in enumerate(prices):
        database.run(
            "insert into ticks (instrument_id, taker_buy, time, trade_id, price, size) values (1, true, %s, %s, %s, 2)",
            START + timedelta(seconds=number),
            number,
            price,
        )


def test_metrics_1m_has_the_figures_of_a_minute(market: Database) -> None:
    market.put([minute(0, volume=Decimal("4"), quote_volume=Decimal("404"))])
    put_ticks(market, "100", "102.5")
    assert columns(market, "metrics_1m") == ["symbol", "ts", "min", "max", "avg", "vwap", "volume", "last"]
    assert market.rows("select min, max, avg, vwap, volume, last from metrics_1m") == [
        (Decimal("99.75"), Decimal("101.5"), Decimal("101.25"), Decimal("101"), Decimal("4"), Decimal("100.125"))
    ]


def test_a_minute_whose_ticks_are_not_kept_has_no_mean(market: Database) -> None:
    market.put([minute(0, quote_volume=None)])
    assert market.rows("select avg, vwap from metrics_1m") == [(None, None)]


def test_ticks_recent_are_the_newest_hundred_of_each_market(market: Database) -> None:
    put_ticks(market, *(str(100 + number) for number in range(103)))
    found = market.rows("select symbol, ts, price, volume from ticks_recent")
    assert len(found) == 100
    assert found[0] == ("BTCUSD", START + timedelta(seconds=102), Decimal("202"), Decimal("2"))
    for view in ("ticks_history", "ticks_raw"):
        assert market.value(f"select count(*) from {view}") == 103
    assert market.rows("select exchange, symbol, taker_buy from ticks_raw limit 1") == [("coinbase", "BTC-USD", True)]


@pytest.mark.parametrize("timeframe", FOREX)
def test_forex_candles_of_each_timeframe(euro: Database, timeframe: str) -> None:
    view = f"forex_candles_{timeframe}"
    assert columns(euro, view) == ["symbol", "time", "open", "high", "low", "close", "volume"]
    found = euro.rows(f"select symbol, time from {view} order by time")
    assert found[0] == ("EURUSD", START)
    assert len(found) == (5 if timeframe == "1m" else 1)


def test_market_ticks_have_ask_and_bid(euro: Database) -> None:
    euro.run("create table parts.quotes_test partition of quotes for values from ('2026-11-01Z') to ('2026-12-01Z')")
    euro.run("insert into quotes (instrument_id, time, bid, ask) values (1, %s, 1.08650, 1.08656)", START)
    assert columns(euro, "market_ticks") == ["time", "symbol", "ask", "bid"]
    assert euro.rows("select * from market_ticks") == [(START, "EURUSD", Decimal("1.08656"), Decimal("1.08650"))]
    euro.run("drop table parts.quotes_test")
