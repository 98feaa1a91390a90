"""Binance's frames: what is read, what is passed over, what is refused."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.binance import BinanceAggregates, BinanceRecording, BinanceTrades
from marketdata.exchanges.exchange import FrameDecoder
from marketdata.model.events import Claim, CutAnnounced, Event, Heartbeat, Ignored, Malformed, Refused, Subscribed
from marketdata.model.trade import Side, Trade

from tests.captures import Captured, binance_aggregates, binance_futures, binance_spot, needs_captures

# The shapes of github.com/binance/binance-spot-api-docs, web-socket-streams.md, with invented values.
MINUTE_MS = 1_672_515_780_000
TRADE = {"e": "trade", "E": 1672515782137, "s": "BNBBTC", "t": 12, "p": "0.0010", "q": "100", "T": 1672515782136}
TRADE |= {"m": True, "M": True}
AGGREGATE = {"e": "aggTrade", "E": 1672515782137, "s": "BNBBTC", "a": 7, "p": "0.001", "q": "100", "f": 100, "l": 105}
AGGREGATE |= {"T": 1672515782136, "m": False, "M": True}
KLINE: dict[str, Any] = {"t": MINUTE_MS, "T": MINUTE_MS + 59_999, "s": "BNBBTC", "i": "1m", "f": 100, "L": 199}
KLINE |= {"o": "0.0010", "c": "0.0020", "h": "0.0025", "l": "0.0010", "v": "1000", "n": 100, "x": False}
KLINE |= {"q": "1.5", "V": "500", "Q": "0.500", "B": "0"}
ACKNOWLEDGED: dict[str, Any] = {"result": None, "id": 1}
LISTED: dict[str, Any] = {"result": ["btcusdt@kline_1s", "bnbbtc@trade", "bnbbtc@kline_1m", "ethbtc@trade"], "id": 2}
REFUSED: dict[str, Any] = {"error": {"code": 2, "msg": "Invalid request: too many parameters"}, "id": 3}


def combined(data: dict[str, Any]) -> dict[str, Any]:
    return {"stream": f"bnbbtc@{data.get('e', 'bookTicker')}", "data": data}


def kline(said_ms: int = MINUTE_MS + 2_000, **changes: Any) -> dict[str, Any]:
    return {"e": "kline", "E": said_ms, "s": "BNBBTC", "k": {**KLINE, **changes}}


def read(message: object, decoder: FrameDecoder | None = None) -> list[Event]:
    return list((decoder or BinanceTrades()).decode(json.dumps(message).encode(), None))


@pytest.mark.parametrize("wrap", [combined, dict])
def test_a_trade_is_read_in_its_wrapping_or_without(wrap: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """`m`: the buyer was the maker, so that the taker sold."""
    expected = Trade("BNBBTC", 12, 1672515782136_000000, Decimal("0.001"), Decimal(100), Side.SELL)
    assert read(wrap(TRADE)) == [expected]
    (bought,) = read(wrap({**TRADE, "m": False}))
    assert isinstance(bought, Trade)
    assert bought.side is Side.BUY


def test_an_aggregate_stands_for_the_trades_from_f_to_l() -> None:
    (trade,) = read(combined(AGGREGATE))
    assert trade == Trade("BNBBTC", 100, 1672515782136_000000, Decimal("0.001"), Decimal(100), Side.BUY, count=6)
    assert isinstance(trade, Trade)
    assert trade.last_id == 105


def test_the_first_trade_of_all_has_the_id_zero() -> None:
    assert [event.id for event in read(combined({**TRADE, "t": 0})) if isinstance(event, Trade)] == [0]


def test_times_may_be_microseconds() -> None:
    (trade,) = read(combined({**TRADE, "T": 1672515782136789}))
    assert isinstance(trade, Trade)
    assert trade.time_ns == 1672515782136_789000


def test_frames_may_be_text_or_bytes_and_carry_fields_that_we_do_not_know() -> None:
    frame = json.dumps({**combined({**TRADE, "X": {"id": [1, 2]}}), "new": None})
    assert (
        list(BinanceTrades().decode(frame, None)) == list(BinanceTrades().decode(frame.encode(), None)) == read(TRADE)
    )


def test_a_kline_claims_what_its_trades_fold_to_and_tells_the_newest_trade() -> None:
    claim, heartbeat = read(combined(kline()))
    assert isinstance(claim, Claim)
    open_ns, said_ns = MINUTE_MS * 10**6, (MINUTE_MS + 2_000) * 10**6
    assert (claim.symbol, claim.open_time_ns, claim.said_at_ns) == ("BNBBTC", open_ns, said_ns)
    assert (claim.first_id, claim.last_id, claim.trades, claim.closed) == (100, 199, 100, False)
    assert (claim.open, claim.high, claim.low, claim.close) == tuple(
        map(Decimal, ("0.001", "0.0025", "0.001", "0.002"))
    )
    assert (claim.volume, claim.quote_volume, claim.taker_buy_volume) == (Decimal(1000), Decimal("1.5"), Decimal(500))
    assert heartbeat == Heartbeat("BNBBTC", 199, said_ns)


def test_a_kline_tells_nothing_of_the_minutes_after_its_own() -> None:
    """The last word of a quiet minute may come when the next trade does, and names a trade that is not the newest."""
    ends_ns = (MINUTE_MS + 60_000) * 10**6
    late = MINUTE_MS + 600_000
    assert read(combined(kline(late)))[1] == Heartbeat("BNBBTC", 199, ends_ns)
    assert read(combined(kline(late, x=True)))[1] == Heartbeat("BNBBTC", 199, ends_ns + 30 * 10**9)
    assert read(combined(kline(MINUTE_MS + 61_000, x=True)))[1] == Heartbeat("BNBBTC", 199, ends_ns + 10**9)


def test_a_minute_without_trades_yet_claims_nothing() -> None:
    nothing = kline(f=-1, L=-1, n=0, v="0", q="0", V="0")
    assert read(combined(nothing)) == [Heartbeat("BNBBTC", None, (MINUTE_MS + 2_000) * 10**6)]


def test_the_clock_is_a_heartbeat_for_all_symbols() -> None:
    assert read(combined(kline(i="1s"))) == [Heartbeat(None, None, (MINUTE_MS + 2_000) * 10**6)]


def test_candles_of_other_lengths_and_other_streams_are_passed_over_and_counted() -> None:
    quote = {"u": 64830107, "s": "SWRVBUSD", "b": "2.27", "B": "218.4", "a": "2.277", "A": "1.1"}
    assert read(combined(kline(i="5m"))) == [Ignored("kline_5m")]
    assert read(combined(quote)) == [Ignored("bookTicker")]
    assert read({"stream": "btcusdt@depth@100ms", "data": {"e": "depthUpdate", "b": []}}) == [Ignored("depthUpdate")]
    assert read({"stream": "!miniTicker@arr", "data": [{"e": "24hrMiniTicker"}]}) == [Ignored("arr")]
    assert read({"lastUpdateId": 160, "bids": [], "asks": []}) == [Ignored("untyped")]


def test_the_list_of_subscriptions_tells_whose_trades_flow() -> None:
    assert read(ACKNOWLEDGED) == [Ignored("acknowledgement")]
    assert read(LISTED) == [Subscribed(("BNBBTC", "ETHBTC"))]
    aggregates = {"result": ["bnbbtc@aggTrade", "ethbtc@trade"], "id": 2}
    assert read(aggregates, BinanceAggregates()) == [Subscribed(("BNBBTC",))]


@pytest.mark.parametrize("wrap", [combined, dict])
def test_a_server_that_shuts_down_says_so_before(wrap: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    assert read(wrap({"e": "serverShutdown", "E": 1770123456789})) == [
        CutAnnounced("the exchange shuts this server down")
    ]


@pytest.mark.parametrize("message", [REFUSED, {"code": 2, "msg": "Invalid request: too many parameters"}])
def test_an_error_is_a_refusal_with_its_reason(message: dict[str, Any]) -> None:
    assert read(message) == [Refused("Invalid request: too many parameters")]


@pytest.mark.parametrize(
    "change",
    [
        {"p": "NaN"},
        {"p": "Infinity"},
        {"p": "0.00000000"},
        {"p": "-1"},
        {"p": "1e999999"},
        {"q": "0"},
        {"q": None},
        {"t": -1},
        {"t": "12"},
        {"t": 2**63},
        {"T": 0},
        {"T": -5},
        {"T": 10**18},
        {"m": "true"},
        {"s": 5},
    ],
)
@pytest.mark.parametrize("wrap", [combined, dict])
def test_a_malformed_trade_is_refused_with_an_excerpt(
    change: dict[str, object], wrap: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    with pytest.raises(RemoteMalformed) as refused:
        read(wrap({**TRADE, **change}))
    assert "trade" in refused.value.excerpt
    assert len(refused.value.excerpt) <= 300


@pytest.mark.parametrize("change", [{"f": 106}, {"f": -1, "l": -1}, {"l": 10**9}, {"l": 2**63}, {"q": "0"}, {"T": 0}])
def test_a_malformed_aggregate_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RemoteMalformed):
        read(combined({**AGGREGATE, **change}))


@pytest.mark.parametrize(
    "change",
    [{"f": 200}, {"f": -1}, {"L": 2**63}, {"n": -1}, {"t": MINUTE_MS + 1}, {"h": "0.0001"}, {"v": "-1"}, {"o": "0"}],
)
def test_an_impossible_kline_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RemoteMalformed):
        read(combined(kline(**change)))


@pytest.mark.parametrize(
    "frame", ["", "{", "null", "[]", "5", '{"e": 5}', b"\xff\xfe", '{"e": "trade"}', '{"error": 1}']
)
@pytest.mark.parametrize("decoder", [BinanceTrades(), BinanceRecording()])
def test_what_is_no_message_is_malformed(decoder: FrameDecoder, frame: str | bytes) -> None:
    with pytest.raises(RemoteMalformed):
        decoder.decode(frame, None)


def test_asking_for_symbols_asks_for_their_candles_a_clock_and_then_what_flows() -> None:
    asked, listed = map(json.loads, BinanceTrades().subscribe(["BTCUSDT", "ETHBTC"]))
    streams = ["btcusdt@kline_1s", "btcusdt@trade", "btcusdt@kline_1m", "ethbtc@trade", "ethbtc@kline_1m"]
    assert asked == {"method": "SUBSCRIBE", "params": streams, "id": 1}
    assert listed == {"method": "LIST_SUBSCRIPTIONS", "id": 2}
    ended, _ = map(json.loads, BinanceAggregates().unsubscribe(["ETHBTC"]))
    assert ended == {"method": "UNSUBSCRIBE", "params": ["ethbtc@aggTrade", "ethbtc@kline_1m"], "id": 1}


def test_a_full_connection_stays_within_the_limits() -> None:
    """1,024 streams a connection, five messages a second; a request is no longer than a few kilobytes."""
    most = BinanceTrades.symbols_per_connection_max
    assert most is not None
    frames = BinanceTrades().subscribe([f"SYMBOL{number}USDT" for number in range(most)])
    streams = [one for frame in frames for one in json.loads(frame).get("params", [])]
    assert len(set(streams)) == len(streams) == 2 * most + 1 <= 1024
    assert max(map(len, frames)) < 8_192
    assert len({json.loads(frame)["id"] for frame in frames}) == len(frames)
    assert 1 / BinanceTrades.send_seconds_between < 5


def test_streams_come_wrapped_in_their_names() -> None:
    assert BinanceTrades().url() == "wss://data-stream.binance.vision/stream"
    assert BinanceTrades("ws://127.0.0.1:1/").url() == "ws://127.0.0.1:1/stream"


# Recordings -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_captures
@pytest.mark.parametrize(
    ("capture", "trades", "claims"),
    [
        (binance_spot, 3_144, 0),
        (binance_futures, 12_935, 0),
        (partial(binance_aggregates, "spot_2021-04-17"), 24, 20),
        (partial(binance_aggregates, "spot_2021-08-14"), 28, 17),
        (partial(binance_aggregates, "usdm_2021-07-22"), 91, 67),
    ],
)
def test_every_frame_of_a_real_recording_is_understood(
    capture: Callable[[], Iterator[Captured]], trades: int, claims: int
) -> None:
    decoder = BinanceRecording()
    events = [event for received_at, frame in capture() for event in decoder.decode(frame, received_at)]
    assert sum(isinstance(event, Trade) for event in events) == trades
    assert sum(isinstance(event, Claim) for event in events) == claims
    assert not [event for event in events if isinstance(event, Malformed)]
