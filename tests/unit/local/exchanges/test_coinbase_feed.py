import itertools
import json

import pytest

from local.exchanges.coinbase_feed import FeedSession
from local.exchanges.faults import Faults
from tests.unit.local.exchanges.market import NOW, SECOND, TAPE, Frame, parsed, request, since

BTC, ETH = "BTC-USD", "ETH-USD"


def session(faults: Faults | None = None) -> FeedSession:
    return FeedSession(TAPE, faults or Faults(), 1, NOW)


def subscribed(*symbols: str, faults: Faults | None = None) -> FeedSession:
    client = session(faults)
    client.receive(request("subscribe", *symbols), NOW)
    return client


def tick(client: FeedSession, second: float) -> list[Frame]:
    return parsed(client.tick(NOW + second * SECOND))


def channels(frame: Frame) -> dict[str, list[str]]:
    assert frame["type"] == "subscriptions"
    return {channel["name"]: channel["product_ids"] for channel in frame["channels"]}


def test_subscribing_is_answered_with_the_last_match_of_each_product_and_the_subscriptions() -> None:
    client = session()
    *last_matches, subscriptions = parsed(client.receive(request("subscribe", BTC, ETH), NOW))
    assert [(frame["type"], frame["product_id"], frame["trade_id"]) for frame in last_matches] == [
        ("last_match", symbol, TAPE.newest_id(symbol, NOW)) for symbol in (BTC, ETH)
    ]
    assert channels(subscriptions) == {"matches": [BTC, ETH], "heartbeat": [BTC, ETH]}
    assert client.subscribed


def test_channels_may_be_objects_with_products_of_their_own() -> None:
    asked = [{"name": "matches", "product_ids": [BTC]}, {"name": "heartbeat", "product_ids": [ETH]}, "heartbeat"]
    answer = session().receive(json.dumps({"type": "subscribe", "product_ids": ["SOL-USD"], "channels": asked}), NOW)
    assert channels(parsed(answer)[-1]) == {"matches": [BTC], "heartbeat": [ETH, "SOL-USD"]}


def test_the_answer_is_the_full_state_and_not_only_what_was_asked() -> None:
    client = subscribed(BTC)
    (last_match, subscriptions) = parsed(client.receive(request("subscribe", BTC, ETH, channels=("matches",)), NOW))
    assert last_match["product_id"] == ETH
    assert channels(subscriptions) == {"matches": [BTC, ETH], "heartbeat": [BTC]}


def test_matches_follow_the_last_match_without_a_gap_and_equal_the_tape() -> None:
    client = session()
    last_match = parsed(client.receive(request("subscribe", BTC), NOW))[0]
    matches = [frame for second in (1, 2, 5) for frame in tick(client, second) if frame["type"] == "match"]
    trades = TAPE.trades(BTC, since(NOW, seconds=5))
    assert [frame["trade_id"] for frame in matches] == [trade.id for trade in trades]
    assert matches[0]["trade_id"] == last_match["trade_id"] + 1
    assert [frame["side"] for frame in matches] == [{"buy": "sell", "sell": "buy"}[trade.side] for trade in trades]
    assert all(earlier["sequence"] < later["sequence"] for earlier, later in itertools.pairwise(matches))


def test_a_heartbeat_a_second_tells_the_newest_trade_there_is() -> None:
    client = subscribed(BTC, "ETH-BTC")
    beats = [frame for second in (0.5, 1, 1.5, 2) for frame in tick(client, second) if frame["type"] == "heartbeat"]
    assert [(beat["product_id"], beat["time"]) for beat in beats] == [
        (symbol, f"2026-08-09T21:05:{second}.000000Z") for second in (31, 32) for symbol in (BTC, "ETH-BTC")
    ]
    assert [beat["last_trade_id"] for beat in beats] == [
        TAPE.newest_id(symbol, NOW + second * SECOND) for second in (1, 2) for symbol in (BTC, "ETH-BTC")
    ]
    assert all(beat["sequence"] >= beat["last_trade_id"] for beat in beats)


def test_nothing_more_is_told_of_what_was_unsubscribed() -> None:
    client = subscribed(BTC, ETH)
    (subscriptions,) = parsed(client.receive(request("unsubscribe", BTC), NOW))
    assert channels(subscriptions) == {"matches": [ETH], "heartbeat": [ETH]}
    assert {frame["product_id"] for frame in tick(client, 5)} == {ETH}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Malformed JSON"),
        ("[]", "Malformed JSON"),
        ('{"type":"hello"}', "hello is not a valid message type"),
        ('{"type":"subscribe","product_ids":["BTC-USD"]}', "No channels provided"),
        ('{"type":"subscribe","channels":["matches"]}', " is not a valid product"),
        (request("subscribe", "GIBBERISH-USD"), "GIBBERISH-USD is not a valid product"),
        (request("subscribe", BTC, channels=("gossip",)), "gossip is not a valid channel"),
        (
            request("subscribe", BTC, channels=("level2",)),
            "level2, level3, and full channels now require authentication.",
        ),
        (request("subscribe", *[BTC] * 101), "more than 100 products in one request"),
    ],
)
def test_a_request_that_cannot_be_met_is_answered_with_an_error(text: str, reason: str) -> None:
    client = session()
    assert parsed(client.receive(text, NOW)) == [{"type": "error", "message": "Failed to subscribe", "reason": reason}]
    assert not client.subscribed


def test_one_unknown_product_fails_the_whole_request_and_leaves_the_earlier_ones_alone() -> None:
    client = subscribed(ETH)
    client.receive(request("subscribe", BTC, "GIBBERISH-USD"), NOW)
    assert {frame["product_id"] for frame in tick(client, 5)} == {ETH}


def test_a_mute_product_still_has_heartbeats_with_the_true_last_trade() -> None:
    faults = Faults()
    client = subscribed(BTC, faults=faults)
    faults.mute(BTC)
    (beat,) = tick(client, 5)
    assert (beat["type"], beat["last_trade_id"]) == ("heartbeat", TAPE.newest_id(BTC, NOW + 5 * SECOND))
    faults.mute(BTC, heartbeats_too=True)
    assert tick(client, 10) == []


def test_unknown_fields_come_with_every_frame_and_an_unknown_type_with_the_heartbeats() -> None:
    faults = Faults()
    client = subscribed(BTC, faults=faults)
    faults.add_unknowns()
    frames = tick(client, 5)
    assert {frame["type"] for frame in frames} == {"match", "heartbeat", "auction_indicative"}
    assert all("unheard_of" in frame for frame in frames)
