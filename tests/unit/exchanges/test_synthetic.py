"""The synthetic exchange's frames and answers."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.registry import ADAPTERS
from marketdata.exchanges.synthetic import SyntheticQuotes, SyntheticTrades
from marketdata.exchanges.synthetic_rest import SyntheticQuoteRest, SyntheticRest
from marketdata.model.events import Heartbeat, Ignored, Malformed, Refused, Subscribed
from marketdata.model.instrument import INVENTED_EXCHANGES
from marketdata.model.quote import Quote
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

from tests.market import at

NS = nanoseconds(at("10:00"))
ROW = ["BTC-USD", 7, NS, "65000.10", "0.5", "buy"]
TRADES, QUOTES = SyntheticTrades(), SyntheticQuotes()


def frame(kind: str, **more: object) -> str:
    return json.dumps({"type": kind, **more})


def test_invented_exchanges_are_those_of_the_registry() -> None:
    assert {name for name in ADAPTERS if name.startswith("synthetic")} == INVENTED_EXCHANGES


def test_many_trades_come_in_one_frame_with_the_takers_side() -> None:
    told = TRADES.decode(frame("trades", trades=[ROW, ["ETH-USD", 8, NS + 1, "3", "2", "sell"]]), None)
    assert told == [
        Trade("BTC-USD", 7, NS, Decimal("65000.10"), Decimal("0.5"), Side.BUY),
        Trade("ETH-USD", 8, NS + 1, Decimal(3), Decimal(2), Side.SELL),
    ]


@pytest.mark.parametrize(
    "row",
    [
        [],
        ROW[:5],
        ["BTC-USD", 0, NS, "1", "1", "buy"],
        ["BTC-USD", 7, 0, "1", "1", "buy"],
        ["BTC-USD", 7, 2**63, "1", "1", "buy"],
        ["BTC-USD", 7, NS, "0", "1", "buy"],
        ["BTC-USD", 7, NS, "1", "NaN", "buy"],
        ["BTC-USD", 7, NS, "1", "1", "unknown"],
        "trade",
    ],
)
def test_a_bad_row_costs_itself(row: object) -> None:
    bad, good = TRADES.decode(frame("trades", trades=[row, ROW]), None)
    assert isinstance(bad, Malformed)
    assert isinstance(good, Trade)


def test_quotes_are_of_both_prices() -> None:
    good, bad = QUOTES.decode(frame("quotes", quotes=[["BTC-USD", NS, "1.1", "1.2"], ["BTC-USD", NS, "0", "1"]]), None)
    assert good == Quote("BTC-USD", NS, Decimal("1.1"), Decimal("1.2"))
    assert isinstance(bad, Malformed)


def test_heartbeats_name_the_newest_trade_of_each_symbol_if_there_is_one() -> None:
    told = TRADES.decode(frame("heartbeat", time=NS, last_ids={"BTC-USD": 7, "NEW-USD": 0}), None)
    assert told == [Heartbeat("BTC-USD", 7, NS), Heartbeat("NEW-USD", None, NS)]
    assert list(QUOTES.decode(frame("heartbeat", time=NS), None)) == [Heartbeat(None, None, NS)]


def test_what_is_acknowledged_refused_and_unknown_is_told() -> None:
    assert list(TRADES.decode(frame("subscribed", symbols=["B", "A"], more=1), None)) == [Subscribed(("A", "B"))]
    assert list(TRADES.decode(frame("refused", reason="not listed: X"), None)) == [Refused("not listed: X")]
    assert list(TRADES.decode(frame("auction"), None)) == [Ignored("auction")]


@pytest.mark.parametrize("text", ["", "[]", '{"type":"trades"}', '{"type":"heartbeat","time":-1}', '{"type":7}'])
def test_what_has_no_form_is_malformed(text: str) -> None:
    with pytest.raises(RemoteMalformed):
        TRADES.decode(text, None)


def test_pages_of_trades_end_at_the_first_trade_of_all() -> None:
    body = json.dumps([[2, NS, "1", "1", "sell"], [1, NS, "2", "1", "buy"]]).encode()
    page = SyntheticRest().parse_trades(body, "BTC-USD")
    assert ([one.id for one in page.trades], page.next_before) == ([1, 2], None)
    assert SyntheticRest().parse_trades(b'[[2,1,"1","1","buy"]]', "BTC-USD").next_before == 2


@pytest.mark.parametrize("body", [b"{}", b"[[1]]", b'[[0,1,"1","1","buy"]]', b'[[1,1,"1","1","unknown"]]'])
def test_a_page_that_cannot_be_is_malformed(body: bytes) -> None:
    with pytest.raises(RemoteMalformed):
        SyntheticRest().parse_trades(body, "BTC-USD")


def test_which_price_candles_are_of_the_symbol_says() -> None:
    span = Span(at("10:00"), at("10:00") + timedelta(minutes=1))
    (asked,) = SyntheticQuoteRest().candle_requests("BTC-USD:bid", M1, span)
    assert {("symbol", "BTC-USD"), ("price", "bid")} <= set(asked.query)
    (plain,) = SyntheticQuoteRest().candle_requests("BTC-USD", M1, span)
    assert ("price", "mid") in plain.query
    (trades,) = SyntheticRest().candle_requests("BTC-USD", M1, span)
    assert "price" not in dict(trades.query)
