"""The simulated Bitfinex says what the real one would, and refuses what it refuses."""

import json
from itertools import pairwise
from typing import Any

from local.exchanges.bitfinex_feed import BitfinexSession
from local.exchanges.bitfinex_wire import symbols, trade_id
from local.exchanges.faults import Faults
from local.exchanges.products import Product
from local.exchanges.tape import Tape
from tests.unit.local.exchanges.market import NOW, TAPE, seconds


def a_session(tape: Tape = TAPE, faults: Faults | None = None) -> BitfinexSession:
    session = BitfinexSession(tape, faults or Faults(), 1, NOW)
    session.tick(NOW)
    return session


def ask(session: BitfinexSession, **request: object) -> list[Any]:
    return [json.loads(frame) for frame in session.receive(json.dumps(request), NOW)]


def subscribe(session: BitfinexSession, symbol: str) -> list[Any]:
    return ask(session, event="subscribe", channel="trades", symbol=symbol)


def test_long_currencies_are_set_apart_by_a_colon() -> None:
    assert symbols(TAPE.products.values())["tDOGE:USD"] == "DOGE-USD"
    assert symbols(TAPE.products.values())["tETHBTC"] == "ETH-BTC"


def test_a_connection_begins_with_a_greeting() -> None:
    session = BitfinexSession(TAPE, Faults(), 1, NOW)
    assert json.loads(session.tick(NOW)[0])["version"] == 2
    assert session.tick(NOW) == []


def test_a_subscription_is_acknowledged_and_followed_by_the_newest_30_trades_newest_first() -> None:
    subscribed, snapshot = subscribe(a_session(), "tBTCUSD")
    newest = TAPE.newest_id("BTC-USD", NOW)
    assert (subscribed["event"], subscribed["channel"], subscribed["pair"]) == ("subscribed", "trades", "BTCUSD")
    assert [row[0] for row in snapshot[1]] == [trade_id("BTC-USD", newest - back) for back in range(30)]


def test_each_trade_comes_as_te_and_as_tu_and_what_was_sold_is_below_zero() -> None:
    session = a_session()
    subscribe(session, "tBTCUSD")
    frames = [json.loads(frame) for frame in session.tick(NOW + seconds(10))]
    assert [frame[1] for frame in frames[:4]] == ["te", "tu", "te", "tu"]
    assert frames[0][2] == frames[1][2]
    assert {frame[2][2] > 0 for frame in frames} == {True, False}


def test_arrays_carry_numbers_and_times_once_they_are_asked_for() -> None:
    session = a_session()
    assert ask(session, event="conf", flags=98_304) == [{"event": "conf", "status": "OK", "flags": 98_304}]
    subscribe(session, "tBTCUSD")
    frames = [json.loads(frame) for frame in session.tick(NOW + seconds(5))]
    assert [frame[-2] for frame in frames] == list(range(2, 2 + len(frames)))
    assert {frame[-1] for frame in frames} == {int((NOW + seconds(5)).timestamp() * 1000)}


def test_a_heartbeat_comes_on_every_channel_each_fifteen_seconds() -> None:
    session = a_session()
    subscribe(session, "tETHBTC")
    frames = [json.loads(frame) for frame in session.tick(NOW + seconds(16))]
    assert [frame[1] for frame in frames if frame[1] not in ("te", "tu")] == ["hb"]


def test_ids_of_one_pair_grow_but_do_not_count_up_one_by_one() -> None:
    ids = [trade_id("BTC-USD", number) for number in range(5)]
    assert sorted(ids) == ids
    assert min(after - before for before, after in pairwise(ids)) > 1
    assert not {trade_id("ETH-USD", number) for number in range(5)}.intersection(ids)


def test_refusals_are_worded_as_bitfinex_words_them() -> None:
    session = a_session()
    subscribe(session, "tBTCUSD")
    assert [subscribe(session, symbol)[0]["code"] for symbol in ("tNOSUCH", "tBTCUSD")] == [10_300, 10_301]
    assert ask(session, event="subscribe", channel="gossip")[0]["code"] == 10_302
    assert ask(session, event="unsubscribe", chanId=5)[0]["event"] == "error"
    assert [json.loads(frame)["event"] for frame in session.receive("{oops", NOW)] == ["error"]


def test_the_twenty_sixth_channel_is_refused() -> None:
    product = TAPE.products["ETH-BTC"]
    many = [Product(f"A{number:02}", "USD", product.price, 5, product.size_mean, 2) for number in range(26)]
    session = a_session(Tape(7, many))
    codes = [subscribe(session, f"tA{number:02}USD")[0].get("code") for number in range(26)]
    assert codes == [None] * 25 + [10_305]


def test_an_unsubscribed_channel_falls_silent() -> None:
    session = a_session()
    (subscribed, _) = subscribe(session, "tBTCUSD")
    assert ask(session, event="unsubscribe", chanId=subscribed["chanId"])[0]["status"] == "OK"
    assert session.tick(NOW + seconds(10)) == []
