"""Bitfinex's frames: what is read, what is passed over, what is refused."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.bitfinex import BitfinexTrades
from marketdata.model.events import (
    CutAnnounced,
    Disconnected,
    Event,
    Heartbeat,
    Ignored,
    Malformed,
    Paused,
    Refused,
    Subscribed,
)
from marketdata.model.trade import Side, Trade

from tests.captures import bitfinex_websocket, needs_captures

# The shapes of docs.bitfinex.com/reference/ws-public-trades and .../docs/ws-general, with invented values.
INFO = {"event": "info", "version": 2, "serverId": "6e5e8f1c", "platform": {"status": 1}}
CONF = {"event": "conf", "status": "OK", "flags": 98_304}
SUBSCRIBED = {"event": "subscribed", "channel": "trades", "chanId": 17, "symbol": "tBTCUSD", "pair": "BTCUSD"}
NEWER_MS, BEFORE_MS = 1_574_694_478_808, 1_574_694_470_000
NEWER = [401_597_395, NEWER_MS, 0.005, 7_245.3]
OLDER = [401_597_394, 1_574_694_478_808, -0.25, 7_245.2]
BEFORE = [401_597_300, BEFORE_MS, 1.639e-05, 7_200]
MILLISECOND = 1_000_000


def told(decoder: BitfinexTrades, *messages: Any) -> list[Event]:
    """The events of the last message."""
    events: Sequence[Event] = ()
    for message in messages:
        events = decoder.decode(message if isinstance(message, str) else json.dumps(message), None)
    return list(events)


@pytest.fixture
def flowing() -> BitfinexTrades:
    """A connection on which trades of tBTCUSD flow, numbered and timed, with one trade in the snapshot."""
    decoder = BitfinexTrades()
    told(decoder, INFO, CONF, SUBSCRIBED, [17, [BEFORE], 1, BEFORE[1]])
    return decoder


def test_an_amount_above_zero_is_bought_by_the_taker(flowing: BitfinexTrades) -> None:
    (bought,) = told(flowing, [17, "te", NEWER, 2, NEWER[1]])
    (sold,) = told(flowing, [17, "te", OLDER, 3, OLDER[1]])
    time_ns = 1_574_694_478_808 * MILLISECOND
    assert bought == Trade("tBTCUSD", 401_597_395, time_ns, Decimal("7245.3"), Decimal("0.005"), Side.BUY)
    assert sold == Trade("tBTCUSD", 401_597_394, time_ns, Decimal("7245.2"), Decimal("0.25"), Side.SELL)


def test_a_trade_that_comes_as_te_and_as_tu_counts_once_and_one_that_only_comes_as_tu_counts_too(
    flowing: BitfinexTrades,
) -> None:
    assert len(told(flowing, [17, "te", NEWER, 2])) == 1
    assert told(flowing, [17, "tu", NEWER, 3]) == []
    assert len(told(flowing, [17, "tu", OLDER, 4])) == 1


def test_a_snapshot_comes_in_the_order_of_time_and_id_and_then_the_subscription_counts() -> None:
    decoder = BitfinexTrades()
    assert told(decoder, INFO, SUBSCRIBED) == []
    events = told(decoder, [17, [NEWER, OLDER, BEFORE]])
    assert [one.id for one in events if isinstance(one, Trade)] == [BEFORE[0], OLDER[0], NEWER[0]]
    assert events[-1] == Subscribed(("tBTCUSD",))
    assert told(decoder, [17, "te", NEWER]) == []


def test_the_snapshot_after_a_break_repeats_what_was_missed(flowing: BitfinexTrades) -> None:
    next_connection = flowing.session()
    events = told(next_connection, INFO, SUBSCRIBED, [17, [NEWER, BEFORE]])
    assert [one.id for one in events if isinstance(one, Trade)] == [BEFORE[0], NEWER[0]]


def test_an_empty_snapshot_is_an_acknowledgement_too() -> None:
    assert told(BitfinexTrades(), SUBSCRIBED, [17, []]) == [Subscribed(("tBTCUSD",))]


def test_one_bad_trade_of_a_snapshot_costs_itself() -> None:
    events = told(BitfinexTrades(), SUBSCRIBED, [17, [NEWER, [1, 2, 0, 5], BEFORE]])
    assert [type(one) for one in events] == [Trade, Trade, Malformed, Subscribed]


def test_numbers_keep_every_digit_of_the_wire(flowing: BitfinexTrades) -> None:
    digits = "1.2345678901234567890123456789012345678"
    (trade,) = told(flowing, f'[17,"te",[401597396,1574694478809,-{digits},1.639e-05]]')
    assert isinstance(trade, Trade)
    assert (trade.size, trade.price) == (Decimal(digits), Decimal("0.00001639"))


def test_arrays_may_have_grown_everywhere(flowing: BitfinexTrades) -> None:
    (trade,) = told(flowing, [17, "te", [*NEWER, "new", None, [1]], 2, NEWER[1], {"later": True}])
    assert isinstance(trade, Trade)


def test_a_heartbeat_is_of_its_symbol_at_the_exchanges_time(flowing: BitfinexTrades) -> None:
    assert told(flowing, [17, "hb", 2, 1_574_694_500_000]) == [
        Heartbeat("tBTCUSD", None, 1_574_694_500_000 * MILLISECOND)
    ]


def test_a_heartbeat_without_a_time_is_as_old_as_the_newest_trade() -> None:
    decoder = BitfinexTrades()
    assert told(decoder, SUBSCRIBED, [17, [BEFORE]], [17, "hb"]) == [
        Heartbeat("tBTCUSD", None, BEFORE_MS * MILLISECOND)
    ]


def test_what_comes_on_a_channel_that_was_never_acknowledged_is_passed_over(flowing: BitfinexTrades) -> None:
    for message in ([99, "hb", 2], [99, "te", NEWER, 3], [99, [[1, 2, 3]], 4], [99, [7_000, 1, 1], 5]):
        assert told(flowing, message) == [Ignored("another channel")]


def test_a_jump_in_the_numbers_of_frames_is_a_loss_that_a_new_connection_repairs(flowing: BitfinexTrades) -> None:
    events = told(flowing, [17, "te", NEWER, 4])
    assert [type(one) for one in events] == [Disconnected, Subscribed, Trade, CutAnnounced]
    assert events[-1] == CutAnnounced("frames 2 to 3 did not come")
    assert told(flowing, [17, "hb", 5]) == [Heartbeat("tBTCUSD", None, NEWER_MS * MILLISECOND)]


def test_frames_on_channels_that_we_do_not_read_are_numbered_too(flowing: BitfinexTrades) -> None:
    told(flowing, [99, [1, 2, 3], 2])
    assert [type(one) for one in told(flowing, [17, "te", NEWER, 3])] == [Trade]


def test_numbers_mean_nothing_where_the_exchange_did_not_agree_to_give_them() -> None:
    decoder = BitfinexTrades()
    told(decoder, INFO, {"event": "conf", "status": "FAILED"}, SUBSCRIBED, [17, [BEFORE], 1])
    assert [type(one) for one in told(decoder, [17, "te", NEWER, 9])] == [Trade]


def test_a_restart_and_the_end_of_maintenance_are_cuts_and_its_beginning_is_a_pause() -> None:
    decoder = BitfinexTrades()
    assert isinstance(told(decoder, {"event": "info", "code": 20051, "msg": "Stopping"})[0], CutAnnounced)
    assert isinstance(told(decoder, {"event": "info", "code": 20060, "msg": "..."})[0], Paused)
    assert isinstance(told(decoder, {"event": "info", "code": 20061, "msg": "..."})[0], CutAnnounced)
    assert isinstance(told(decoder, INFO | {"platform": {"status": 0}})[0], Paused)
    assert told(decoder, {"event": "info", "code": 20999}) == [Ignored("info")]


def test_an_error_is_a_refusal_with_its_symbol_and_may_be_asked_again() -> None:
    decoder = BitfinexTrades()
    decoder.subscribe(["tNOPE"])
    error = {"event": "error", "msg": "symbol: invalid", "code": 10300, "channel": "trades", "symbol": "tNOPE"}
    assert told(decoder, error) == [Refused("tNOPE symbol: invalid (10300)")]
    assert len(decoder.subscribe(["tNOPE"])) == 1 + 1
    assert told(decoder, {"event": "error", "msg": "subscribe: dup", "code": 10301}) == [Ignored("error")]


def test_each_symbol_is_asked_for_once_after_one_wish_for_times_and_numbers() -> None:
    decoder = BitfinexTrades()
    frames = [json.loads(frame) for frame in decoder.subscribe(["tBTCUSD", "tETHUSD"])]
    assert frames == [
        {"event": "conf", "flags": 98_304},
        {"event": "subscribe", "channel": "trades", "symbol": "tBTCUSD"},
        {"event": "subscribe", "channel": "trades", "symbol": "tETHUSD"},
    ]
    assert [json.loads(frame)["symbol"] for frame in decoder.subscribe(["tETHUSD", "tLTCUSD"])] == ["tLTCUSD"]


def test_a_symbol_is_left_by_the_number_of_its_channel(flowing: BitfinexTrades) -> None:
    assert [json.loads(frame) for frame in flowing.unsubscribe(["tBTCUSD", "tETHUSD"])] == [
        {"event": "unsubscribe", "chanId": 17}
    ]
    assert told(flowing, {"event": "unsubscribed", "status": "OK", "chanId": 17}) == [Subscribed(())]
    assert told(flowing, [17, "te", NEWER, 2]) == [Ignored("another channel")]


def test_channels_of_other_kinds_and_events_nobody_heard_of_are_passed_over() -> None:
    book = {"event": "subscribed", "channel": "book", "chanId": 3, "symbol": "tBTCUSD"}
    assert told(BitfinexTrades(), book) == [Ignored("subscribed book")]
    assert told(BitfinexTrades(), {"event": "auction", "unheard_of": 1}) == [Ignored("auction")]
    assert told(BitfinexTrades(), SUBSCRIBED, [17, "fte", [1, 2, 3, 4]]) == [Ignored("fte")]


def test_in_a_recording_the_greeting_of_the_next_connection_is_a_break(flowing: BitfinexTrades) -> None:
    assert told(flowing, INFO) == [Disconnected("another connection was made")]
    assert told(flowing, [17, "te", NEWER]) == [Ignored("another channel")]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "7",
        "[]",
        "[17]",
        "{}",
        '["17","te",[1,2,3,4]]',
        '[17,"te"]',
        '[17,"te",{}]',
        '[17,"te",[401597395,1574694478808,0,7245.3]]',
        '[17,"te",[401597395,1574694478808,1,-7245.3]]',
        '[17,"te",[0,1574694478808,1,7245.3]]',
        '[17,"te",[401597395,99999999999999,1,7245.3]]',
        '[17,"te",[401597395,1574694478808,"NaN",7245.3]]',
        '[17,"te",[401597395,1574694478808]]',
        '{"event":"subscribed","channel":"trades","chanId":5}',
        '[17,"te",[' + "9" * 5_000 + ",1574694478808,1,1]]",
    ],
)
def test_a_frame_that_cannot_be_is_malformed_with_an_excerpt(flowing: BitfinexTrades, frame: str) -> None:
    with pytest.raises(RemoteMalformed) as refused:
        flowing.decode(frame, None)
    assert refused.value.excerpt == frame[:300]


@needs_captures
def test_every_frame_of_a_real_recording_is_understood() -> None:
    decoder, events = BitfinexTrades(), list[Event]()
    for received_at, frame in bitfinex_websocket():
        events += decoder.decode(frame, received_at)
    assert not [one for one in events if isinstance(one, Malformed | Refused | Disconnected | CutAnnounced)]
    trades = [one for one in events if isinstance(one, Trade)]
    assert len(trades) == len({one.id for one in trades}) == 8 * 30 + 8
    subscribed = [one for one in events if isinstance(one, Subscribed)]
    assert len(subscribed[-1].symbols) == 8
