"""Coinbase's frames and bodies: what is read, what is passed over, what is refused."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.exchanges.coinbase_advanced import CoinbaseAdvanced
from marketdata.exchanges.coinbase_recording import CoinbaseRecording
from marketdata.exchanges.coinbase_rest import CoinbaseRest
from marketdata.exchanges.exchange import FrameDecoder
from marketdata.model.candle import Source
from marketdata.model.events import Event, Heartbeat, Ignored, Malformed, Refused, Subscribed
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

from tests.captures import advanced_trade, exchange_matches, needs_captures, pro_feed

# The shapes of docs.cdp.coinbase.com/exchange/docs/websocket-channels and .../advanced-trade-ws, with invented values.
MATCH = {
    "type": "match",
    "trade_id": 10,
    "sequence": 50,
    "maker_order_id": "ac928c66-ca53-498f-9c13-a110027a60e8",
    "taker_order_id": "132fb6ae-456b-4654-b4e0-d681ac05cea1",
    "time": "2014-11-07T08:19:27.028459Z",
    "product_id": "BTC-USD",
    "size": "5.23512000",
    "price": "400.23",
    "side": "sell",
}
HEARTBEAT = {
    "type": "heartbeat",
    "sequence": 90,
    "last_trade_id": 20,
    "product_id": "BTC-USD",
    "time": "2014-11-07T08:19:28.464459Z",
}
SUBSCRIPTIONS = {
    "type": "subscriptions",
    "channels": [
        {"name": "heartbeat", "product_ids": ["BTC-USD"], "account_ids": None},
        {"name": "matches", "product_ids": ["ETH-USD", "BTC-USD"], "account_ids": None},
    ],
}
ERROR = {"type": "error", "message": "Failed to subscribe", "reason": "DOGE-XXX is not a valid product"}
ADVANCED_TRADE = {
    "trade_id": "995098700",
    "product_id": "BTC-USD",
    "price": "68900.50",
    "size": "0.00150000",
    "side": "BUY",
    "time": "2024-03-22T10:00:00.123456Z",
}
TIME_NS = nanoseconds(datetime(2014, 11, 7, 8, 19, 27, 28459, tzinfo=UTC))


def advanced(*trades: dict[str, Any], kind: str = "update") -> dict[str, Any]:
    return {
        "channel": "market_trades",
        "client_id": "",
        "timestamp": "2024-03-22T10:00:00.2Z",
        "sequence_num": 5,
        "events": [{"type": kind, "trades": list(trades)}],
    }


def read(decoder: FrameDecoder, message: object) -> list[Event]:
    return list(decoder.decode(json.dumps(message).encode(), None))


@pytest.mark.parametrize("kind", ["match", "last_match"])
def test_a_match_is_a_trade_of_the_taker(kind: str) -> None:
    """`sell` is the maker's side: an up-tick, the taker bought."""
    expected = Trade("BTC-USD", 10, TIME_NS, Decimal("400.23"), Decimal("5.23512"), Side.BUY)
    assert read(CoinbaseExchange(), {**MATCH, "type": kind}) == [expected]
    assert read(CoinbaseExchange(), {**MATCH, "side": "buy"})[0] == Trade(
        "BTC-USD", 10, TIME_NS, Decimal("400.23"), Decimal("5.23512"), Side.SELL
    )


def test_frames_may_be_text_or_bytes_and_carry_fields_that_we_do_not_know() -> None:
    frame = json.dumps({**MATCH, "profile": {"id": [1, 2]}, "new": None})
    assert CoinbaseExchange().decode(frame, None) == CoinbaseExchange().decode(frame.encode(), None)


def test_numbers_in_other_forms_are_exact() -> None:
    trade = read(CoinbaseExchange(), {**MATCH, "size": "1.639e-05", "price": "63514.6"})[0]
    assert isinstance(trade, Trade)
    assert (trade.size, trade.price) == (Decimal("0.00001639"), Decimal("63514.6"))


def test_a_heartbeat_tells_the_newest_trade_and_zero_means_unknown() -> None:
    time_ns = nanoseconds(datetime(2014, 11, 7, 8, 19, 28, 464459, tzinfo=UTC))
    assert read(CoinbaseExchange(), HEARTBEAT) == [Heartbeat("BTC-USD", 20, time_ns)]
    assert read(CoinbaseExchange(), {**HEARTBEAT, "last_trade_id": 0}) == [Heartbeat("BTC-USD", None, time_ns)]


def test_subscriptions_tell_whose_matches_flow() -> None:
    assert read(CoinbaseExchange(), SUBSCRIPTIONS) == [Subscribed(("BTC-USD", "ETH-USD"))]


def test_an_error_frame_is_a_refusal_with_its_reason() -> None:
    assert read(CoinbaseExchange(), ERROR) == [Refused("Failed to subscribe: DOGE-XXX is not a valid product")]


def test_an_unknown_type_is_passed_over_and_counted_by_its_name() -> None:
    assert read(CoinbaseExchange(), {"type": "l2update", "changes": [["buy", "1", "2"]]}) == [Ignored("l2update")]


@pytest.mark.parametrize(
    "change",
    [
        {"price": "NaN"},
        {"price": "sNaN"},
        {"price": "Infinity"},
        {"price": "0"},
        {"price": "-1"},
        {"price": "1e999999"},
        {"price": ""},
        {"price": None},
        {"size": "0.00000000"},
        {"size": "-5"},
        {"size": "1e-999999"},
        {"trade_id": 0},
        {"trade_id": "x"},
        {"trade_id": 2**63},
        {"side": "up"},
        {"time": "yesterday"},
        {"time": 5},
        {"product_id": None},
    ],
)
def test_a_malformed_match_is_refused_with_an_excerpt(change: dict[str, object]) -> None:
    with pytest.raises(RemoteMalformed) as refused:
        read(CoinbaseExchange(), {**MATCH, **change})
    assert "match" in refused.value.excerpt
    assert len(refused.value.excerpt) <= 300


@pytest.mark.parametrize("frame", ["", "{", "null", "[]", "5", '{"type": 5}', b"\xff\xfe", '{"type": "match"}'])
@pytest.mark.parametrize("decoder", [CoinbaseExchange(), CoinbaseAdvanced(), CoinbaseRecording()])
def test_what_is_no_message_is_malformed(decoder: FrameDecoder, frame: str | bytes) -> None:
    if isinstance(decoder, CoinbaseAdvanced) and frame == '{"type": "match"}':
        pytest.skip("a type of the other feed")
    with pytest.raises(RemoteMalformed):
        decoder.decode(frame, None)


def test_an_advanced_batch_comes_in_time_order_with_the_takers_side() -> None:
    newer = {**ADVANCED_TRADE, "trade_id": "995098701", "time": "2024-03-22T10:00:00.223456Z", "side": "SELL"}
    first, second = read(CoinbaseAdvanced(), advanced(newer, ADVANCED_TRADE, kind="snapshot"))
    time_ns = nanoseconds(datetime(2024, 3, 22, 10, 0, 0, 123456, tzinfo=UTC))
    assert first == Trade("BTC-USD", 995098700, time_ns, Decimal("68900.5"), Decimal("0.0015"), Side.SELL)
    assert isinstance(second, Trade)
    assert (second.id, second.side) == (995098701, Side.BUY)


def test_one_bad_trade_costs_itself_and_not_its_batch() -> None:
    bad = {**ADVANCED_TRADE, "price": "NaN"}
    trade, malformed = read(CoinbaseAdvanced(), advanced(bad, ADVANCED_TRADE))
    assert isinstance(trade, Trade)
    assert isinstance(malformed, Malformed)
    assert "NaN" in malformed.excerpt


def test_the_advanced_heartbeat_subscriptions_and_errors_are_read() -> None:
    decoder = CoinbaseAdvanced()
    beat = {"channel": "heartbeats", "timestamp": "2024-03-22T10:00:00Z", "events": [{"heartbeat_counter": 1}]}
    assert read(decoder, beat) == [Heartbeat(None, None, nanoseconds(datetime(2024, 3, 22, 10, tzinfo=UTC)))]
    subscriptions = {"market_trades": ["ETH-USD", "BTC-USD"], "heartbeats": ["heartbeats"]}
    answer = {"channel": "subscriptions", "events": [{"subscriptions": subscriptions}]}
    assert read(decoder, answer) == [Subscribed(("BTC-USD", "ETH-USD"))]
    assert read(decoder, {"type": "error", "message": "rate limit"}) == [Refused("rate limit")]
    assert read(decoder, {"channel": "l2_data", "events": []}) == [Ignored("l2_data")]


def test_a_recording_may_hold_either_feed() -> None:
    decoder = CoinbaseRecording()
    assert isinstance(read(decoder, MATCH)[0], Trade)
    assert isinstance(read(decoder, advanced(ADVANCED_TRADE))[0], Trade)


def test_asking_for_trades_always_asks_for_heartbeats_too() -> None:
    (frame,) = CoinbaseExchange().subscribe(["BTC-USD", "ETH-USD"])
    assert json.loads(frame) == {
        "type": "subscribe",
        "product_ids": ["BTC-USD", "ETH-USD"],
        "channels": ["matches", "heartbeat"],
    }
    channels = [json.loads(frame)["channel"] for frame in CoinbaseAdvanced().subscribe(["BTC-USD"])]
    assert channels == ["market_trades", "heartbeats"]
    assert json.loads(CoinbaseExchange().unsubscribe(["BTC-USD"])[0])["type"] == "unsubscribe"
    assert json.loads(CoinbaseAdvanced().unsubscribe(["BTC-USD"])[0])["type"] == "unsubscribe"


# REST -----------------------------------------------------------------------------------------------------------------

START = datetime(2024, 3, 22, 10, tzinfo=UTC)


def test_candle_requests_cover_the_span_300_at_a_time_and_name_both_ends() -> None:
    requests = CoinbaseRest().candle_requests("BTC-USD", M1, Span(START, START + timedelta(minutes=601)))
    spans = [(dict(request.query)["start"], dict(request.query)["end"]) for request in requests]
    assert spans == [
        ("2024-03-22T10:00:00Z", "2024-03-22T14:59:00Z"),
        ("2024-03-22T15:00:00Z", "2024-03-22T19:59:00Z"),
        ("2024-03-22T20:00:00Z", "2024-03-22T20:00:00Z"),
    ]
    assert {dict(request.query)["granularity"] for request in requests} == {"60"}


def test_a_timeframe_that_coinbase_does_not_have_is_named() -> None:
    with pytest.raises(RequestInvalid, match="no 4h candles"):
        CoinbaseRest().candle_requests("BTC-USD", timeframe_named("4h"), Span(START, START + timedelta(days=1)))


def test_rest_candles_are_low_high_open_close_newest_first() -> None:
    body = b"[[1711101660,9.5,12,11,10.25,3.5],[1711101600,8,11,9,10,15.114499480000001]]"
    older, newer = CoinbaseRest().parse_candles(body, "BTC-USD", M1, START)
    assert (older.open_time, newer.open_time) == (START, START + timedelta(minutes=1))
    assert (newer.low, newer.high, newer.open, newer.close) == tuple(map(Decimal, ("9.5", "12", "11", "10.25")))
    assert older.volume == Decimal("15.114499480000001")
    assert (older.source, older.observed_at) == (Source.VENUE, START)
    assert (older.quote_volume, older.trades, older.first_id, older.taker_buy_volume) == (None, None, None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"message":"NotFound"}',
        b"[[1711101600,11,8,9,10,1]]",
        b"[[1711101601,8,11,9,10,1]]",
        b"[[1711101600,8,11,9,10]]",
        b"[[1711101600,8,11,9,10,-1]]",
        b"[[99999999999999999,8,11,9,10,1]]",
    ],
)
def test_impossible_candles_are_malformed(body: bytes) -> None:
    with pytest.raises(RemoteMalformed):
        CoinbaseRest().parse_candles(body, "BTC-USD", M1, START)


def test_rest_trades_page_by_id_towards_the_past() -> None:
    body = json.dumps(
        [
            {"time": "2024-03-22T10:00:01Z", "trade_id": 12, "price": "10.0", "size": "1", "side": "sell"},
            {"time": "2024-03-22T10:00:00Z", "trade_id": 11, "price": "10.0", "size": "1", "side": "buy"},
        ]
    ).encode()
    page = CoinbaseRest().parse_trades(body, "BTC-USD")
    assert [(trade.id, trade.side) for trade in page.trades] == [(11, Side.SELL), (12, Side.BUY)]
    assert page.next_before == 11
    assert CoinbaseRest().parse_trades(b"[]", "BTC-USD").next_before is None
    request = CoinbaseRest().trades_request("BTC-USD", before=11, limit=5_000)
    assert (request.path, dict(request.query)) == ("/products/BTC-USD/trades", {"limit": "1000", "after": "11"})


@needs_captures
@pytest.mark.parametrize(("capture", "trades"), [(exchange_matches, 447), (pro_feed, 107), (advanced_trade, 279)])
def test_every_frame_of_a_real_recording_is_understood(capture: Any, trades: int) -> None:
    decoder = CoinbaseRecording()
    events = [event for received_at, frame in capture() for event in decoder.decode(frame, received_at)]
    assert sum(isinstance(event, Trade) for event in events) == trades
    assert not [event for event in events if isinstance(event, Malformed)]
