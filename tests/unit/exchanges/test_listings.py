"""What exchanges list."""

import json

import pytest
from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.listings import Listing, listing_source, read_listings

COINBASE = [
    {"id": "ETH-USD", "base_currency": "ETH", "quote_currency": "USD", "status": "delisted", "trading_disabled": True},
    {"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "status": "online", "display_name": "x"},
]
BINANCE = {
    "timezone": "UTC",
    "symbols": [
        {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"},
        {"symbol": "MATICUSDT", "status": "BREAK", "baseAsset": "MATIC", "quoteAsset": "USDT"},
    ],
}


@pytest.mark.parametrize(
    ("exchange", "answer", "listings"),
    [
        ("coinbase", COINBASE, [Listing("BTC-USD", "BTC", "USD", True), Listing("ETH-USD", "ETH", "USD", False)]),
        ("binance", BINANCE, [Listing("BTCUSDT", "BTC", "USDT", True), Listing("MATICUSDT", "MATIC", "USDT", False)]),
        (
            "bitfinex-simulated",
            [["BTCUSD", "DOGE:USD", "ETHUST"]],
            [
                Listing("tBTCUSD", "BTC", "USD", True),
                Listing("tDOGE:USD", "DOGE", "USD", True),
                Listing("tETHUST", "ETH", "USDT", True),
            ],
        ),
    ],
)
def test_listings_are_read_with_canonical_currencies(exchange: str, answer: object, listings: list[Listing]) -> None:
    assert read_listings(exchange, json.dumps(answer).encode()) == listings


@pytest.mark.parametrize("body", [b"", b"[]", b'{"symbols":[]}', b'{"symbols":[{"symbol":"X"}]}', b"[[]]", b"[[],[]]"])
@pytest.mark.parametrize("exchange", ["coinbase", "binance", "bitfinex"])
def test_an_answer_that_lists_nothing_is_malformed(exchange: str, body: bytes) -> None:
    """Believed, it would end everything that is followed."""
    with pytest.raises(RemoteMalformed):
        read_listings(exchange, body)


def test_an_exchange_without_a_list_is_named() -> None:
    with pytest.raises(RequestInvalid, match="coinbase, binance, bitfinex have"):
        listing_source("mtgox")
