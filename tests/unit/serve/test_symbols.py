"""Which instrument a caller means."""

import pytest
from marketdata.errors import Ambiguous, NotFound
from marketdata.model.instrument import Instrument
from marketdata.serve.symbols import CHOICES_MAX, find_exchange, find_instrument

COINBASE_BTC = Instrument("coinbase", "BTC-USD", "BTC", "USD")
COINBASE_ETH = Instrument("coinbase", "ETH-USD", "ETH", "USD")
BITFINEX_BTC = Instrument("bitfinex", "tBTCUSD", "BTC", "USD")
OANDA_EUR = Instrument("oanda", "EUR_USD", "EUR", "USD")
ALL = [BITFINEX_BTC, COINBASE_BTC, COINBASE_ETH, OANDA_EUR]


@pytest.mark.parametrize("symbol", ["EUR_USD", "EUR-USD", "EUR/USD", "eur/usd", "EURUSD", "eurusd"])
def test_every_usual_spelling_names_one_instrument(symbol: str) -> None:
    assert find_instrument(ALL, symbol, None) == OANDA_EUR


@pytest.mark.parametrize("symbol", ["EUR_USD", "EUR-USD", "eurusd"])
def test_the_plain_name_of_a_quoted_market_is_its_usual_price_and_others_are_said(symbol: str) -> None:
    bid = Instrument("oanda", "EUR_USD:bid", "EUR", "USD")
    assert bid.canonical == "EUR-USD:bid"
    assert find_instrument([bid, OANDA_EUR], symbol, None) == OANDA_EUR
    assert find_instrument([bid, OANDA_EUR], f"{symbol}:bid", None) == bid


def test_a_symbol_that_is_spelled_so_on_one_exchange_alone_needs_no_exchange() -> None:
    assert find_instrument(ALL, "tBTCUSD", None) == BITFINEX_BTC


def test_the_canonical_name_works_where_the_exchange_spells_otherwise() -> None:
    assert find_instrument(ALL, "BTC-USD", "bitfinex") == BITFINEX_BTC


def test_a_name_of_several_exchanges_is_ambiguous_and_the_choices_are_named() -> None:
    with pytest.raises(Ambiguous) as refused:
        find_instrument(ALL, "BTC-USD", None)
    assert refused.value.choices == ("bitfinex:tBTCUSD", "coinbase:BTC-USD")


def test_the_exchange_settles_it_however_it_is_capitalised() -> None:
    assert find_instrument(ALL, "BTC-USD", "CoinBase") == COINBASE_BTC


def test_letter_for_letter_comes_before_a_name_that_is_alike_without_its_separators() -> None:
    one, other = Instrument("x", "A-BC", "A", "BC"), Instrument("x", "AB-C", "AB", "C")
    assert find_instrument([one, other], "ab-c", None) == other
    with pytest.raises(Ambiguous):
        find_instrument([one, other], "ABC", None)


def test_an_unknown_symbol_is_told_what_there_is_on_that_exchange() -> None:
    with pytest.raises(NotFound) as refused:
        find_instrument(ALL, "DOGE-USD", "coinbase")
    assert (refused.value.field, refused.value.choices) == ("symbol", ("coinbase:BTC-USD", "coinbase:ETH-USD"))


def test_what_is_told_is_bounded() -> None:
    many = [Instrument("x", f"{place}-USD", str(place), "USD") for place in range(1000)]
    with pytest.raises(NotFound) as refused:
        find_instrument(many, "DOGE-USD", None)
    assert len(refused.value.choices) == CHOICES_MAX


def test_an_unknown_exchange_is_told_which_there_are() -> None:
    with pytest.raises(NotFound) as refused:
        find_exchange(ALL, "kraken")
    assert (refused.value.field, refused.value.choices) == ("exchange", ("bitfinex", "coinbase", "oanda"))
