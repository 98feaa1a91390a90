"""OANDA's pricing stream and REST candles: lines and bodies as its documentation gives them."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.oanda import CANDLES_A_REQUEST, OandaPricing, OandaRecording, OandaRest, read_refusal
from marketdata.jobs.candle_page import read_page
from marketdata.model.candle import Source
from marketdata.model.events import Heartbeat, Ignored, Malformed, Refused, Subscribed
from marketdata.model.quote import Quote
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe, timeframe_named
from marketdata.model.times import EPOCH

from tests.captures import FOLDER, needs_captures

STREAM = OandaPricing(account="101-001-1-1")
REST = OandaRest()
START = datetime(2024, 1, 15, tzinfo=UTC)
PRICE: dict[str, Any] = {
    "type": "PRICE",
    "instrument": "EUR_USD",
    "time": "2016-10-27T08:38:45.664613867Z",
    "status": "tradeable",
    "bids": [{"price": "1.09175", "liquidity": 10000000}, {"price": "1.09177", "liquidity": 10000000}],
    "asks": [{"price": "1.09188", "liquidity": 10000000}, {"price": "1.09190", "liquidity": 10000000}],
    "closeoutBid": "1.09173",
    "closeoutAsk": "1.09192",
}
ROW: dict[str, Any] = {
    "complete": True,
    "volume": 132,
    "time": "2024-01-15T00:00:00.000000000Z",
    "mid": {"o": "10503.8", "h": "10508.0", "l": "10503.0", "c": "10506.0"},
    "bid": {"o": "1", "h": "2", "l": "1", "c": "2"},
}


def line(**changes: Any) -> str:
    return json.dumps({**PRICE, **changes})


def answer(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"instrument": "EUR_USD", "granularity": "M1", "candles": rows}).encode()


def test_a_price_is_a_quote_of_the_best_bid_and_ask_to_the_nanosecond() -> None:
    time_ns = int(datetime(2016, 10, 27, 8, 38, 45, tzinfo=UTC).timestamp()) * 10**9 + 664_613_867
    expected = Quote("EUR_USD", time_ns, Decimal("1.09177"), Decimal("1.09188"))
    assert STREAM.decode(line(), None) == (expected,)
    assert STREAM.decode(line(novelty=[1]).encode(), None) == (expected,)


@pytest.mark.parametrize("changes", [{"tradeable": False}, {"status": "non-tradeable"}, {"bids": []}, {"asks": []}])
def test_a_price_that_nobody_can_deal_at_is_passed_over(changes: dict[str, Any]) -> None:
    (event,) = STREAM.decode(line(**changes), None)
    assert isinstance(event, Ignored)


def test_heartbeats_and_what_the_door_says_are_understood() -> None:
    assert STREAM.decode('{"type":"HEARTBEAT","time":"1970-01-01T00:00:01Z"}', None) == (Heartbeat(None, None, 10**9),)
    assert STREAM.decode('{"type":"SUBSCRIBED","symbols":["B","A"]}', None) == (Subscribed(("A", "B")),)
    assert STREAM.decode('{"type":"REFUSED","reason":"HTTP 401"}', None) == (Refused("HTTP 401"),)
    assert STREAM.decode('{"type":"NOVELTY"}', None) == (Ignored("NOVELTY"),)


def test_a_recorded_chunk_may_hold_several_lines_and_a_broken_one_costs_itself() -> None:
    chunk = f'{line()}\n{{"type":"PRICE"\n\n{line(instrument="USD_JPY")}\n'
    kinds = [type(one) for one in OandaRecording().decode(chunk, None)]
    assert kinds == [Quote, Malformed, Quote]
    assert OandaRecording().decode(line() + "\n", None) == STREAM.decode(line(), None)


@pytest.mark.parametrize(
    "broken",
    ["", "{", "[]", '{"type":1}', line(time="yesterday"), line(bids=[{"price": "0"}]), line(asks=[{"price": "NaN"}])],
)
def test_a_broken_line_is_malformed(broken: str) -> None:
    with pytest.raises(RemoteMalformed):
        STREAM.decode(broken, None)


ANYTHING = st.none() | st.text() | st.integers()


@given(
    st.text(max_size=80) | st.builds(lambda key, value: line(**{key: value}), st.sampled_from(list(PRICE)), ANYTHING)
)
def test_whatever_the_line_nothing_but_malformed_is_raised(text: str) -> None:
    try:
        STREAM.decode(text, None)
    except RemoteMalformed:
        return


def test_the_stream_asks_for_all_instruments_in_one_address_without_the_token() -> None:
    request = STREAM.stream_request(["EUR_USD", "USD_JPY"])
    assert request.path == "/v3/accounts/101-001-1-1/pricing/stream"
    assert dict(request.query) == {"instruments": "EUR_USD,USD_JPY", "snapshot": "true"}


def test_candles_are_asked_for_in_days_of_utc_and_no_more_than_allowed_at_once() -> None:
    span = Span(START, START + timedelta(minutes=CANDLES_A_REQUEST + 1))
    first, second = REST.candle_requests("EUR_USD:ask", M1, span)
    query = dict(first.query)
    assert first.path == "/v3/instruments/EUR_USD/candles"
    assert (query["price"], query["granularity"], query["alignmentTimezone"]) == ("A", "M1", "UTC")
    assert (query["dailyAlignment"], query["weeklyAlignment"]) == ("0", "Monday")
    assert query["to"] == dict(second.query)["from"]
    assert dict(first.headers) == {"Accept-Datetime-Format": "RFC3339"}


def test_a_timeframe_that_oanda_has_not_is_refused() -> None:
    with pytest.raises(RequestInvalid):
        REST.candle_requests("EUR_USD", Timeframe("7m", 7), Span(START, START + timedelta(days=1)))


def test_the_symbol_says_which_price_a_candle_is_of() -> None:
    (middle,) = REST.parse_candles(answer(ROW), "EUR_USD", M1, EPOCH)
    (bid,) = REST.parse_candles(answer(ROW), "EUR_USD:bid", M1, EPOCH)
    assert (middle.open, bid.open) == (Decimal("10503.8"), Decimal(1))
    assert (middle.trades, middle.volume, middle.source) == (132, Decimal(132), Source.VENUE)
    with pytest.raises(RemoteMalformed, match="no ask prices"):
        REST.parse_candles(answer(ROW), "EUR_USD:ask", M1, EPOCH)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (
            401,
            b'{"errorMessage":"Insufficient authorization"}',
            "Insufficient authorization (OANDA_TOKEN, OANDA_ACCOUNT)",
        ),
        (400, b'{"errorMessage":"Invalid value","code":1}', "Invalid value"),
        (503, b'{"errorMessage":"Service Unavailable"}', None),
        (403, b"<html>", None),
    ],
)
def test_a_refusal_says_whose_move_it_is(status: int, body: bytes, reason: str | None) -> None:
    refused = read_refusal(status, body)
    assert (refused.reason if refused else None) == reason


def test_an_incomplete_candle_is_partial() -> None:
    (candle,) = REST.parse_candles(answer({**ROW, "complete": False}), "EUR_USD", M1, EPOCH)
    assert candle.source is Source.PARTIAL


@pytest.mark.parametrize("time", ["2024-01-14T22:00:00Z", "2024-07-14T21:00:00Z"])
def test_a_day_that_begins_at_17_00_new_york_is_not_taken_for_one_of_utc(time: str) -> None:
    with pytest.raises(RemoteMalformed, match="UTC"):
        REST.parse_candles(answer({**ROW, "time": time}), "EUR_USD", timeframe_named("1d"), EPOCH)


@pytest.mark.parametrize("changes", [{"volume": -1}, {"mid": {"o": "1", "h": "1", "l": "2", "c": "1"}}, {"time": "x"}])
def test_a_candle_that_cannot_be_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(RemoteMalformed):
        REST.parse_candles(answer({**ROW, **changes}), "EUR_USD", M1, EPOCH)


def test_one_impossible_candle_costs_itself_and_not_the_answer() -> None:
    later = {**ROW, "time": "2024-01-15T00:01:00Z", "novelty": {"o": 1}}
    page = read_page(REST, answer({**ROW, "mid": {"o": "0", "h": "0", "l": "0", "c": "0"}}, later), "EUR_USD", EPOCH)
    assert [one.open_time.minute for one in page.candles] == [1]
    assert len(page.quarantined) == 1
    with pytest.raises(RemoteMalformed):
        read_page(REST, b'{"candles":[1,2]}', "EUR_USD", EPOCH)


@needs_captures
def test_documented_answers_are_read() -> None:
    lines = (FOLDER / "oanda/v20_pricing_stream.ndjson").read_text().splitlines()
    kinds = [type(STREAM.decode(one, None)[0]) for one in lines]
    assert kinds == [Quote, Heartbeat, Quote, Quote]
    body = json.loads((FOLDER / "oanda/v20_sample_responses.json").read_text())["_v3_instruments_instrument_candles"]
    candles = REST.parse_candles(json.dumps(body["response"]).encode(), "DE30_EUR", timeframe_named("5m"), EPOCH)
    assert [(one.close, one.trades) for one in candles][:2] == [(Decimal("10506.0"), 132), (Decimal("10504.9"), 162)]
