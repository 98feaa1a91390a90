from datetime import UTC, datetime
from decimal import Decimal

import pytest
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

from local.exchanges.coinbase_wire import (
    Refusal,
    encode,
    market_trade,
    match,
    microseconds,
    parse_request,
    plain,
    requested_products,
    trimmed,
)

TIME = datetime(2026, 8, 9, 21, 5, 38, 504360, tzinfo=UTC)
TRADE = Trade("BTC-USD", 1068572088, nanoseconds(TIME), Decimal("65083.60"), Decimal("0.00007290"), Side.SELL)


@pytest.mark.parametrize(
    ("number", "text"), [("65083.60", "65083.6"), ("100", "100"), ("0.00000025", "0.00000025"), ("1E+3", "1000")]
)
def test_numbers_are_written_without_exponent_and_without_trailing_zeros(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_the_exchange_writes_six_digits_and_advanced_trade_cuts_the_zeros() -> None:
    assert microseconds(TIME) == "2026-08-09T21:05:38.504360Z"
    assert trimmed(TIME) == "2026-08-09T21:05:38.50436Z"
    assert trimmed(TIME.replace(microsecond=0)) == "2026-08-09T21:05:38Z"


def test_a_match_names_the_makers_side() -> None:
    frame = match("match", TRADE)
    assert {key: frame[key] for key in ("type", "trade_id", "side", "size", "price", "product_id", "time")} == {
        "type": "match",
        "trade_id": 1068572088,
        "side": "buy",
        "size": "0.0000729",
        "price": "65083.6",
        "product_id": "BTC-USD",
        "time": "2026-08-09T21:05:38.504360Z",
    }


def test_advanced_trade_names_the_makers_side_too_and_writes_ids_as_text() -> None:
    assert market_trade(TRADE) == {
        "product_id": "BTC-USD",
        "trade_id": "1068572088",
        "price": "65083.6",
        "size": "0.0000729",
        "time": "2026-08-09T21:05:38.50436Z",
        "side": "BUY",
    }


def test_trades_of_one_time_share_the_takers_order_and_not_the_makers() -> None:
    one, two = match("match", TRADE), match("match", Trade("BTC-USD", 1068572089, *_rest_of(TRADE)))
    assert one["taker_order_id"] == two["taker_order_id"]
    assert one["maker_order_id"] != two["maker_order_id"]


def test_a_decimal_is_a_json_number() -> None:
    assert encode([Decimal("0.20"), 1]) == "[0.20,1]"


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '"subscribe"', "{}", '{"type":"hello"}', "[" * 100_000])
def test_what_is_not_a_request_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        parse_request(text)


@pytest.mark.parametrize("products", [None, [], "BTC-USD", [1], [["BTC-USD"]], ["BTC-USD", "X-Y"], ["BTC-USD"] * 101])
def test_what_is_not_a_list_of_listed_products_is_refused(products: object) -> None:
    with pytest.raises(Refusal):
        requested_products(products, {"BTC-USD"})


def _rest_of(trade: Trade) -> tuple[int, Decimal, Decimal, Side]:
    return trade.time_ns, trade.price, trade.size, trade.side
