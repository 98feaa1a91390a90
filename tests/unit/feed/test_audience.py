"""What a client wants."""

import pytest

from feed.audience import Interest

BTC = Interest("coinbase", frozenset({"BTC-USD"}), frozenset({"candle", "status"}))


@pytest.mark.parametrize(
    ("kind", "exchange", "symbol", "wanted"),
    [
        ("candle", "coinbase", "BTC-USD", True),
        ("candle", "coinbase", "ETH-USD", False),
        ("candle", "binance", "BTC-USD", False),
        ("trade", "coinbase", "BTC-USD", False),
        ("status", "coinbase", "", True),
        ("status", "binance", "", False),
        ("status", "", "", True),
    ],
)
def test_an_event_is_wanted_if_everything_about_it_is(kind: str, exchange: str, symbol: str, wanted: bool) -> None:
    assert BTC.covers(kind, exchange, symbol) is wanted


def test_who_names_nothing_wants_everything() -> None:
    assert Interest(None, None, None).covers("trade", "binance", "ETHUSDT")
