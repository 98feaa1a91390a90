"""The words of services whose clients are still about."""

from datetime import UTC, datetime

import pytest
from marketdata.errors import RequestInvalid, TooLarge
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.serve.decimals import as_number, as_string
from marketdata.serve.old_params import plain_latest_query, plain_query, unix_query, wants_whole
from marketdata.serve.params import candle_query

UNIX = {"symbol": "EURUSD", "timeframe": "1h", "from": "1710918000", "to": "1711004399"}


def test_a_question_in_unix_seconds_includes_its_last_second() -> None:
    query = unix_query(UNIX)
    assert (query.symbol, query.timeframe) == ("EURUSD", timeframe_named("1h"))
    assert query.start == datetime(2024, 3, 20, 7, tzinfo=UTC)
    assert query.end == datetime(2024, 3, 21, 7, tzinfo=UTC)
    assert query.view.number is as_number


def test_the_timeframe_is_an_hour_unless_said_otherwise() -> None:
    assert unix_query({name: value for name, value in UNIX.items() if name != "timeframe"}).timeframe.name == "1h"


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("from", "1710918000000", "from: 1710918000000 looks like milliseconds, did you mean 1710918000?"),
        ("to", "1711004399000000", "to: 1711004399000000 looks like milliseconds, did you mean 1711004399?"),
        ("from", "2024-03-20", "from: '2024-03-20' is not a whole number of Unix seconds"),
        ("from", "-1", "from: '-1' is not a whole number of Unix seconds"),
        ("from", "", "from: is required: Unix seconds, as in from=1710918000"),
        ("to", "1", "to: must not be before from"),
    ],
)
def test_what_is_no_unix_second_is_refused_with_what_may_be_meant(name: str, given: str, why: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        unix_query(UNIX | {name: given})
    assert str(refused.value) == why


def test_one_second_is_a_question() -> None:
    query = unix_query(UNIX | {"to": UNIX["from"]})
    assert query.start is not None
    assert query.end is not None
    assert (query.end - query.start).total_seconds() == 1


def test_a_plain_question_is_half_open_and_in_numbers() -> None:
    query = plain_query(
        {"symbol": "BTCUSD", "exchange": "bitfinex", "tf": "1m", "start": "2026-08-09", "end": "2026-08-10"}
    )
    assert (query.exchange, query.timeframe, query.end) == ("bitfinex", M1, datetime(2026, 8, 10, tzinfo=UTC))
    assert (query.limit, query.view.number) == (10_000, as_number)
    assert plain_query({"symbol": "X", "decimals": "string"}).view.number is as_string


def test_a_plain_question_for_the_latest() -> None:
    query = plain_latest_query({"symbol": "BTCUSD", "timeframe": "5m", "limit": "30"})
    assert (query.limit, query.newest_first, query.timeframe.name) == (30, True, "5m")


def test_who_names_no_limit_wants_all_of_it() -> None:
    assert wants_whole({"symbol": "X"})
    assert not wants_whole({"limit": "5"})
    assert not wants_whole({"cursor": "abc"})


def test_more_rows_than_an_answer_carries_are_refused_with_the_ways_round() -> None:
    with pytest.raises(TooLarge) as refused:
        candle_query({"symbol": "X", "limit": "10001"})
    for way in ("limit", "10,000", "next_cursor", "POST /v1/exports"):
        assert way in str(refused.value)


@pytest.mark.parametrize("indicators", ["sma1", "sma501", "sma", "ema10", "sma10x", "sma2,sma3,sma4,sma5,sma6,sma7"])
def test_an_indicator_that_is_not_had_is_refused(indicators: str) -> None:
    with pytest.raises(RequestInvalid, match="indicators"):
        candle_query({"symbol": "X", "indicators": indicators})
