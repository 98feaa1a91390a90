import json

import pytest

from local.exchanges.coinbase_advanced import AdvancedSession
from local.exchanges.faults import Faults
from tests.unit.local.exchanges.market import NOW, SECOND, TAPE, Frame, parsed, since

BTC, ETH = "BTC-USD", "ETH-USD"


def request(channel: str, *symbols: str, kind: str = "subscribe") -> str:
    return json.dumps({"type": kind, "channel": channel, "product_ids": symbols})


def session(faults: Faults | None = None) -> AdvancedSession:
    return AdvancedSession(TAPE, faults or Faults(), 1, NOW)


def tick(client: AdvancedSession, second: float) -> list[Frame]:
    return parsed(client.tick(NOW + second * SECOND))


def ids(frame: Frame) -> list[int]:
    return [int(trade["trade_id"]) for event in frame["events"] for trade in event["trades"]]


def test_subscribing_is_answered_with_a_snapshot_of_100_trades_newest_first_then_the_subscriptions() -> None:
    client = session()
    snapshot, subscriptions = parsed(client.receive(request("market_trades", BTC), NOW))
    newest_id = TAPE.newest_id(BTC, NOW)
    assert (snapshot["channel"], snapshot["events"][0]["type"]) == ("market_trades", "snapshot")
    assert ids(snapshot) == list(range(newest_id, newest_id - 100, -1))
    assert subscriptions["channel"] == "subscriptions"
    assert subscriptions["events"] == [{"subscriptions": {"market_trades": [BTC]}}]
    assert client.subscribed


def test_updates_hold_the_trades_of_250_ms_newest_first_one_message_a_product() -> None:
    client = session()
    client.receive(request("market_trades", BTC, ETH), NOW)
    assert tick(client, 0.2) == []
    updates = [frame for quarter in range(1, 9) for frame in tick(client, quarter / 4)]
    for symbol in (BTC, ETH):
        batches = [ids(frame) for frame in updates if frame["events"][0]["trades"][0]["product_id"] == symbol]
        assert all(batch == sorted(batch, reverse=True) for batch in batches)
        expected = [trade.id for trade in TAPE.trades(symbol, since(NOW, seconds=2))]
        assert [trade_id for batch in batches for trade_id in reversed(batch)] == expected


def test_the_side_is_the_makers() -> None:
    client = session()
    client.receive(request("market_trades", BTC), NOW)
    (update,) = tick(client, 5)
    taker = [trade.side.upper() for trade in reversed(TAPE.trades(BTC, since(NOW, seconds=5)))]
    maker = [{"BUY": "SELL", "SELL": "BUY"}[side] for side in taker]
    assert [trade["side"] for trade in update["events"][0]["trades"]] == maker


def test_sequence_numbers_count_every_message_of_the_connection() -> None:
    client = session()
    frames = parsed(client.receive(request("heartbeats"), NOW) + client.receive(request("market_trades", BTC), NOW))
    frames += [frame for quarter in range(1, 13) for frame in tick(client, quarter / 4)]
    assert {frame["channel"] for frame in frames} == {"heartbeats", "market_trades", "subscriptions"}
    assert [frame["sequence_num"] for frame in frames] == list(range(len(frames)))


def test_heartbeats_count_up_once_a_second() -> None:
    client = session()
    (subscriptions,) = parsed(client.receive(request("heartbeats"), NOW))
    assert subscriptions["events"] == [{"subscriptions": {"heartbeats": ["heartbeats"]}}]
    beats = [frame for half in range(1, 7) for frame in tick(client, half / 2)]
    assert [beat["events"][0]["heartbeat_counter"] for beat in beats] == [1, 2, 3]
    assert beats[0]["events"][0]["current_time"].startswith("2026-08-09 21:05:31.000000 +0000 UTC")


def test_nothing_more_is_told_of_what_was_unsubscribed() -> None:
    client = session()
    client.receive(request("market_trades", BTC, ETH), NOW)
    client.receive(request("heartbeats"), NOW)
    client.receive(request("heartbeats", kind="unsubscribe"), NOW)
    (subscriptions,) = parsed(client.receive(request("market_trades", BTC, kind="unsubscribe"), NOW))
    assert subscriptions["events"] == [{"subscriptions": {"market_trades": [ETH]}}]
    (update,) = tick(client, 5)
    assert update["events"][0]["trades"][0]["product_id"] == ETH


def test_following_a_product_twice_snapshots_it_once() -> None:
    client = session()
    client.receive(request("market_trades", BTC), NOW)
    assert [frame["channel"] for frame in parsed(client.receive(request("market_trades", BTC, BTC), NOW))] == [
        "subscriptions"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Malformed JSON"),
        ('{"type":"subscribe"}', "None is not a valid channel"),
        (request("gossip", BTC), "gossip is not a valid channel"),
        (request("market_trades"), " is not a valid product"),
        (request("market_trades", "GIBBERISH-USD"), "GIBBERISH-USD is not a valid product"),
    ],
)
def test_a_request_that_cannot_be_met_is_answered_with_an_error(text: str, message: str) -> None:
    client = session()
    assert parsed(client.receive(text, NOW)) == [{"type": "error", "message": message}]
    assert not client.subscribed


def test_unknown_fields_come_with_every_message_and_an_unknown_channel_with_the_heartbeats() -> None:
    faults = Faults()
    client = session(faults)
    client.receive(request("heartbeats"), NOW)
    faults.add_unknowns()
    frames = tick(client, 1)
    assert [frame["channel"] for frame in frames] == ["heartbeats", "futures_balance_summary"]
    assert all("unheard_of" in frame for frame in frames)
